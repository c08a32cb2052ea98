//! Reaching every thread of the process, one by one.
//!
//! Landlock restricts a thread from within, so each one gets a signal whose handler restricts it. A
//! restricted thread passes the restriction on to the threads that it starts, hence the sweep ends:
//! once every thread alive was restricted, all later ones are born so.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Progress, RestrictError,
    judge::{Judged, judge},
    reach::{Answers, ThreadKind, poller},
    sys::{self, Domain, Probe, Round, State},
    tasks::{Life, Listing},
    visit::Visitor,
};

/// The sweep over all threads.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    pub(crate) visitor: Visitor<'a>,
    pub(crate) probe: Arc<Probe>,
    /// The domain that each thread restricts itself with; `None` if the kernel did so already.
    pub(crate) domain: Option<Domain>,
    pub(crate) deadline: Duration,
    /// True if the sweep goes on after a thread that can't be restricted.
    pub(crate) lenient: bool,
    /// The threads' answers before.
    pub(crate) answers: &'a Answers,
}

impl Sweep<'_> {
    /// Visits every thread but the calling one, those of `listing` first if there is one, and
    /// leaves out those that didn't answer when they were asked.
    ///
    /// From one listing to the next, a thread's number is taken as its identity. The kernel hands
    /// numbers out in a circle, so that one comes back only after tens of thousands of others.
    pub(crate) fn run(
        self,
        listing: Option<Listing>,
        swept: &mut Progress,
    ) -> Result<(), RestrictError> {
        let until = Instant::now() + self.deadline;
        let mut handled: HashSet<i32> = self.answers.exempt.clone();
        handled.insert(sys::current_thread());
        let mut first = true;
        let mut listing = listing;
        loop {
            // As good as a listing without anybody new, and it takes a tenth of the time.
            if !first && self.visitor.tasks.are_all(&handled) {
                break;
            }
            swept.rounds += 1;
            let listing = listing.take().map_or_else(|| self.visitor.tasks.list(), Ok);
            let listing = listing.map_err(|source| RestrictError::Tasks { source })?;
            // The first visits wait for a complete listing: that makes it certain that whoever
            // shows up later was started during the sweep.
            if listing.complete || !first {
                if listing.complete {
                    // Whoever isn't there any more has ended, and the number may come back.
                    let listed: HashSet<i32> = listing.threads.iter().copied().collect();
                    handled.retain(|tid| listed.contains(tid));
                }
                let mut new = listing.threads;
                new.retain(|tid| handled.insert(*tid));
                new.retain(|tid| self.is_to_visit(*tid, swept));
                if new.is_empty() && listing.complete {
                    break;
                }
                let born_restricted = self.round(new, until, first, swept, &mut handled);
                if !swept.failures.is_empty() && (!self.lenient || swept.unanswered) {
                    break;
                }
                // Whoever was alive at the listing is restricted now, and the new ones were born
                // that way: of parents that are restricted, like all their children to come.
                // Without this, a process that starts short-lived threads all the time might never
                // be done.
                let ends = !first || self.domain.is_none();
                if listing.complete && ends && born_restricted && swept.foreign == 0 {
                    break;
                }
                first = false;
            }
            if Instant::now() >= until {
                swept.failures.push(RestrictError::ThreadsKeptStarting {
                    deadline: self.deadline,
                    rounds: swept.rounds,
                });
                break;
            }
        }
        Ok(())
    }

    /// True if a thread runs this process's code, and so has to be visited.
    fn is_to_visit(&self, tid: i32, swept: &mut Progress) -> bool {
        // The others have answered, and a thread that is restricted can't ask.
        if self.answers.has(tid) || self.domain.is_none() {
            return true;
        }
        match ThreadKind::of(self.visitor.tasks, tid) {
            ThreadKind::Program => true,
            ThreadKind::Worker => false,
            ThreadKind::Poller => {
                swept.failures.push(poller(self.visitor.tasks, tid));
                false
            }
        }
    }

    /// Visits these threads. Returns whether each of them was restricted already when it was
    /// reached.
    fn round(
        &self,
        threads: Vec<i32>,
        until: Instant,
        first: bool,
        swept: &mut Progress,
        handled: &mut HashSet<i32>,
    ) -> bool {
        let (allowed, probe) = (&self.answers.allowed, Arc::clone(&self.probe));
        let round = Round::publish(threads, allowed, self.domain, probe);
        let table = round.table();
        self.visitor.visit(table, until);

        let mut born_restricted = true;
        for (tid, state) in table.states() {
            match state {
                State::Gone => {
                    swept.gone += 1;
                    if self.visitor.tasks.life(tid) != Life::Ended {
                        // Another thread has its number by now, and is still to be visited.
                        handled.remove(&tid);
                    }
                    // What it may have started before it ended wasn't restricted through it.
                    born_restricted = false;
                }
                State::Done(visit) => {
                    match judge(tid, visit, &self.probe, self.domain.is_some(), first) {
                        Ok(Judged::Proved) => {
                            swept.proved += 1;
                            // Where the kernel did it before the listing, what a thread shows now
                            // it also had when it started others.
                            born_restricted &= self.domain.is_none();
                        }
                        Ok(Judged::Inherited) => {
                            swept.inherited += 1;
                            swept.foreign += usize::from(first);
                        }
                        Err(failure) => {
                            swept.failures.push(failure);
                            born_restricted = false;
                        }
                    }
                }
                State::Pending | State::Claimed | State::Abandoned => {
                    swept.unanswered = true;
                    born_restricted = false;
                    let name = self.answers.name(tid);
                    let failure = self.visitor.not_reached(tid, name, self.deadline);
                    swept.failures.push(failure);
                }
            }
        }
        born_restricted
    }
}
