//! The last step of `build()`: what was prepared is enforced, when nothing can fail any more.

use std::sync::Arc;

use wasix_landlock::{Prepared, Report};

use super::denial::counts::Receivers;
use super::error::BuildError;
#[cfg(feature = "sys-thread")]
use super::instance::own_threads::OwnThreads;
use super::learn::learning::Learning;
use super::observer::SharedObserver;
use super::settings::OnEnforced;
use crate::Runtime;
use crate::profile::Meter;

/// A prepared policy, which the builder's environment has to enforce.
pub(crate) struct Pending {
    pub(crate) prepared: Prepared,
    /// The threads to restrict in the place of the process's.
    #[cfg(feature = "sys-thread")]
    pub(crate) own_threads: Option<OwnThreads>,
    pub(crate) on_enforced: Option<OnEnforced>,
    pub(crate) observation: Observation,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl Pending {
    /// Returns the runtime of the environment.
    pub(crate) fn runtime(
        &self,
        runtime: Arc<dyn Runtime + Send + Sync>,
    ) -> Arc<dyn Runtime + Send + Sync> {
        #[cfg(feature = "sys-thread")]
        if let Some(own) = &self.own_threads {
            return own.around(runtime, self.prepared.report());
        }
        runtime
    }
}

/// Puts the process under what was prepared, or threads of the environment's own.
pub(crate) fn enforce(
    pending: Option<Pending>,
    #[cfg_attr(not(feature = "sys-thread"), allow(unused_variables))] meter: &Meter,
) -> Result<Arc<Report>, BuildError> {
    // Only a builder prepares. An environment that reaches this point without one would run unrestricted.
    let Some(Pending {
        prepared,
        #[cfg(feature = "sys-thread")]
        own_threads,
        on_enforced,
        observation,
    }) = pending
    else {
        return Err(BuildError::NotPrepared);
    };
    #[cfg(feature = "sys-thread")]
    let report = match own_threads {
        Some(own) => own.begin(prepared, meter)?,
        None => prepared.enforce()?,
    };
    #[cfg(not(feature = "sys-thread"))]
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
    pub(crate) receivers: Receivers,
}

impl Observation {
    fn begin(self) {
        self.observer.denials.tell_to(self.receivers);
        if let Some(learning) = self.learning {
            // Another environment may share the root, and learns already.
            let _ = self.observer.learning.set(learning);
        }
        if self.refuses_unsaved_writes {
            self.observer.unsaved.refuse();
        }
    }
}
