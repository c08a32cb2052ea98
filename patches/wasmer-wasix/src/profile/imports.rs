//! The functions that a module asks for.

use std::collections::BTreeMap;
use std::fmt;

use wasix_landlock_profile::WASI_NAMESPACES;
use wasmer::Module;

use super::Group;

/// True if functions of WASI are imported under this name.
pub(super) fn is_wasi(module: &str) -> bool {
    WASI_NAMESPACES.contains(&module)
}

/// Something that a module imports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Import {
    /// The module that exports it, such as `wasi_snapshot_preview1`.
    pub module: String,
    /// The name in the module.
    pub name: String,
    /// True if it is a function of WASI.
    pub is_wasi: bool,
    /// The group that it is in.
    pub group: Option<Group>,
}

/// Returns the imports of a module, in its order. A module can call nothing else; it need not call all of them.
///
/// ```
/// use wasmer::{Engine, Module};
/// use wasmer_wasix::profile::{self, Group};
///
/// let module = r#"(module (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32))))"#;
/// let module = Module::new(&Engine::default(), module).unwrap();
/// assert_eq!(profile::imports(&module)[0].group, Some(Group::Randomness));
/// ```
#[must_use]
pub fn imports(module: &Module) -> Vec<Import> {
    module
        .imports()
        .map(|import| {
            let is_function = matches!(import.ty(), wasmer::ExternType::Function(_));
            let is_wasi = is_function && is_wasi(import.module());
            Import {
                module: import.module().to_owned(),
                name: import.name().to_owned(),
                is_wasi,
                group: is_wasi.then(|| Group::of(import.name())).flatten(),
            }
        })
        .collect()
}

/// The same for a person: the functions by group, the groups that the module can do without, and what comes from
/// elsewhere than WASI.
///
/// Its `Display` is a table.
///
/// # Example
///
/// ```
/// use wasmer::{Engine, Module};
/// use wasmer_wasix::profile::{Group, ImportTable};
///
/// let module = r#"(module (import "wasi_unstable" "random_get" (func (param i32 i32) (result i32))))"#;
/// let table = ImportTable::of(&Module::new(&Engine::default(), module).unwrap());
/// assert!(table.to_string().starts_with("randomness: random_get\n"));
/// assert!(table.unused_groups().all(|group| group != Group::Randomness));
/// ```
#[derive(Debug, Clone)]
pub struct ImportTable(Vec<Import>);

impl ImportTable {
    /// Of this module.
    ///
    /// [Example](ImportTable#example).
    #[must_use]
    pub fn of(module: &Module) -> Self {
        Self(imports(module))
    }

    /// The groups of which the module imports nothing: they can be off, and it doesn't notice.
    ///
    /// [Example](ImportTable#example).
    pub fn unused_groups(&self) -> impl Iterator<Item = Group> {
        Group::ALL
            .iter()
            .copied()
            .filter(|group| !self.0.iter().any(|import| import.group == Some(*group)))
    }
}

impl fmt::Display for ImportTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: BTreeMap<Option<Group>, Vec<&str>> = BTreeMap::new();
        for import in self.0.iter().filter(|import| import.is_wasi) {
            groups.entry(import.group).or_default().push(&import.name);
        }
        for (group, mut names) in groups {
            names.sort_unstable();
            names.dedup();
            let name = group.map_or("always there", Group::name);
            writeln!(f, "{name}: {}", names.join(", "))?;
        }
        for import in self.0.iter().filter(|import| !import.is_wasi) {
            writeln!(f, "not of WASI: {} {}", import.module, import.name)?;
        }
        let unused: Vec<_> = self.unused_groups().map(Group::name).collect();
        writeln!(f, "doesn't need: {}", unused.join(", "))
    }
}
