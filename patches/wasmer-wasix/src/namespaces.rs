//! The functions that a module imports, by namespace.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use wasmer::Module;

use crate::state::is_dynamically_linked;

/// The functions of one namespace that are made for an instance.
///
/// An instance for each request spent half of its time on functions that its module doesn't import.
pub(crate) enum Wanted<'m> {
    /// All of them.
    All,
    /// Only the functions with these names, which are sorted.
    Named(Vec<&'m str>),
}

impl<'m> Wanted<'m> {
    /// The functions that `module` imports from `namespace`; all of them for a module that is linked at run time, since
    /// what it is linked with asks through it.
    pub(crate) fn by(module: &'m Module, namespace: &str) -> Self {
        if is_dynamically_linked(module) {
            return Self::All;
        }
        let imports = module.info().imports.keys();
        let names = imports.filter(|import| import.module == namespace);
        let mut names: Vec<&str> = names.map(|import| import.field.as_str()).collect();
        names.sort_unstable();
        Self::Named(names)
    }

    /// True if the function is to be made.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.binary_search(&name).is_ok(),
        }
    }
}

/// As `wasmer::namespace`, with only the functions that are wanted.
macro_rules! wanted_of {
    ($wanted:ident, $($name:expr => $function:expr),* $(,)?) => {{
        let mut namespace = wasmer::Exports::new();
        $(if $wanted.has($name) {
            namespace.insert($name, $function);
        })*
        namespace
    }};
}
pub(crate) use wanted_of;
