//! Wasmer's runner and runtime for a profile.

use std::sync::Arc;
use std::time::Duration;

use wasix_landlock_profile::{HostKind, Limit, Limits, Network, Profile};
use wasmer::Engine;
use wasmer_wasix::runners::wasi::WasiRunner;
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::virtual_fs::{
    DeviceFile, NullFile, TmpFileSystem, VirtualFile, ZeroFile, random_file::RandomFile,
};
use wasmer_wasix::{PluggableRuntime, Runtime, profile};

/// The time in which a module that has reached its deadline may end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Returns a runner with all that a profile gives.
///
/// # Errors
/// A profile that can't be applied.
pub fn runner(profile: &Profile) -> anyhow::Result<WasiRunner> {
    let mut runner = WasiRunner::new();
    runner.with_profile(profile)?;
    if hides_devices(profile) {
        runner.with_mount("/dev".to_owned(), Arc::new(devices()?));
    }
    Ok(runner)
}

/// True if the current directory, which shows at the root, would hide the devices. One with a `dev` of its own shows
/// that.
fn hides_devices(profile: &Profile) -> bool {
    let mut preopens = profile.preopens.iter();
    preopens.any(|preopen| {
        let is_current = |name: &str| matches!(name, "." | "./");
        preopen.kind == HostKind::Directory
            && preopen.guest_name().is_ok_and(is_current)
            && preopen.host.join("dev").symlink_metadata().is_err()
    })
}

/// The devices that a module finds in `/dev`.
fn devices() -> anyhow::Result<TmpFileSystem> {
    let devices = TmpFileSystem::new();
    let files: [(&str, Box<dyn VirtualFile + Send + Sync>); 6] = [
        ("/null", Box::<NullFile>::default()),
        ("/zero", Box::<ZeroFile>::default()),
        ("/urandom", Box::<RandomFile>::default()),
        ("/stdin", Box::new(DeviceFile::new(DeviceFile::STDIN))),
        ("/stdout", Box::new(DeviceFile::new(DeviceFile::STDOUT))),
        ("/stderr", Box::new(DeviceFile::new(DeviceFile::STDERR))),
    ];
    for (path, file) in files {
        devices
            .new_open_options_ext()
            .insert_device_file(path.into(), file)?;
    }
    Ok(devices)
}

/// Returns a runtime with these ports.
pub fn runtime(
    network: &Network,
    engine: &Engine,
    tokio: tokio::runtime::Handle,
) -> Arc<dyn Runtime + Send + Sync> {
    let mut runtime = PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio)));
    runtime.set_engine(engine.clone());
    runtime.networking = profile::networking(network);
    Arc::new(runtime)
}

/// Ends the whole process some time after the module's time is over: a module that computes and calls nothing can't
/// be ended otherwise. The clock of the module starts when it is built, this one now.
///
/// # Errors
/// If no thread can be started.
pub fn watch(limits: &Limits) -> std::io::Result<()> {
    let Some(milliseconds) = limits.wall_clock_ms else {
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
