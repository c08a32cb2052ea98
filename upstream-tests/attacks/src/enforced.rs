//! The fork's side of a worker. The variant with the kernel alone compiles this file too.

use std::fs::File;
use std::io::ErrorKind;

use anyhow::ensure;
use wasix_landlock_attacks::worker::{Fork, Grant, NOT_ENFORCED, Request};
use wasmer_wasix::WasiEnvBuilder;

/// The fork's own parts of the program.
pub const FORK: Fork = Fork {
    preopen: Some(preopen),
    insist,
};

fn preopen(mut builder: WasiEnvBuilder, grants: &[Grant]) -> anyhow::Result<WasiEnvBuilder> {
    for grant in grants {
        builder.add_preopen(|p| {
            p.directory(&grant.host)
                .alias(&grant.guest)
                .read(grant.read)
                .write(grant.write)
                .create(grant.create)
        })?;
    }
    Ok(builder)
}

/// A case that enforcement would have stopped must not pass for want of it, nor the other way round.
fn insist(builder: WasiEnvBuilder, request: &Request) -> anyhow::Result<WasiEnvBuilder> {
    let forbidden = request.forbidden.clone();
    let there = File::open(&forbidden).is_ok();
    // Some cases move it.
    ensure!(
        there || !forbidden.exists(),
        "it can't be read, so its refusal shows nothing"
    );
    let enforced = request.enforced;
    Ok(builder.on_enforced(move |report| {
        let refused =
            File::open(&forbidden).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        if report.enforced != enforced || (there && refused != enforced) {
            eprintln!("something else is enforced than was asked: {report}");
            std::process::exit(NOT_ENFORCED);
        }
        // A build that checks nothing must say so, and only such a one.
        let says = |warning: &String| warning.contains("landlock-kernel-alone");
        if report.warnings.iter().any(says) != cfg!(feature = "kernel-alone") {
            eprintln!("the report is wrong about the build: {report}");
            std::process::exit(NOT_ENFORCED);
        }
    }))
}
