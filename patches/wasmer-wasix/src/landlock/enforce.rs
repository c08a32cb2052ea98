//! The last step of `build()`: what was prepared is enforced, when nothing can fail any more.

use std::sync::Arc;

use wasix_landlock::{Prepared, Report};

use super::error::BuildError;
use super::learn::learning::Learning;
use super::observer::SharedObserver;

/// A receiver of the report.
#[derive(Clone)]
pub(crate) struct OnEnforced(Arc<dyn Fn(&Report) + Send + Sync>);

impl OnEnforced {
    pub(crate) fn new(tell: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, report: &Report) {
        (self.0)(report);
    }
}

impl std::fmt::Debug for OnEnforced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnEnforced").finish_non_exhaustive()
    }
}

/// A prepared policy, which the builder's environment has to enforce.
pub(crate) struct Pending {
    pub(crate) prepared: Prepared,
    pub(crate) on_enforced: Option<OnEnforced>,
    pub(crate) observation: Observation,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// Puts the process under what was prepared.
pub(crate) fn enforce(pending: Option<Pending>) -> Result<Arc<Report>, BuildError> {
    // Only a builder prepares. An environment that reaches this point without one would run unrestricted.
    let Some(Pending {
        prepared,
        on_enforced,
        observation,
    }) = pending
    else {
        return Err(BuildError::NotPrepared);
    };
    let report = prepared.enforce()?;
    if let Some(receiver) = on_enforced {
        receiver.tell(&report);
    }
    observation.begin();
    Ok(report)
}

/// The requests to a root's observer from when the environment is built: earlier calls aren't the module's.
pub(crate) struct Observation {
    pub(crate) observer: SharedObserver,
    pub(crate) learning: Option<Learning>,
    pub(crate) refuses_unsaved_writes: bool,
}

impl Observation {
    fn begin(self) {
        if let Some(learning) = self.learning {
            // Another environment may share the root, and learns already.
            let _ = self.observer.learning.set(learning);
        }
        if self.refuses_unsaved_writes {
            self.observer.unsaved.refuse();
        }
    }
}
