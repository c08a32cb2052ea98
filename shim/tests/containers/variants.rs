//! Other builds of the shim, to compare with.

use std::{path::Path, process::Command};

/// Compiles the shim with a faulty WASI layer. `target` is the directory that the shim under test was compiled in.
pub(crate) fn build_kernel_alone(target: &Path) -> Result<(), String> {
    let arguments = [
        "--features=kernel-alone",
        "--bin=containerd-shim-wasixkernelalone-v1",
    ];
    build("Cargo.toml", target, &arguments)
}

/// Compiles the shim on Wasmer as published.
pub(crate) fn build_unpatched(target: &Path) -> Result<(), String> {
    build("unpatched/Cargo.toml", target, &[])
}

fn build(manifest: &str, target: &Path, arguments: &[&str]) -> Result<(), String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest);
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(target)
        .args(arguments)
        // The forks take the feature only with this beside it.
        .env(
            "WASIX_LANDLOCK_TEST_KERNEL_ALONE",
            "the WASI layer checks nothing",
        )
        .status()
        .map_err(|error| format!("cargo can't be started: {error}"))?;
    match built.success() {
        true => Ok(()),
        false => Err(format!("{} can't be compiled", manifest.display())),
    }
}
