//! Wasmer's WASI implementation with one addition: what the application preopens is enforced by
//! the kernel, for the whole process, at `build()`. See [`landlock`], and [`profile`] for all else that one module
//! is given.
//!
//! The source is upstream's, made at build time with the patches beside this file.
#![allow(clippy::all, clippy::result_large_err)]
#![doc(html_favicon_url = "https://wasmer.io/images/icons/favicon-32x32.png")]
#![doc(html_logo_url = "https://github.com/wasmerio.png?size=200")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock_offsets;
mod early_wasi;
mod host_errno;
#[cfg(all(target_os = "linux", feature = "host-fs"))]
mod host_files;
#[cfg(not(all(target_os = "linux", feature = "host-fs")))]
#[path = "no_host_files.rs"]
mod host_files;
pub mod landlock;
mod listing;
mod namespaces;
mod positional_io;
pub mod profile;

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));
