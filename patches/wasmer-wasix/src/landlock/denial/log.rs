//! A bounded log of denials.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use virtual_fs::FileSystem;

use super::counts::Receivers;
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
    /// Set when the environment is built.
    receivers: OnceLock<Receivers>,
}

#[derive(Debug, Default)]
struct Listed {
    seen: HashMap<(Operation, PathBuf), Cause>,
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
        self.count(None);
        false
    }

    /// Tells these receivers from now on.
    pub(crate) fn tell_to(&self, receivers: Receivers) {
        // Another environment may share the root, and has its own.
        let _ = self.receivers.set(receivers);
    }

    /// The denial, with its cause if that is the policy from outside.
    pub(crate) fn attributed(&self, denial: Denial) -> Denial {
        match self.receivers.get() {
            Some(receivers) => receivers.attributed(denial),
            None => denial,
        }
    }

    fn count(&self, kind: Option<(Operation, Cause)>) {
        if let Some(receivers) = self.receivers.get() {
            receivers.count(kind);
        }
    }

    /// Notes what the root refused: one access, by one of these.
    pub(crate) fn note(&self, root: &WasiFsRoot, refusals: Vec<Refusal>) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let told = refusals
            .into_iter()
            .filter_map(|refusal| self.tell(root, refusal, None));
        // Each is told, and the access is counted once.
        let kinds: Vec<_> = told.collect();
        self.count(kinds.into_iter().flatten().next());
    }

    /// Notes what the WASI layer refused by itself.
    pub(crate) fn note_caused(
        &self,
        root: &WasiFsRoot,
        (refusal, cause): (Refusal, Option<Cause>),
    ) {
        if let Some(kind) = self.tell(root, refusal, cause) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.count(kind);
        }
    }

    /// Tells a denial, if it is new. Returns nothing for what is none, and its kind as far as that is known.
    fn tell(
        &self,
        root: &WasiFsRoot,
        refusal: Refusal,
        cause: Option<Cause>,
    ) -> Option<Option<(Operation, Cause)>> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (refusal.operation, refusal.guest.clone());
        if let Some(cause) = listed.seen.get(&key) {
            return Some(Some((key.0, *cause)));
        }
        if listed.seen.len() >= DENIALS_KEPT {
            return Some(cause.map(|cause| (key.0, cause)));
        }
        let too_long = key.1.as_os_str().len() > LONGEST_PATH;
        if too_long || self.examined.fetch_add(1, Ordering::Relaxed) >= EXAMINED {
            return Some(None);
        }
        let denial = self.attributed(examine(&root.host_backing(), refusal, cause)?);
        let kind = (denial.operation, denial.cause);
        listed.seen.insert(key, denial.cause);
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
        listed.denials.push(denial.clone());
        if listed.seen.len() == DENIALS_KEPT {
            tracing::warn!(target: "wasix_landlock", "further denials are only counted");
        }
        // A receiver may ask for the denials so far.
        drop(listed);
        if let Some(receivers) = self.receivers.get() {
            receivers.tell(&denial);
        }
        Some(Some(kind))
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
