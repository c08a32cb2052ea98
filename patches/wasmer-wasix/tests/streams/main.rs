//! A module's output on a terminal.
#![cfg(all(unix, feature = "sys", feature = "host-fs"))]

mod inert;
mod stream;
