//! Wasmer's virtual file systems with one addition: a file system can say which host paths stand
//! behind it ([`FileSystem::host_backing`]), so that the kernel can be told.
//!
//! The source is upstream's, made at build time with the patches beside this file.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(clippy::all)]

#[cfg(feature = "host-fs")]
mod beneath;
pub mod host_backing;
#[cfg(all(target_os = "linux", feature = "host-fs"))]
pub mod host_directory;
#[cfg(feature = "host-fs")]
mod host_handle;
#[cfg(all(
    feature = "host-fs",
    any(not(target_os = "linux"), landlock_kernel_alone)
))]
mod host_list;
#[cfg(feature = "host-fs")]
pub mod host_preopen;
#[cfg(feature = "host-fs")]
mod host_stdin;
pub mod limited;
pub mod memory_bound;
mod plain_path;
pub mod positional;
#[cfg(all(target_os = "linux", feature = "host-fs"))]
mod readiness;

pub use host_backing::HostBacking;

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));
