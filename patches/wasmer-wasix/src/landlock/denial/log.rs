//! A bounded log of denials.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use virtual_fs::FileSystem;

use super::denials::{Cause, DENIALS_KEPT, Denial, Denials};
use super::examine::{Refusal, examine};
use crate::fs::WasiFsRoot;
use crate::landlock::operation::Operation;

/// The number of denials that are looked into. Most are logged then; the rest turns out to be none.
const EXAMINED: u64 = 4096;
/// A longer path isn't kept, in bytes: no host has one (PATH_MAX).
const LONGEST_PATH: usize = 4096;

/// One environment's denials.
#[derive(Debug, Default)]
pub(crate) struct DenialLog {
    listed: Mutex<Listed>,
    /// Accesses that were refused.
    refused: AtomicU64,
    examined: AtomicU64,
}

#[derive(Debug, Default)]
struct Listed {
    seen: HashSet<(Operation, PathBuf)>,
    denials: Vec<Denial>,
}

impl DenialLog {
    /// Counts what is looked into outside of a denial.
    pub(crate) fn count_examined(&self) {
        self.examined.fetch_add(1, Ordering::Relaxed);
    }

    /// True if finding out more is worth the cost. What a module repeats must cost the host no more than this.
    pub(crate) fn may_examine(&self) -> bool {
        if self.examined.load(Ordering::Relaxed) < EXAMINED {
            return true;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Notes what the root refused.
    pub(crate) fn note(&self, root: &WasiFsRoot, refusals: Vec<Refusal>) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        for refusal in refusals {
            self.tell(root, refusal, None);
        }
    }

    /// Notes what the WASI layer refused by itself.
    pub(crate) fn note_caused(
        &self,
        root: &WasiFsRoot,
        (refusal, cause): (Refusal, Option<Cause>),
    ) {
        if self.tell(root, refusal, cause) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells it, if it is new and one. Whether it is one.
    fn tell(&self, root: &WasiFsRoot, refusal: Refusal, cause: Option<Cause>) -> bool {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (refusal.operation, refusal.guest.clone());
        if listed.seen.contains(&key) || listed.seen.len() >= DENIALS_KEPT {
            return true;
        }
        let too_long = key.1.as_os_str().len() > LONGEST_PATH;
        if too_long || self.examined.fetch_add(1, Ordering::Relaxed) >= EXAMINED {
            return true;
        }
        let Some(denial) = examine(&root.host_backing(), refusal, cause) else {
            return false;
        };
        listed.seen.insert(key);
        // Programs look in many places where it doesn't matter that there is nothing.
        if denial.operation == Operation::Look {
            tracing::info!(target: "wasix_landlock", "denied: {denial}");
        } else {
            tracing::warn!(
                target: "wasix_landlock",
                operation = %denial.operation,
                guest = ?denial.guest,
                host = ?denial.explanation.path,
                remedy = denial.remedy(),
                "denied: {denial}"
            );
        }
        listed.denials.push(denial);
        if listed.seen.len() == DENIALS_KEPT {
            tracing::warn!(target: "wasix_landlock", "further denials are only counted");
        }
        true
    }

    pub(crate) fn so_far(&self) -> Denials {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = self.refused.load(Ordering::Relaxed);
        Denials::new(listed.denials.clone(), refused)
    }
}

/// At the end it is said how much wasn't told.
impl Drop for DenialLog {
    fn drop(&mut self) {
        let refused = *self.refused.get_mut();
        let listed = self
            .listed
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let told = listed.denials.len() as u64;
        if refused > told {
            tracing::warn!(
                target: "wasix_landlock",
                refused,
                told,
                "{refused} accesses were refused, of which {told} were told: the others repeat them or came after"
            );
        }
    }
}
