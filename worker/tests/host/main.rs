//! A host whose worker does and says what it likes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod bounds;
mod common;
mod lingers;
mod says;
