//! The functions that a module imports, by namespace.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use wasmer::Module;

use crate::state::is_dynamically_linked;

/// The imports of a module, as namespace and name, sorted. `None` for a module that is linked at run time: what it is
/// linked with asks for any function.
pub(crate) struct Imported<'m>(Option<Vec<(&'m str, &'m str)>>);

impl<'m> Imported<'m> {
    /// Reads the imports of `module`.
    pub(crate) fn by(module: &'m Module) -> Self {
        if is_dynamically_linked(module) {
            return Self(None);
        }
        let imports = module.info().imports.keys();
        let names = imports.map(|import| (import.module.as_str(), import.field.as_str()));
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        Self(Some(names))
    }

    /// Returns the functions of one namespace.
    pub(crate) fn of(&self, namespace: &str) -> Wanted<'_> {
        let Some(names) = &self.0 else {
            return Wanted::All;
        };
        let begin = names.partition_point(|(other, _)| *other < namespace);
        let length = names[begin..].partition_point(|(other, _)| *other == namespace);
        Wanted::Named(&names[begin..begin + length])
    }
}

/// The functions of one namespace that are made for an instance.
///
/// An instance for each request spent half of its time on functions that its module doesn't import.
pub(crate) enum Wanted<'m> {
    /// All of them.
    All,
    /// Only the functions of these imports, which are all of one namespace, and sorted.
    Named(&'m [(&'m str, &'m str)]),
}

impl Wanted<'_> {
    /// True if the function is to be made.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(imports) => imports
                .binary_search_by_key(&name, |(_, name)| name)
                .is_ok(),
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
