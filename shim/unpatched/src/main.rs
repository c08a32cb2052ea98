//! The shim on Wasmer as published, for comparisons: the same code but for [`module`], the same mounts as preopens, no
//! kernel rules.
#![deny(missing_docs)]

#[path = "../../src/artifact.rs"]
mod artifact;
#[path = "../../src/container.rs"]
mod container;
#[path = "../../src/executor.rs"]
mod executor;
#[path = "../../src/grants.rs"]
mod grants;
mod module;
#[path = "../../src/program.rs"]
mod program;
// What the kernel enforces is read, and not used.
#[allow(dead_code)]
#[path = "../../src/settings.rs"]
mod settings;
#[path = "../../src/socket.rs"]
mod socket;
#[path = "../../src/streams.rs"]
mod streams;

use containerd_shimkit::sandbox::cli::{Version, shim_main};

/// The name of the runtime, in containerd's directories and in the logs.
const NAME: &str = "wasixunpatched";

fn main() {
    socket::remove_at_exit();
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        revision: "Wasmer as published",
    };
    shim_main::<container::Container>(NAME, version, None);
}
