//! The program's settings for enforcement: a policy, its preopens, and what the environment does besides.

use std::sync::Arc;

use wasix_landlock::{Mode, Policy, Report, Scope};
use wasix_landlock_profile::{HostPreopen, HostPreopenBuilder, PreopenError};

use super::denial::counts::Receivers;
use super::learn::learning::Learning;
use super::stopped::Slot;
use crate::WasiStateCreationError;
use crate::profile::Applied;

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

/// All that a builder or a runner keeps for enforcement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) host_preopens: Vec<HostPreopen>,
    /// All but the preopens, and the paths that the runtime needs by itself.
    pub(super) policy: Policy,
    /// True if the runtime may not read by itself what it needs later.
    pub(super) without_default_paths: bool,
    pub(super) on_enforced: Option<OnEnforced>,
    pub(super) learning: Option<Learning>,
    /// True if nothing is restricted while it is learned.
    pub(super) learns_unenforced: bool,
    /// The profile that was put into it last, and the receiver of the limit that is reached.
    pub(crate) applied: Applied,
    /// True if the module may not write where nothing is preopened.
    pub(crate) refuses_unsaved_writes: bool,
    /// The call of the builder, if it leaves it to its caller to run the module.
    pub(super) callers_thread: Option<&'static str>,
    /// The receivers of denials.
    pub(super) receivers: Receivers,
    /// True if it is only shown what would be enforced.
    pub(super) only_show: bool,
    /// The place of the reason if the preparation is stopped.
    pub(super) stopped: Slot,
}

impl Settings {
    pub(crate) fn add_preopen(
        &mut self,
        describe: impl FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder,
    ) -> Result<(), WasiStateCreationError> {
        let mut builder = HostPreopenBuilder::default();
        let preopen = describe(&mut builder).build().map_err(preopen_error)?;
        self.host_preopens.push(preopen);
        Ok(())
    }

    /// Adds what was checked.
    pub(crate) fn add_preopens(&mut self, preopens: &[HostPreopen]) {
        self.host_preopens.extend_from_slice(preopens);
    }

    pub(crate) fn configure(&mut self, configure: impl FnOnce(Policy) -> Policy) {
        self.policy = configure(std::mem::take(&mut self.policy));
    }

    /// A policy for this scope with all but the preopens; `with_own` grants the paths that the runtime needs by itself.
    pub(super) fn policy(&self, scope: Scope, with_own: impl FnOnce(Policy) -> Policy) -> Policy {
        let mut policy = self.policy.clone().scope(scope);
        if self.learns_unenforced {
            policy = policy
                .mode(Mode::Off)
                .warning("what the module uses is learned: nothing is restricted");
        }
        if let Some(warning) = self.applied.warning() {
            policy = policy.warning(warning);
        }
        if cfg!(landlock_kernel_alone) {
            policy = policy.warning(
                "built with `landlock-kernel-alone`, which is for tests: the WASI layer checks nothing",
            );
        }
        if self.without_default_paths {
            policy
        } else {
            with_own(policy)
        }
    }
}

fn preopen_error(error: PreopenError) -> WasiStateCreationError {
    WasiStateCreationError::PreopenedDirectoryError(error.to_string())
}
