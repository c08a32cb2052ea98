//! Modules, read and compiled.

use std::path::Path;

use anyhow::Context as _;
use wasmer::{Engine, Module};

use crate::output::Progress;

/// Reads a module's file.
///
/// # Errors
/// A file that can't be read.
pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("can't read {}", path.display()))
}

/// Compiles a module.
///
/// # Errors
/// Bytes that are no module, or one that the compiler doesn't take.
pub fn compile(engine: &Engine, path: &Path, bytes: &[u8]) -> anyhow::Result<Module> {
    let _progress = Progress::begin(&format!("compiling {}", path.display()));
    Module::new(engine, bytes).with_context(|| format!("can't compile {}", path.display()))
}
