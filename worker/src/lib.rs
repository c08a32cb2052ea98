//! Runs each WASI module in a process of its own: a *worker*.
//!
//! A host names the grants of a module and starts a worker for it. The worker restricts itself before it
//! looks at the module, and compiles, links and runs the module under that restriction. If a module gets
//! native code to run, that code reaches the worker's memory and grants only: no other tenant's memory, and
//! no unrestricted thread. A crash, a hang or a lack of memory ends that worker, and the host gets an
//! [`Outcome`] that says so.
//!
//! ```no_run
//! use std::time::Duration;
//! use wasix_landlock_worker::{End, Launcher, Profile, Request, WorkerStreams};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let launcher = Launcher::new("/usr/libexec/wasix-landlock-worker");
//! let profile = Profile::as_without()
//!     .preopen(|p| p.directory("/srv/a").alias("/data").read(true).write(true))?
//!     .argument("serve");
//! let request = Request::module_file("tenant-a.wasm").profile(profile).memory(256 << 20);
//! let mut worker = launcher.spawn(&request, WorkerStreams::inherit())?;
//! let outcome = worker.wait(Some(Duration::from_secs(10)))?;
//! assert!(matches!(outcome.end, End::Exited(0)));
//! println!("{}", outcome.report.expect("it ran, so it was restricted"));
//! # Ok(())
//! # }
//! ```
//!
//! # Contents of a worker
//!
//! A worker inherits its standard output and error, and a socket. It has no environment variables and no other
//! descriptors (it closes those that it finds), and its current directory is the root. Before it is restricted,
//! it reads the request and the bytes of the module, but doesn't parse the module. It compiles afterwards.
//!
//! A worker exists only for its module, so its defaults are the strictest:
//!
//! | | default | changed by |
//! |---|---|---|
//! | protections of the second layer | those that `Policy::harden` requires | [`Request::harden`], [`Profile::protect`] |
//! | network | none | [`Profile::network`] |
//! | the module's limits and WASI functions | no limit, all functions | [`Profile::limits`], [`Profile::withhold`] |
//! | starting a process | refused, also to root | – |
//! | core dumps | none | – |
//! | the worker's memory in `/proc` | readable by root only | – |
//! | memory (`RLIMIT_DATA`) | the host's limit | [`Request::memory`] |
//! | size of a file (`RLIMIT_FSIZE`) | the host's limit | [`Request::file_size`] |
//! | threads of the user (`RLIMIT_NPROC`) | the host's limit | [`Request::tasks`] |
//! | processor time | the deadline of [`Worker::wait`] | – |
//!
//! Native code can't undo these limits: the kernel refuses to set limits, to change users, to allow core dumps and
//! to disable the signal described below. In mode `off` a worker has its resource limits and none of the rest. A
//! worker limits neither disk space nor the number of files. The documentation of `wasix-landlock` lists what else
//! stays unrestricted.
//!
//! # The end of the host
//!
//! A worker is killed when the host drops it. The kernel kills it (`PR_SET_PDEATHSIG`) when the host ends, whatever
//! the module does. For the kernel, the parent is the thread that started the process, so the host has one thread
//! per worker, which ends after the worker. The program of a [`Launcher`] has to become the worker: a wrapper has to
//! execute the worker in its own place. A wrapper that starts the worker as another process is an error that says so.
//!
//! # Limits on a worker's messages
//!
//! The host checks each message of a worker as it arrives: each kind once, in the order below, up to this size. The
//! host kills a worker that sends anything else, and [`End::Violated`] describes the message.
//!
//! | message | limit |
//! |---|---|
//! | the report | 4 MiB |
//! | the artifact, if the request asks for one | 256 MiB, or [`Request::largest_artifact`] |
//! | the end | 96 KiB, with 16 KiB of text |
//!
//! The kernel's buffers of the socket and the pipes add to this. The host keeps none of the module's output;
//! [`Worker::output`] reads it. The host waits for the process, in the kernel and without polling. It doesn't wait for
//! a descendant of the worker that holds the socket.
//!
//! # A start without a new process
//!
//! A [`Pool`] keeps workers that were started before there is a request for them. They have done what comes before the
//! request, and wait. Each of them is a process that was executed by itself, gets one request, and restricts itself as any
//! other worker does.
//!
//! A [`ForkServer`] goes further: the program is executed once, and each worker is a copy of that process. The copies
//! share memory with it, and the layout of their memory with each other.
//!
//! # A start without compiling
//!
//! A worker can return the compiled module ([`Request::give_artifact`]), and another worker can start from it
//! ([`Request::artifact`]). **An artifact is native code: loading it means trusting it.** Take it from the host's own
//! compiler, or from a worker of the *same* tenant. An artifact from another tenant's worker would run that tenant's
//! code in this tenant's process.
//!
//! # Features
//!
//! `program` (on by default) contains the worker itself, [`serve`] and the binary, and depends on Wasmer. Without
//! `program`, the crate only starts workers.
#![deny(missing_docs)]

mod copies;
mod fork;
mod frame;
mod hear;
mod keep;
mod launch;
mod pool;
#[cfg(feature = "program")]
mod program;
mod request;
mod wait;
mod word;

pub use fork::ForkServer;
pub use launch::{Input, Launcher, SpawnError, WorkerStreams};
pub use pool::Pool;
#[cfg(feature = "program")]
pub use program::serve;
pub use request::Request;
pub use wait::{End, Outcome, WaitError, Worker};
pub use wasix_landlock::{Mode, Report};
pub use wasix_landlock_profile::{Access, Compiler, Level, Network, Profile, Protection};
