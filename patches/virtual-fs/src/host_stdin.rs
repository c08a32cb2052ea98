//! The program's standard input.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

#[cfg(not(target_os = "linux"))]
mod ahead;
#[cfg(target_os = "linux")]
mod kernel;

#[cfg(not(target_os = "linux"))]
pub(crate) use ahead::HostStdin;
#[cfg(target_os = "linux")]
pub(crate) use kernel::HostStdin;
