//! Reaching every thread of the process, one by one.
//!
//! Landlock restricts a thread from within, so each one gets a signal whose handler does it. What
//! is restricted passes that on to the threads it starts, hence this ends: once every thread alive
//! was restricted, all later ones are born so.

use std::{
    collections::{HashMap, HashSet},
    io, mem,
    os::fd::RawFd,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    judge::{Failure, Judged, Problem, judge},
    reach::{Kind, Survey, poller},
    sys::{self, Attempt, Handler, Round, State},
    tasks::{Life, Listing, Tasks},
};

/// How long to wait at first before looking whether threads have ended.
const FIRST_TICK: Duration = Duration::from_millis(1);
/// How long at most.
const LAST_TICK: Duration = Duration::from_millis(20);

/// What to do in each thread.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    pub(crate) tasks: &'a Tasks,
    pub(crate) handler: &'a Handler,
    pub(crate) attempt: Arc<Attempt>,
    /// The ruleset to restrict each thread with; `None` if the kernel did so already.
    pub(crate) ruleset: Option<RawFd>,
    pub(crate) deadline: Duration,
    /// Whether to go on after a thread that can't be restricted.
    pub(crate) lenient: bool,
    /// What `/proc` said of the threads before.
    pub(crate) survey: &'a Survey,
    /// What the threads said before anything was restricted, if they were asked.
    pub(crate) asked: Asked,
}

/// What threads said when they were asked, nothing being restricted yet.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Whether one shows a sign of a restriction of its own: a probe that is denied already, or
    /// `PR_SET_NO_NEW_PRIVS`, which whoever sets a domain sets first.
    foreign: bool,
    /// Whether one hasn't answered for another reason than that it blocks the signal.
    stuck: bool,
    pub(crate) failures: Vec<Failure>,
    unanswered: bool,
}

impl Asked {
    /// Starts with threads that can't be asked, and are let pass.
    pub(crate) fn without(failures: Vec<Failure>) -> Self {
        Self {
            failures,
            ..Self::default()
        }
    }

    /// Whether the kernel may restrict all threads at once. It would take away what a thread has
    /// put on itself, and wait forever for one that doesn't come back from a system call.
    pub(crate) const fn may_be_synced(&self) -> bool {
        !self.foreign && !self.stuck
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    pub(crate) proved: usize,
    pub(crate) inherited: usize,
    pub(crate) gone: usize,
    pub(crate) rounds: usize,
    pub(crate) failures: Vec<Failure>,
    /// Threads under a restriction of their own before this one, in which the attempt therefore
    /// shows nothing.
    pub(crate) foreign: usize,
    /// Whether a signal may still be under way, so that the handler has to stay.
    pub(crate) unanswered: bool,
}

impl Swept {
    /// What comes of a process with one thread.
    pub(crate) fn one_round() -> Self {
        Self {
            rounds: 1,
            ..Self::default()
        }
    }
}

impl Sweep<'_> {
    /// The threads that aren't visited: the calling one, which comes last, those that need no visit,
    /// and those that no signal reaches.
    fn left_out(&self) -> impl Iterator<Item = i32> {
        let unreached = self.asked.failures.iter().map(|failure| failure.tid);
        let exempt = self.survey.exempt.iter().copied();
        unreached.chain(exempt).chain([sys::current_thread()])
    }

    /// Visits every thread of `listing` but the calling one, and only looks. One that isn't reached
    /// now would not be reached later, when others are restricted already.
    pub(crate) fn ask(&mut self, listing: Listing) {
        let mut threads = listing.threads;
        let left_out: HashSet<i32> = self.left_out().collect();
        threads.retain(|tid| !left_out.contains(tid));
        let round = Round::publish(threads, None, Arc::clone(&self.attempt));
        let table = round.table();
        self.signal_all(table, Instant::now() + self.deadline);
        let mut asked = mem::take(&mut self.asked);
        for (tid, state) in table.states() {
            match state {
                State::Gone => {}
                // Who sets a domain sets the flag, see `Enforcement::run`.
                State::Done(visit) if visit.no_new_privileges => asked.foreign = true,
                State::Done(visit) => match visit.after {
                    Ok(()) => {}
                    Err(libc::EACCES) => asked.foreign = true,
                    Err(errno) => asked.failures.push(Failure {
                        tid,
                        problem: Problem::Call {
                            call: "the probe beforehand",
                            errno,
                        },
                    }),
                },
                State::Pending | State::Claimed | State::Abandoned => {
                    let problem = self.not_reached(tid);
                    asked.unanswered = true;
                    asked.stuck |= !problem.is_deaf();
                    asked.failures.push(Failure { tid, problem });
                }
            }
        }
        self.asked = asked;
    }

    /// What came of asking, when it was all that was done.
    pub(crate) fn take_asked(&mut self) -> Swept {
        Swept {
            rounds: 1,
            unanswered: self.asked.unanswered,
            failures: mem::take(&mut self.asked.failures),
            ..Swept::default()
        }
    }

