//! The instructions that go from one thread of a module to another.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use crate::os::task::thread::WasiThreadId;

/// The instructions that threads get when they start, and give back when they end.
#[derive(Debug, Default)]
pub(super) struct Shares {
    given: Mutex<HashMap<u32, u64>>,
    pub(super) back: AtomicU64,
}

impl Shares {
    pub(super) fn give(&self, thread: WasiThreadId, instructions: u64) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.insert(thread.raw(), instructions);
    }

    pub(super) fn take(&self, thread: WasiThreadId) -> u64 {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.remove(&thread.raw()).unwrap_or(0)
    }
}
