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
//! A worker is there for nothing but its module, so its defaults are the strictest:
//!
//! | | by default | changed by |
//! |---|---|---|
//! | protections of the second layer | all that `Policy::harden` requires | [`Request::harden`], [`protect`](Request::protect), [`without`](Request::without) … |
//! | network | none | [`Request::network`] |
//! | starting a process | refused, also to root | – |
//! | core dumps, and its memory in `/proc` | none, and root's | – |
//! | memory (`RLIMIT_DATA`) | the host's limit | [`Request::memory`] |
//! | size of a file (`RLIMIT_FSIZE`) | the host's limit | [`Request::file_size`] |
//! | threads of the user (`RLIMIT_NPROC`) | the host's limit | [`Request::tasks`] |
//! | processor's time | the deadline of [`Worker::wait`] | |
//!
//! Native code can't undo any of that: the kernel refuses it to set limits, to change users, to allow core dumps and to
//! give up the signal described below. In mode `off` a worker has its limits and nothing else of this. Disk space and
//! the number of files aren't limited. For what else is not restricted, see `wasix-landlock`.
//!
//! # How it ends with the host
//!
//! It is killed when the host drops it, and by the kernel (`PR_SET_PDEATHSIG`) when the host is gone, whatever the
//! module does. For the kernel the parent is the thread that starts a process, so each worker has a thread of the
//! host's own, which ends after it. [`Launcher`]'s program has to be the worker: one that starts the worker as a
//! process of its own, instead of executing it in its place, is an error that says so.
//!
//! # What a host keeps of a worker
//!
//! Whatever a worker says is checked as it comes: each thing once, in its order, and of no more bytes than this. A
//! worker that says anything else is killed, and [`End::Violated`] has what it was.
//!
//! | | most bytes |
//! |---|---|
//! | the report | 4 MiB |
//! | the artifact, if one was asked for | 256 MiB, or [`Request::largest_artifact`] |
//! | how it ended | 96 KiB as it is sent, of which a message is 16 KiB |
//!
//! The kernel's buffers of a socket and of the pipes come on top; what a module prints isn't kept, but read by the
//! host from [`Worker::output`]. A host waits for the process, in the kernel: a descendant of the worker's that holds
//! the socket is not waited for, and nothing is polled.
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
mod hear;
mod keep;
mod launch;
#[cfg(feature = "program")]
mod program;
mod request;
mod wait;
mod word;

pub use launch::{Input, Launcher, SpawnError, Streams};
#[cfg(feature = "program")]
pub use program::serve;
pub use request::{Compiler, Request};
pub use wait::{End, Outcome, WaitError, Worker};
pub use wasix_landlock::{Access, Level, Mode, Network, Protection, Report};
