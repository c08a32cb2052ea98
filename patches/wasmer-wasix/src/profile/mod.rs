//! All that one module is given, in one place: files, arguments, environment, streams, limits, network, and the
//! groups of WASI functions that it may call.
//!
//! The data is that of the crate `wasix-landlock-profile`, which knows nothing of Wasmer and is exported here; this module
//! puts it into builders and runners, and counts what a module uses.
//!
//! A [`Profile`] is made by a program, or read from a TOML file ([`Profile::load`]); both are the same. It grants
//! nothing that it isn't told: no environment of the host's, no stream, no port, and of the functions of WASI only
//! the [groups](Group) that reach nothing outside. A program without a profile keeps what upstream gives.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use wasmer_wasix::profile::{Profile, Stream};
//! use wasmer_wasix::runners::wasi::WasiRunner;
//!
//! let profile = Profile::new()
//!     .arguments(["genrsa", "-out", "keys/key.pem", "2048"])
//!     .preopen(|p| p.path("keys/key.pem").write(true).create(true))?
//!     .stderr(Stream::Inherit)
//!     .limits(|l| l.wall_clock(Duration::from_secs(10)).descriptors(16));
//! let mut runner = WasiRunner::new();
//! runner.with_profile(&profile)?;
//! # Ok(())
//! # }
//! ```
//!
//! What is checked, and where:
//!
//! | | |
//! |---|---|
//! | preopens, ports, signals and abstract sockets of others, [enforcement](Protections) | by the kernel, for the whole process, and by the WASI layer |
//! | [streams](Streams), arguments, environment | by what is given to the module |
//! | [limits](Limits) | where the WASI layer gives out what is limited; memory and tables by the engine, instructions by the module's own code, both of which `wasix-landlock-engine` makes |
//! | [groups](Group) | where the module's imports are made |
//!
//! A limit that is reached ends the module with an exit code of its own ([`Limit`]), is a `tracing` event at level
//! `warn`, and is told by [`WasiEnvBuilder::on_limit`](crate::WasiEnvBuilder::on_limit) and
//! [`WasiEnv::limit_reached`](crate::WasiEnv::limit_reached). Native
//! code in the place of the runtime is held by what the kernel enforces, and by nothing else of this.
//!
//! Functions that the program itself offers to the module aren't WASI's: no group has them, and what they do is done
//! by the program. The kernel's restriction holds for them as for the rest of the process.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

mod apply;
mod compiled;
mod imports;
mod interrupts;
mod meter;
mod network;
mod running;
mod shares;
mod streams;
pub mod terminal;
mod unasked;
mod withhold;

pub use imports::{Import, ImportTable, imports};
pub use network::networking;
pub use streams::captured_file;
pub use wasix_landlock_profile::*;

pub(crate) use apply::Applied;
pub(crate) use meter::Meter;
pub(crate) use running::{Write, before_write, begin, share};
pub(crate) use withhold::{check, withhold};
