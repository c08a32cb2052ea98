//! A shim for containerd that runs WASI modules, with the container's mounts as kernel rules.
//!
//! containerd starts `containerd-shim-wasixlandlock-v1` for the runtime `io.containerd.wasixlandlock.v1`. The crate
//! `containerd-shimkit` talks to containerd, and the crate `libcontainer` makes the container: namespaces, cgroup,
//! mounts, user, capabilities and seccomp filter. The module is a file of the container, or comes from containerd
//! ([`artifact`]). The container's first process then turns the mounts into preopens ([`grants`]), restricts itself, and
//! compiles and runs the module ([`module`]).
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
const NAME: &str = "wasixlandlock";

fn main() {
    socket::remove_at_exit();
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        revision: wasmer_wasix::landlock::FORK,
    };
    shim_main::<container::Container>(NAME, version, None);
}