    /// Visits every thread but the calling one, those of `listing` first if there is one, and
    /// leaves out those that didn't answer when they were asked.
    ///
    /// From one listing to the next, a thread's number is taken as its identity. The kernel hands
    /// numbers out in a circle, so that one comes back only after tens of thousands of others.
    pub(crate) fn run(&mut self, listing: Option<Listing>) -> Result<Swept, (Swept, io::Error)> {
        let until = Instant::now() + self.deadline;
        let mut handled: HashSet<i32> = self.left_out().collect();
        let asked = self.take_asked();
        let mut swept = Swept::default();
        let mut first = true;
        let mut listing = listing;
        loop {
            // As good as a listing without anybody new, and it takes a tenth of the time.
            if !first && self.tasks.are_all(&handled) {
                break;
            }
            swept.rounds += 1;
            let listing = match listing.take().map_or_else(|| self.tasks.list(), Ok) {
                Ok(listing) => listing,
                Err(error) => return Err((swept, error)),
            };
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
                new.retain(|tid| self.is_to_visit(*tid, &mut swept));
                if new.is_empty() && listing.complete {
                    break;
                }
                let born_restricted = self.round(new, until, first, &mut swept, &mut handled);
                if !swept.failures.is_empty() && (!self.lenient || swept.unanswered) {
                    break;
                }
                // Whoever was alive at the listing is restricted now, and the new ones were born
                // that way: of parents that are restricted, like all their children to come.
                // Without this, a process that starts short-lived threads all the time might never
                // be done.
                let settles = !first || self.ruleset.is_none();
                if listing.complete && settles && born_restricted && swept.foreign == 0 {
                    break;
                }
                first = false;
            }
            if Instant::now() >= until {
                swept.failures.push(Failure {
                    tid: 0,
                    problem: Problem::NotSettled {
                        rounds: swept.rounds,
                    },
                });
                break;
            }
        }
        swept.unanswered |= asked.unanswered;
        swept.failures.extend(asked.failures);
        Ok(swept)
    }

    /// Whether a thread runs this process's code, and so has to be visited.
    fn is_to_visit(&self, tid: i32, swept: &mut Swept) -> bool {
        // The survey has seen the others, and a thread that is restricted can't ask.
        if self.survey.name(tid).is_some() || self.ruleset.is_none() {
            return true;
        }
        match Kind::of(self.tasks, tid) {
            Kind::Program => true,
            Kind::Worker => false,
            Kind::Poller => {
                swept.failures.push(poller(self.tasks, tid));
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
        swept: &mut Swept,
        handled: &mut HashSet<i32>,
    ) -> bool {
        let round = Round::publish(threads, self.ruleset, Arc::clone(&self.attempt));
        let table = round.table();
        self.signal_all(table, until);

        let mut born_restricted = true;
        for (tid, state) in table.states() {
            match state {
                State::Gone => {
                    swept.gone += 1;
                    if self.tasks.life(tid) != Life::Ended {
                        // Another thread has its number by now, and is still to be visited.
                        handled.remove(&tid);
                    }
                    // What it may have started before it ended wasn't restricted through it.
                    born_restricted = false;
                }
                State::Done(visit) => {
                    match judge(tid, visit, &self.attempt, self.ruleset.is_some(), first) {
                        Ok(Judged::Proved) => {
                            swept.proved += 1;
                            // Where the kernel did it before the listing, what a thread shows now
                            // it also had when it started others.
                            born_restricted &= self.ruleset.is_none();
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
                    swept.failures.push(Failure {
                        tid,
                        problem: self.not_reached(tid),
                    });
                }
            }
        }
        born_restricted
    }

    /// Signals the threads of a table and waits until each has answered or ended, or until the
    /// deadline.
    fn signal_all(&self, table: &sys::Table, until: Instant) {
        let mut unsent: Vec<i32> = table.threads().collect();
        let mut tick = FIRST_TICK;
        let mut started: HashMap<i32, Option<u64>> = HashMap::new();
        loop {
            // A queue of real-time signals that is full (EAGAIN) has room again after a while.
            unsent.retain(|tid| match sys::send(*tid, self.handler) {
                Ok(()) => false,
                // Two answers that agree: the number reaches nobody, and is listed no more.
                Err(libc::ESRCH) if !self.tasks.is_listed(*tid) => {
                    table.mark_gone(*tid);
                    false
                }
                Err(_) => true,
            });
            if table.is_settled() {
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                table.abandon();
                return;
            }
            table.wait(left.min(tick));
            tick = (tick * 2).min(LAST_TICK);
            for (tid, state) in table.states() {
                if state != State::Pending {
                    continue;
                }
                let gone = match self.tasks.life(tid) {
                    Life::Ended => true,
                    // What was signalled has ended, and another thread has its number: that one
                    // never got the signal.
                    Life::Going { started: since } => *started.entry(tid).or_insert(since) != since,
                };
                if gone {
                    table.mark_gone(tid);
                }
            }
        }
    }

    fn not_reached(&self, tid: i32) -> Problem {
        let signal = self.handler.signal();
        let description = self.tasks.describe(tid);
        let blocks = description
            .blocked
            .is_some_and(|mask| mask & sys::bit(signal) != 0);
        let reason = if blocks {
            format!(
                "it blocks signal {signal}; unblock the real-time signals in it, or enforce before \
                 starting it"
            )
        } else {
            "it did not run; enforce before starting it, or set a longer deadline".to_owned()
        };
        let name = description.name.or_else(|| self.survey.name(tid));
        Problem::NotReached {
            name: name.unwrap_or_else(|| "?".to_owned()),
            state: description.state,
            blocks,
            reason,
            deadline: self.deadline,
        }
    }
}
