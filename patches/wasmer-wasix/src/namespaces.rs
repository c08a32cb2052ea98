//! The namespaces of a module's imports.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use wasmer::{Exports, Module};

use crate::state::is_dynamically_linked;

/// Makes the functions of a namespace if the module can ask for one.
///
/// An instance for each request spent half of its time on functions of interfaces that its module doesn't use. A module
/// that is linked at run time gets all: what it is linked with asks through it.
pub(crate) fn of(module: &Module, name: &str, make: impl FnOnce() -> Exports) -> Exports {
    let asks = module.imports().any(|import| import.module() == name);
    match asks || is_dynamically_linked(module) {
        true => make(),
        false => Exports::new(),
    }
}
