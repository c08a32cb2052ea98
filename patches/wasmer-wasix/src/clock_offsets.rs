//! The offsets of the clocks that a module has set.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmer_wasix_types::wasi::Snapshot0Clockid;

/// Offsets in nanoseconds from the host's clocks. Almost no module sets a clock, and as long as none is set, reading one
/// takes no lock.
#[derive(Debug, Default)]
pub(crate) struct ClockOffsets {
    /// True once a clock was set.
    any: AtomicBool,
    by_clock: Mutex<HashMap<Snapshot0Clockid, i64>>,
}

impl ClockOffsets {
    /// The module's time, in nanoseconds, when the host's is `host`.
    pub(crate) fn applied_to(&self, clock: Snapshot0Clockid, host: i64) -> i64 {
        if !self.any.load(Ordering::Acquire) {
            return host;
        }
        let offset = self.lock().get(&clock).copied();
        host.wrapping_add(offset.unwrap_or(0))
    }

    /// Sets a clock to the time `module`, when the host's is `host`.
    pub(crate) fn set(&self, clock: Snapshot0Clockid, module: i64, host: i64) {
        self.lock().insert(clock, module.wrapping_sub(host));
        self.any.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Snapshot0Clockid, i64>> {
        self.by_clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for ClockOffsets {
    fn clone(&self) -> Self {
        let by_clock = self.lock().clone();
        Self {
            any: AtomicBool::new(!by_clock.is_empty()),
            by_clock: Mutex::new(by_clock),
        }
    }
}
