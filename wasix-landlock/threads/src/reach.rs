//! The signal that reaches every thread, and what the threads answer to it before anything is
//! restricted.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    RestrictError, ThreadError,
    judge::failed,
    sys::{self, Handler, Name, Probe, Round, State},
    tasks::{Life, Listing, Tasks},
    visit::{PATIENCE, Visitor},
};

/// The means to reach the other threads. All of it is there before anything is restricted: afterwards it
/// could not be had, and an error now costs nothing.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) tasks: Tasks,
    pub(crate) listing: Listing,
    pub(crate) handler: Handler,
    pub(crate) answers: Answers,
}

/// The threads' answers while nothing is restricted.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Threads that the probe is allowed in.
    pub(crate) allowed: HashSet<i32>,
    /// Threads that need no visit, see [`ThreadKind::Worker`], or that failed and are let pass.
    pub(crate) exempt: HashSet<i32>,
    /// Threads that can't be restricted.
    pub(crate) failures: Vec<RestrictError>,
    /// True if a signal may still be under way.
    pub(crate) unanswered: bool,
    /// The names of the threads that answered. `/proc` doesn't show them after the restriction.
    names: HashMap<i32, Name>,
    /// True if one shows a sign of a restriction of its own: a probe that is denied already, or
    /// `PR_SET_NO_NEW_PRIVS`, which whoever sets a domain sets first.
    foreign: bool,
    /// True if one blocks the signal.
    blocked: bool,
    /// True if one hasn't answered for another reason.
    stuck: bool,
}

impl Answers {
    /// True if the kernel may restrict all threads at once. The kernel would replace a thread's own
    /// restriction, and wait forever for a thread that doesn't come back from a system call.
    pub(crate) const fn may_be_synced(&self) -> bool {
        !self.foreign && !self.stuck
    }

    /// True if the thread has answered.
    pub(crate) fn has(&self, tid: i32) -> bool {
        self.names.contains_key(&tid)
    }

    /// The name of a thread that has answered.
    pub(crate) fn name(&self, tid: i32) -> Option<String> {
        self.names.get(&tid).map(Name::to_string)
    }
}

/// A thread's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadKind {
    /// A thread that runs this process's code.
    Program,
    /// A kernel thread that does for io_uring what a thread of this process has asked for, with that
    /// thread's credentials and so with its restriction (`io_prep_async_work` in `io_uring.c`).
    Worker,
    /// A kernel thread that takes io_uring requests from memory, with the credentials of whoever
    /// made the ring (`IORING_SETUP_SQPOLL`), or one of another kind.
    Poller,
}

impl ThreadKind {
    pub(crate) fn of(tasks: &Tasks, tid: i32) -> Self {
        if !tasks.is_kernel_worker(tid) {
            return Self::Program;
        }
        let name = tasks.describe(tid).name.unwrap_or_default();
        if name.starts_with("iou-wrk-") {
            Self::Worker
        } else {
            Self::Poller
        }
    }
}

/// The failure that a [`ThreadKind::Poller`] is.
pub(crate) fn poller(tasks: &Tasks, tid: i32) -> RestrictError {
    unreachable(
        tasks,
        tid,
        "it is a kernel thread of an io_uring instance (IORING_SETUP_SQPOLL), which keeps the access \
         of whoever made the instance; close the instance before the build",
    )
}

fn unreachable(tasks: &Tasks, tid: i32, reason: &'static str) -> RestrictError {
    let description = tasks.describe(tid);
    let problem = ThreadError::Unreachable {
        name: description.name.unwrap_or_else(|| "?".to_owned()),
        state: description.state,
        reason,
    };
    RestrictError::of_thread(tid, problem)
}

/// Returns this process's threads that take io_uring requests from memory, each with its name.
///
/// # Errors
///
/// The threads can't be listed in `/proc`.
pub fn pollers() -> io::Result<Vec<(i32, String)>> {
    let tasks = Tasks::open()?;
    let mut threads = tasks.list()?.threads;
    threads.retain(|tid| ThreadKind::of(&tasks, *tid) == ThreadKind::Poller);
    let named = |tid| (tid, tasks.describe(tid).name.unwrap_or_default());
    Ok(threads.into_iter().map(named).collect())
}

