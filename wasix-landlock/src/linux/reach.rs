//! The signal that reaches every thread, chosen before anything is restricted.

use std::{
    collections::{HashMap, HashSet},
    thread,
    time::{Duration, Instant},
};

use super::{
    judge::{Failure, Problem},
    sys::{self, Handler, HandlerError},
    tasks::{Life, Listing, Tasks},
};
use crate::EnforceError;

/// How long a sleeping thread has to block every signal until it counts as unreachable. The C library
/// blocks them all for a moment while it starts or ends a thread.
const PATIENCE: Duration = Duration::from_millis(250);

/// What reaches the other threads. All of it is there before anything is restricted: afterwards it
/// could not be had, and an error now costs nothing.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) tasks: Tasks,
    pub(crate) listing: Listing,
    pub(crate) handler: Handler,
    pub(crate) survey: Survey,
}

/// What `/proc` says of the threads before anything is restricted.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    names: HashMap<i32, String>,
    /// Threads that need no visit, see [`Kind::Worker`].
    pub(crate) exempt: HashSet<i32>,
    /// Threads that no signal reaches.
    pub(crate) unreachable: Vec<Failure>,
    /// Signals that some thread blocks or waits for, the first signal in the lowest bit.
    taken: u64,
}

/// A thread's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A thread that runs this process's code.
    Program,
    /// A kernel thread that does for io_uring what a thread of this process has asked for, with that
    /// thread's credentials and so with its restriction (`io_prep_async_work` in `io_uring.c`).
    Worker,
    /// A kernel thread that takes io_uring requests from memory, with the credentials of whoever
    /// made the ring (`IORING_SETUP_SQPOLL`), or one of another kind.
    Poller,
}

impl Kind {
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

/// The failure that a [`Kind::Poller`] is.
pub(crate) fn poller(tasks: &Tasks, tid: i32) -> Failure {
    unreachable(
        tasks,
        tid,
        "it is a kernel thread of an io_uring instance (IORING_SETUP_SQPOLL), which keeps the access \
         of whoever made the instance; close the instance before the build",
    )
}

fn unreachable(tasks: &Tasks, tid: i32, reason: &'static str) -> Failure {
    let description = tasks.describe(tid);
    Failure {
        tid,
        problem: Problem::Unreachable {
            name: description.name.unwrap_or_else(|| "?".to_owned()),
            state: description.state,
            reason,
        },
    }
}

impl Reach {
    /// Lists the other threads, reads their signal masks, and puts the handler on a signal that
    /// none of them blocks or waits for.
    ///
    /// # Errors
    ///
    /// A thread that no signal reaches, unless `lenient`.
    pub(crate) fn prepare(deadline: Duration, lenient: bool) -> Result<Self, EnforceError> {
        let since = Instant::now();
        let until = since + deadline;
        let tasks_error = |source| EnforceError::Tasks {
            source,
            restricted: 0,
        };
        let tasks = Tasks::open().map_err(tasks_error)?;
        let mut listing = tasks.list().map_err(tasks_error)?;
        while !listing.complete && Instant::now() < until {
            listing = tasks.list().map_err(tasks_error)?;
        }
        let (survey, handler) = loop {
            let mut survey = Survey::of(&tasks, &listing, until);
            if !lenient && !survey.unreachable.is_empty() {
                return Err(survey.unreachable.swap_remove(0).into_error(0, deadline));
            }
            match survey.install(&tasks) {
                Ok(handler) => break (survey, handler),
                // A thread blocks a signal for a moment while it handles that one.
                Err(HandlerError::NoneFree) if Instant::now() < until.min(since + PATIENCE) => {
                    thread::yield_now();
                }
                Err(HandlerError::NoneFree) => return Err(EnforceError::NoFreeSignal),
                Err(HandlerError::Install { signal, source }) => {
                    return Err(EnforceError::Signal { signal, source });
                }
            }
        };
        Ok(Self {
            tasks,
            listing,
            handler,
            survey,
        })
    }
}

impl Survey {
    fn of(tasks: &Tasks, listing: &Listing, until: Instant) -> Self {
        let mut survey = Self::default();
        let this = sys::current_thread();
        for tid in listing.threads.iter().copied().filter(|tid| *tid != this) {
            survey.look_at(tasks, tid, until);
        }
        survey
    }

    /// A thread's name, as it was before the restriction.
    pub(crate) fn name(&self, tid: i32) -> Option<String> {
        self.names.get(&tid).cloned()
    }

    fn look_at(&mut self, tasks: &Tasks, tid: i32, until: Instant) {
        let all: u64 = sys::candidates().map(sys::bit).sum();
        let since = Instant::now();
        loop {
            let description = tasks.describe(tid);
            let taken = description.blocked.unwrap_or(0) | tasks.awaited(tid);
            if let Some(name) = description.name {
                self.names.insert(tid, name);
            }
            if taken & all != all {
                self.taken |= taken;
                return;
            }
            if tasks.life(tid) == Life::Ended {
                return;
            }
            match Kind::of(tasks, tid) {
                Kind::Program => {}
                Kind::Worker => {
                    self.exempt.insert(tid);
                    return;
                }
                Kind::Poller => return self.unreachable.push(poller(tasks, tid)),
            }
            let now = Instant::now();
            let sleeps = description.state != 'R';
            if now >= until || (sleeps && now - since >= PATIENCE) {
                let reason = "it blocks every signal that could reach it, or waits for it; unblock one \
                              real-time signal in it, or build before it starts";
                return self.unreachable.push(unreachable(tasks, tid, reason));
            }
            // A sleep might never end: signals for this thread could keep interrupting it.
            thread::yield_now();
        }
    }

    /// Puts the handler on a signal. One that the calling thread blocks is taken last: another
    /// thread may be about to wait for it.
    fn install(&self, tasks: &Tasks) -> Result<Handler, HandlerError> {
        let own = tasks.describe(sys::current_thread()).blocked.unwrap_or(0);
        let outside = |taken: u64| move |signal| taken & sys::bit(signal) == 0;
        match Handler::install(outside(self.taken | own)) {
            Err(HandlerError::NoneFree) => Handler::install(outside(self.taken)),
            other => other,
        }
    }
}
