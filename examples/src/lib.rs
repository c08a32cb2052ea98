//! The examples' shared parts.
#![forbid(unsafe_code)]

mod flag;
mod given;
mod learn;

use std::sync::Arc;
use std::time::Duration;

pub use flag::{flag, learned};
pub use given::{Given, Leads};
pub use learn::Instead;

use wasmer::Engine;
use wasmer_wasix::profile::{self, Limit, Network, Profile};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::{PluggableRuntime, Runtime};

/// The time in which a module that has reached its deadline may end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Ends the whole process some time after the module's time is over: a module that computes and calls nothing can't
/// be ended otherwise. The clock of the module starts when it is built, this one now.
///
/// # Errors
/// If no thread can be started.
pub fn watch(profile: &Profile) -> std::io::Result<()> {
    let Some(milliseconds) = profile.limits.wall_clock_ms else {
        return Ok(());
    };
    let time = Duration::from_millis(milliseconds).saturating_add(GRACE);
    std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            std::thread::sleep(time);
            std::process::exit(Limit::WallClock.exit_code().unwrap_or(1));
        })
        .map(drop)
}

/// A runtime without network: nothing is resolved or connected to, so nothing is granted for it.
pub fn offline_runtime(
    engine: &Engine,
    tokio: tokio::runtime::Handle,
) -> Arc<dyn Runtime + Send + Sync> {
    runtime_for(&Network::none(), engine, tokio)
}

/// A runtime with these ports.
pub fn runtime_for(
    network: &Network,
    engine: &Engine,
    tokio: tokio::runtime::Handle,
) -> Arc<dyn Runtime + Send + Sync> {
    let mut runtime = PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio)));
    runtime.set_engine(engine.clone());
    runtime.networking = profile::networking(network);
    Arc::new(runtime)
}