impl Reach {
    /// Lists the other threads, and has each of them answer a signal.
    ///
    /// # Errors
    ///
    /// A thread that can't be restricted, unless `lenient`.
    pub(crate) fn prepare(
        probe: &Arc<Probe>,
        deadline: Duration,
        lenient: bool,
    ) -> Result<Self, RestrictError> {
        let tasks_error = |source| RestrictError::Tasks { source };
        let until = Instant::now() + deadline;
        let tasks = Tasks::open().map_err(tasks_error)?;
        let mut listing = tasks.list().map_err(tasks_error)?;
        while !listing.complete && Instant::now() < until {
            listing = tasks.list().map_err(tasks_error)?;
        }
        let mut reach = Self {
            handler: Handler::before_library()
                .map_or_else(|| choose(&tasks, &listing, until), Ok)?,
            tasks,
            listing,
            answers: Answers::default(),
        };
        reach.ask(probe, deadline);
        if reach.answers.blocked && reach.handler.is_before_library() {
            // Some thread blocks the C library's signal. Another one may reach all.
            reach
                .handler
                .restore(reach.answers.unanswered)
                .map_err(|source| RestrictError::Signal {
                    signal: reach.handler.signal(),
                    source,
                })?;
            reach.answers = Answers::default();
            reach.handler = choose(&reach.tasks, &reach.listing, until)?;
            reach.ask(probe, deadline);
        }
        if lenient || reach.answers.failures.is_empty() {
            return Ok(reach);
        }
        let failure = reach.answers.failures.swap_remove(0);
        // The failure is the more important of two.
        let _ = reach.handler.restore(reach.answers.unanswered);
        Err(failure)
    }

    fn ask(&mut self, probe: &Arc<Probe>, deadline: Duration) {
        let visitor = Visitor {
            tasks: &self.tasks,
            handler: &self.handler,
        };
        let mut threads = self.listing.threads.clone();
        let this = sys::current_thread();
        threads.retain(|tid| *tid != this);
        let round = Round::publish(threads, &HashSet::new(), None, Arc::clone(probe));
        visitor.visit(round.table(), Instant::now() + deadline);
        let answers = &mut self.answers;
        for (tid, state) in round.table().states() {
            match state {
                State::Gone => {}
                State::Done(visit) => {
                    answers.names.insert(tid, visit.name);
                    // Who sets a domain sets the flag, see `Restriction::put_on_all_threads`.
                    answers.foreign |= visit.no_new_privileges;
                    match visit.after {
                        Ok(()) => {
                            answers.allowed.insert(tid);
                        }
                        Err(libc::EACCES) => answers.foreign = true,
                        Err(errno) => {
                            let problem = failed("the probe beforehand", errno);
                            answers
                                .failures
                                .push(RestrictError::of_thread(tid, problem));
                        }
                    }
                }
                State::Pending | State::Claimed | State::Abandoned => {
                    answers.unanswered = true;
                    match ThreadKind::of(visitor.tasks, tid) {
                        ThreadKind::Worker => {
                            answers.exempt.insert(tid);
                        }
                        ThreadKind::Poller => answers.failures.push(poller(visitor.tasks, tid)),
                        ThreadKind::Program if visitor.blocks(tid) => {
                            answers.blocked = true;
                            answers
                                .failures
                                .push(unreachable(visitor.tasks, tid, BLOCKS));
                        }
                        ThreadKind::Program => {
                            answers.stuck = true;
                            let failure = visitor.not_reached(tid, None, deadline);
                            answers.failures.push(failure);
                        }
                    }
                }
            }
        }
    }
}

const BLOCKS: &str = "the thread blocks every signal that could reach it, or waits for it; \
                      unblock one real-time signal in it, or build before it starts";

/// Puts the handler on a signal that as many threads as possible neither block nor wait for.
///
/// One that the calling thread blocks is taken last: another thread may be about to wait for it.
fn choose(tasks: &Tasks, listing: &Listing, until: Instant) -> Result<Handler, RestrictError> {
    let since = Instant::now();
    loop {
        let taken = taken(tasks, listing, until);
        let own = tasks.describe(sys::current_thread()).blocked.unwrap_or(0);
        let outside = |taken: u64| move |signal| taken & sys::bit(signal) == 0;
        let handler = match Handler::install(outside(taken | own)) {
            Err(RestrictError::NoFreeSignal) => Handler::install(outside(taken)),
            other => other,
        };
        match handler {
            // A thread blocks a signal for a moment while it handles that one.
            Err(RestrictError::NoFreeSignal) if Instant::now() < until.min(since + PATIENCE) => {
                thread::yield_now();
            }
            result => return result,
        }
    }
}

/// The signals that other threads block or wait for, the first signal in the lowest bit. A thread
/// that leaves none doesn't count, since no choice reaches it.
fn taken(tasks: &Tasks, listing: &Listing, until: Instant) -> u64 {
    let all: u64 = sys::program_signals().map(sys::bit).sum();
    let this = sys::current_thread();
    let others = listing.threads.iter().copied().filter(|tid| *tid != this);
    others.fold(0, |taken, tid| taken | taken_by(tasks, tid, all, until))
}

fn taken_by(tasks: &Tasks, tid: i32, all: u64, until: Instant) -> u64 {
    let since = Instant::now();
    loop {
        let description = tasks.describe(tid);
        let taken = description.blocked.unwrap_or(0) | tasks.awaited(tid).unwrap_or(0);
        if taken & all != all {
            return taken;
        }
        let now = Instant::now();
        let sleeps = description.state != 'R';
        if tasks.life(tid) == Life::Ended
            || tasks.is_kernel_worker(tid)
            || now >= until
            || (sleeps && now - since >= PATIENCE)
        {
            return 0;
        }
        // A sleep might never end: signals for this thread could keep interrupting it.
        thread::yield_now();
    }
}
