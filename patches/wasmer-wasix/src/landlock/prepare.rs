//! From the settings and what upstream's builder has recorded to a prepared policy.

use std::sync::Arc;

use virtual_fs::FileSystem;
use wasix_landlock::{Policy, SCOPE_VARIABLE, Scope};

use super::denial::counts::Receivers;
use super::enforce::{Observation, Pending};
use super::error::BuildError;
#[cfg(feature = "sys-thread")]
use super::instance::own_threads::OwnThreads;
use super::learn::seen::GrantedPreopen;
use super::record::recorded::Recorded;
use super::record::recorder::Recorder;
use super::record::{mounts, runtime_paths};
use super::settings::Settings;
use super::stopped::Stopped;
use crate::WasiStateCreationError;
use crate::state::PreopenedDir;

impl Settings {
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
