//! The program's settings for enforcement: a policy, its preopens, and what the environment does besides.

use std::sync::Arc;

use virtual_fs::FileSystem;
use wasix_landlock::{Mode, Policy, SCOPE_VARIABLE, Scope};
use wasix_landlock_profile::{HostPreopen, HostPreopenBuilder, PreopenError};

use super::denial::counts::Receivers;
use super::enforce::{Observation, OnEnforced, Pending};
use super::error::BuildError;
#[cfg(feature = "sys-thread")]
use super::instance::own_threads::OwnThreads;
use super::learn::learning::Learning;
use super::learn::seen::GrantedPreopen;
use super::record::recorded::Recorded;
use super::record::recorder::Recorder;
use super::record::{mounts, runtime_paths};
use super::stopped::{Slot, Stopped};
use crate::WasiStateCreationError;
use crate::profile::Applied;
use crate::state::PreopenedDir;

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

    /// Returns the scope that the operator asks for, if the environment can have it.
    fn operator_scope(&self, policy: &Policy) -> Result<Scope, BuildError> {
        let scope = policy.operator_scope()?;
        let call = self.callers_thread.or_else(|| {
            // Nothing else starts threads.
            (!cfg!(feature = "sys-thread")).then_some("build")
        });
        match call {
            Some(call) if scope == Scope::Instance && !self.only_show => {
                Err(BuildError::CallersThread { call })
            }
            _ => Ok(scope),
        }
    }

    /// The preopens that the module sees, with their rights.
    pub(crate) fn all_preopens(&self, recorded: &Recorded<'_>) -> Vec<PreopenedDir> {
        let mut all = recorded.all_preopens(&self.host_preopens);
        let backings = recorded.root.host_backing();
        for preopen in all.iter_mut().take(recorded.preopens.len()) {
            self.narrow_preopen(preopen, &backings);
        }
        all
    }

    /// Makes the ruleset, and the files that are to be created, and mounts the host preopens.
    pub(crate) fn prepare(
        &mut self,
        recorded: &Recorded<'_>,
    ) -> Result<Pending, WasiStateCreationError> {
        self.prepare_or_stop(recorded)
            .map_err(|stopped| self.stopped.leave(stopped))
    }

    fn prepare_or_stop(&mut self, recorded: &Recorded<'_>) -> Result<Pending, Stopped> {
        self.narrow_from_outside(Some(recorded))?;
        let mut recorder = Recorder::default();
        // Before the host preopens are mounted: these are recorded by themselves.
        let backings = recorded.root.host_backing();
        #[cfg(feature = "sys-thread")]
        super::instance::tasks::check_own(recorded.runtime, &backings)?;
        for preopen in recorded.preopens {
            recorder.preopened_dir(preopen, &backings);
        }
        for name in recorded.vfs_preopens {
            recorder.vfs_preopen(name, &backings);
        }
        for preopen in &self.host_preopens {
            recorded.check_reachable(preopen)?;
            recorder.host_preopen(preopen);
        }
        let policy = self.policy(Scope::Process, |policy| {
            runtime_paths::grant(policy, recorded.runtime, recorded.capabilities)
        });
        let scope = self.operator_scope(&policy)?;
        let mut policy = policy.scope(scope).preopens(recorder.into_preopens());
        if scope == Scope::Instance {
            policy = policy.warning(format!(
                "{SCOPE_VARIABLE}=instance: the WASI layer is restricted to these grants, native code in the process is not"
            ));
        }
        if self.only_show {
            let report = policy.show()?;
            self.check_outside(&report)?;
            mounts::mount_all(recorded, &self.host_preopens)?;
            return Err(Stopped::Shown(Box::new(report)));
        }
        let prepared = policy.prepare()?;
        self.check_outside(prepared.report())?;
        mounts::mount_all(recorded, &self.host_preopens)?;
        Ok(Pending {
            prepared,
            #[cfg(feature = "sys-thread")]
            own_threads: (scope == Scope::Instance).then(OwnThreads::default),
            on_enforced: self.on_enforced.clone(),
            observation: Observation {
                observer: Arc::clone(&recorded.root.observer),
                learning: self.learning.clone().inspect(|learning| {
                    let preopens = self.host_preopens.iter();
                    let preopens = preopens.map(|p| GrantedPreopen::of(p, recorded.current_dir));
                    learning.watch(recorded.root, preopens);
                }),
                refuses_unsaved_writes: self.refuses_unsaved_writes,
                receivers: Receivers {
                    outside: self.applied.outside.clone(),
                    ..self.receivers.clone()
                },
            },
        })
    }
}

fn preopen_error(error: PreopenError) -> WasiStateCreationError {
    WasiStateCreationError::PreopenedDirectoryError(error.to_string())
}
