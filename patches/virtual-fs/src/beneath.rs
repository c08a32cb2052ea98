//! Paths on the host that stay beneath a directory.
//!
//! A path that is checked and then used can have changed in between: somebody else, or the module by another
//! way, puts a link in the place of what was looked at. On Linux each path is therefore resolved by the kernel
//! itself, from a descriptor of the directory, and not above it (`openat2(2)` with `RESOLVE_BENEATH`). A link
//! that leads out, or that names its target from the host's root, is refused like a file without permission.
//! Elsewhere, paths are used as they are.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

#[cfg(all(target_os = "linux", not(landlock_kernel_alone)))]
mod confined;
#[cfg(any(not(target_os = "linux"), landlock_kernel_alone))]
mod plain;
#[cfg(target_os = "linux")]
pub(crate) mod resolve;

#[cfg(all(target_os = "linux", not(landlock_kernel_alone)))]
pub(crate) use confined::Beneath;
#[cfg(any(not(target_os = "linux"), landlock_kernel_alone))]
pub(crate) use plain::Beneath;
