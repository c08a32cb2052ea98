//! A bounded log of denials.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use virtual_fs::{FileSystem, HostBacking};

use super::denials::{Cause, DENIALS_KEPT, Denial, Denials, Operation};
use super::learning::Learning;
use super::refusals::{Refusal, absolute_path, examine, innermost};
use super::unsaved::UnsavedFiles;
use crate::fs::WasiFsRoot;

/// The number of denials that are looked into. Most are logged then; the rest turns out to be none.
const EXAMINED: u64 = 4096;
/// A longer path isn't kept, in bytes: no host has one (PATH_MAX).
const LONGEST_PATH: usize = 4096;

/// One environment's denials.
#[derive(Debug, Default)]
pub(crate) struct KeptDenials {
    kept: Mutex<Kept>,
    /// Accesses that were refused.
    refused: AtomicU64,
    examined: AtomicU64,
    /// The host paths behind the tree when they were first asked for.
    backings: OnceLock<Vec<HostBacking>>,
    /// The observer of successful calls.
    pub(super) learning: OnceLock<Learning>,
    /// The files that are written where nothing is preopened.
    pub(super) unsaved: UnsavedFiles,
}

/// The denials of a root and of all its clones.
pub(crate) type SharedDenials = Arc<KeptDenials>;

#[derive(Debug, Default)]
struct Kept {
    seen: HashSet<(Operation, PathBuf)>,
    denials: Vec<Denial>,
}

impl KeptDenials {
    /// True if finding out more is worth the cost. What a module repeats must cost the host no more than this.
    pub(super) fn may_examine(&self) -> bool {
        if self.examined.load(Ordering::Relaxed) < EXAMINED {
            return true;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// True if something of the host stands behind a path.
    pub(super) fn covers(&self, root: &WasiFsRoot, guest: &Path) -> bool {
        if self.covered_first(root, guest) {
            return true;
        }
        // What is mounted later isn't among them.
        self.examined.fetch_add(1, Ordering::Relaxed);
        innermost(&root.host_backing(), guest).is_some()
    }

    /// Notes a file of the virtual tree that was opened to be written, if it is in memory only.
    pub(super) fn note_written(&self, root: &WasiFsRoot, guest: &Path) {
        if !self.covered_first(root, guest) {
            self.unsaved.note(root, guest);
        }
    }

    /// True if something of the host stood behind a path when that was first asked for.
    fn covered_first(&self, root: &WasiFsRoot, guest: &Path) -> bool {
        let backings = self.backings.get_or_init(|| root.host_backing());
        innermost(backings, guest).is_some()
    }

    /// Returns the host path to which a path that leads out of the directory `base` would lead.
    pub(super) fn outside(&self, base: &Path, path: &str) -> Option<PathBuf> {
        let backings = self.backings.get()?;
        let base = innermost(backings, base)?.below(base)?.host;
        Some(absolute_path(&base, path))
    }

    /// Notes what the root refused.
    pub(super) fn note(&self, root: &WasiFsRoot, refusals: Vec<Refusal>) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        for refusal in refusals {
            self.tell(root, refusal, None);
        }
    }

    /// Notes what the WASI layer refused by itself.
    pub(super) fn note_caused(
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
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (refusal.operation, refusal.guest.clone());
        if kept.seen.contains(&key) || kept.seen.len() >= DENIALS_KEPT {
            return true;
        }
        let too_long = key.1.as_os_str().len() > LONGEST_PATH;
        if too_long || self.examined.fetch_add(1, Ordering::Relaxed) >= EXAMINED {
            return true;
        }
        let Some(denial) = examine(&root.host_backing(), refusal, cause) else {
            return false;
        };
        kept.seen.insert(key);
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
        kept.denials.push(denial);
        if kept.seen.len() == DENIALS_KEPT {
            tracing::warn!(target: "wasix_landlock", "further denials are only counted");
        }
        true
    }

    pub(super) fn so_far(&self) -> Denials {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = self.refused.load(Ordering::Relaxed);
        Denials::new(kept.denials.clone(), refused)
    }
}

/// At the end it is said how much wasn't told.
impl Drop for KeptDenials {
    fn drop(&mut self) {
        let refused = *self.refused.get_mut();
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        let told = kept.denials.len() as u64;
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
