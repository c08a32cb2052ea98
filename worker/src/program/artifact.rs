//! Loading a compiled module.

use anyhow::Context;
use wasmer::{Engine, Module};

/// Loads what [`Request::artifact`](crate::Request::artifact) was given.
#[allow(unsafe_code)]
pub(super) fn load(engine: &Engine, bytes: Vec<u8>) -> anyhow::Result<Module> {
    // SAFETY: this is native code, which is run as it is, so that whoever made it is trusted with this process.
    // Whose artifacts may be given is what `Request::artifact` asks of the host. The process is restricted by
    // now, and there is nothing in it but this module.
    unsafe { Module::deserialize(engine, bytes) }.context("the artifact can't be loaded")
}
