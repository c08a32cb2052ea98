//! Runs each WASI module in a process of its own: a *worker*.
//!
//! A host names what a module may use and has a worker started for it. The worker restricts itself before it
//! looks at the module, and compiles, links and runs it under that restriction. Native code that a module has
//! smuggled in has the worker's memory and nothing else: no other tenant's, and no thread that is free. A crash,
//! a hang or a lack of memory ends that worker, and the host is told.
//!
//! ```no_run
//! use std::time::Duration;
//! use wasix_landlock_worker::{Access, End, Launcher, Request, Streams};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let launcher = Launcher::new("/usr/libexec/wasix-landlock-worker");
//! let request = Request::module_file("tenant-a.wasm")
//!     .directory("/srv/a", "/data", Access::READ_WRITE)
//!     .argument("serve")
//!     .memory(256 << 20);
//! let mut worker = launcher.spawn(&request, Streams::inherit())?;
//! let outcome = worker.wait(Some(Duration::from_secs(10)))?;
//! assert!(matches!(outcome.end, End::Exited(0)));
//! println!("{}", outcome.report.expect("it ran, so it was restricted"));
//! # Ok(())
//! # }
//! ```
//!
//! # What is in the worker, and what isn't
//!
//! It inherits its standard output and error and a socket, no environment variable, no other descriptor (it
//! closes what it finds), and the root as its current directory. What it reads before it is restricted is
//! the request and the bytes of the module, which it doesn't look into. Compiling happens after.
//!
//! It is killed when the host drops it, and ends by itself when the host is gone, whatever the module does.
//!
//! What is not restricted: see `wasix-landlock`. The processor's time is, by the deadline, and memory by
//! [`Request::memory`]; disk space and the number of files aren't. The module has no network.
//!
//! # A start without compiling
//!
//! A worker can give back what it compiled ([`Request::give_artifact`]), and another one start from it
//! ([`Request::artifact`]). **An artifact is native code: to load one is to trust it.** Take it from the host's
//! own compiler, or from a worker of the *same* tenant; one that another tenant's worker gave back would put that
//! tenant's code into this one's process.
//!
//! # Features
//!
//! `program` (on by default) has the worker itself, [`serve`] and the binary, and with it Wasmer. Without it the
//! crate only starts workers.
#![deny(missing_docs)]

mod frame;
mod launch;
#[cfg(feature = "program")]
mod program;
mod request;
mod wait;

pub use launch::{Input, Launcher, SpawnError, Streams};
#[cfg(feature = "program")]
pub use program::serve;
pub use request::{Compiler, Request};
pub use wait::{End, Outcome, WaitError, Worker};
pub use wasix_landlock::{Access, Mode, Protection, Report};
