//! The shim with a planted fault in the WASI layer, for the tests: see the forks' feature `landlock-kernel-alone`.
#![deny(missing_docs)]

mod artifact;
mod container;
mod executor;
mod grants;
mod module;
mod program;
mod settings;
mod socket;
mod streams;

use containerd_shimkit::sandbox::cli::{Version, shim_main};

/// The name of the runtime, in containerd's directories and in the logs.
const NAME: &str = "wasixkernelalone";

fn main() {
    socket::remove_at_exit();
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        revision: "checks nothing in the WASI layer",
    };
    shim_main::<container::Container>(NAME, version, None);
}
