//! A module's profile: the files, ports, limits, functions and streams that one WASI module gets.
//!
//! A [`Profile`] is data. A program makes one, or reads one from a TOML file ([`Profile::load`]); both are the same.
//! The crate depends on no runtime: `wasmer_wasix::profile` puts a profile into a builder or a runner,
//! `wasix_landlock_worker::Request` sends one to another process.
//!
//! ```
//! use std::time::Duration;
//! use wasix_landlock_profile::{Network, Profile, Stream};
//!
//! let profile = Profile::new()
//!     .arguments(["fetch", "--into", "data"])
//!     .preopen(|p| p.directory("/srv/data").alias("data").read(true).create(true))?
//!     .network(Network::none().connect(443))
//!     .stderr(Stream::Inherit)
//!     .limits(|l| l.wall_clock(Duration::from_secs(10)).descriptors(16));
//! profile.check()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A profile grants nothing that it isn't told: no variable of the host's, no stream, no port, and of WASI's functions
//! only the [groups](Group) that reach nothing outside.
//!
//! The vocabulary has one type for each notion, here or in the crate `wasix-landlock`:
//!
//! | notion | type |
//! |---|---|
//! | a grant of a host file or directory | [`HostPreopen`], with [`HostKind`] and [`Access`] |
//! | ports | [`Network`] |
//! | a limit | [`Limit`] names it, [`Limits`] has the values |
//! | a group of WASI's functions | [`Group`] names it, [`Groups`] has the switches |
//! | a protection of the process | [`Protection`] names it, [`Protections`] has the levels |
//! | a stream | [`Stream`], and [`Streams`] for the three of a module |
//! | writes where nothing is preopened | [`UnsavedWrites`] |
//! | a compiler of modules | [`Compiler`] |
//! | the most that a program may grant | [`Ceiling`] |
//! | what one profile allows and another doesn't | [`Difference`] |
//!
//! `schema.json` in this crate's folder is the JSON schema of a profile's file, as [`schema()`] returns it;
//! `ceiling.schema.json` is that of a ceiling's ([`ceiling_schema`]).
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod ceiling;
mod check;
mod compiler;
mod difference;
mod environment;
mod error;
mod files;
mod functions;
mod groups;
pub mod landlockconfig;
mod limits;
mod preopen;
mod profile;
mod schema;
mod streams;
mod unsaved;

pub use ceiling::{Ceiling, Narrowed, Part};
pub use compiler::{Compiler, CompilerError};
pub use difference::{Beyond, Difference, LevelBeyond, LimitBeyond, PathBeyond, PortBeyond, diff};
pub use error::{FileError, PreopenError, ProfileError};
pub use functions::WASI_NAMESPACES;
pub use groups::{Group, Groups, functions};
pub use limits::{Limit, Limits};
pub use preopen::{HostPreopen, HostPreopenBuilder};
pub use profile::Profile;
pub use schema::{ceiling_schema, denial_schema, schema};
pub use streams::{Captured, Stream, Streams};
pub use unsaved::UnsavedWrites;
pub use wasix_landlock::{
    Access, HostKind, Level, Network, Protection, Protections, resolve_existing,
};
