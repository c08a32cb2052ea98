//! Signals to threads, and their answers.

use std::{
    collections::HashMap,
    mem,
    time::{Duration, Instant},
};

use crate::{
    RestrictError, ThreadError,
    sys::{self, Handler, State, Table},
    tasks::{Life, Tasks},
};

/// The time for which to wait at first before looking whether threads have ended.
const FIRST_TICK: Duration = Duration::from_millis(1);
/// The time for which to wait at most.
const LAST_TICK: Duration = Duration::from_millis(20);

/// The number of threads whose state is looked up even while threads answer.
const FEW: u32 = 16;

/// The time for which a sleeping thread has to block a signal until it counts as unreachable. The C library
/// blocks every signal for a moment while it starts or ends a thread.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// Has threads run the handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visitor<'a> {
    pub(crate) tasks: &'a Tasks,
    pub(crate) handler: &'a Handler,
}

impl Visitor<'_> {
    /// Signals the threads of a table and waits until each has answered or ended. Gives up on a
    /// thread that can't take the signal, and on all of them at the deadline.
    pub(crate) fn visit(self, table: &Table, until: Instant) {
        let since = Instant::now();
        let mut unsent: Vec<i32> = table.states().map(|(tid, _)| tid).collect();
        let mut tick = FIRST_TICK;
        let mut remaining = table.remaining();
        let mut started: HashMap<i32, Option<u64>> = HashMap::new();
        loop {
            // A queue of real-time signals that is full (EAGAIN) has room again after a while.
            unsent.retain(|tid| match sys::send(*tid, self.handler) {
                Ok(()) => false,
                // Two answers that agree: the number reaches nobody, and is listed no more.
                Err(libc::ESRCH) if !self.tasks.is_listed(*tid) => {
                    table.give_up(*tid, sys::GONE);
                    false
                }
                Err(_) => true,
            });
            if table.is_complete() {
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                table.abandon();
                return;
            }
            table.wait(left.min(tick));
            // As long as threads answer, most of the others only wait for a processor, and reading about
            // them in `/proc` would take that time from them.
            let before = mem::replace(&mut remaining, table.remaining());
            if remaining < before && remaining > FEW {
                continue;
            }
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
                    table.give_up(tid, sys::GONE);
                } else if self.is_out_of_reach(tid, since) {
                    table.give_up(tid, sys::ABANDONED);
                }
            }
        }
    }

    /// True if a thread that was signalled a while ago can't take the signal.
    fn is_out_of_reach(self, tid: i32, since: Instant) -> bool {
        self.tasks.is_kernel_worker(tid) || (since.elapsed() >= PATIENCE && self.blocks(tid))
    }

    /// True if a thread blocks the signal, and isn't at work on something that may end.
    pub(crate) fn blocks(self, tid: i32) -> bool {
        let description = self.tasks.describe(tid);
        let signal = sys::bit(self.handler.signal());
        description.state != 'R' && description.blocked.is_some_and(|mask| mask & signal != 0)
    }

    /// The problem of a thread that didn't answer.
    pub(crate) fn not_reached(
        self,
        tid: i32,
        name: Option<String>,
        deadline: Duration,
    ) -> RestrictError {
        let description = self.tasks.describe(tid);
        let reason = if self.blocks(tid) {
            "the thread blocks the signal; unblock the real-time signals in it, or build before \
             it starts"
        } else {
            "the thread did not run; build before it starts, or set a longer deadline"
        };
        let problem = ThreadError::NotReached {
            name: description.name.or(name).unwrap_or_else(|| "?".to_owned()),
            state: description.state,
            reason,
            deadline,
        };
        RestrictError::of_thread(tid, problem)
    }
}
