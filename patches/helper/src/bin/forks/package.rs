//! The `Cargo.toml` of a version's fork: the published one's features and dependencies, and what the base adds to its
//! own.

use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use crate::Result;

/// The sections that a fork has from upstream. Not the dependencies for development: the tests of a version are in a
/// package of their own.
const SECTIONS: [&str; 4] = ["features", "dependencies", "build-dependencies", "target"];

const HEAD: &str = "\
# Written by `forks new` and `forks renew`, compared by `forks check`: the published manifest of this version, and what the base's adds to
# that of its own.

";

/// Reads a TOML file.
pub(crate) fn read_table(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(text.parse::<Table>()?)
}

/// The string at this place in the table.
pub(crate) fn field<'a>(table: &'a Table, path: &[&str]) -> Option<&'a str> {
    let (last, above) = path.split_last()?;
    let mut table = table;
    for name in above {
        table = table.get(*name)?.as_table()?;
    }
    table.get(*last)?.as_str()
}

/// The `Cargo.toml` of the fork of `published`, an unpacked crate. `base` is the fork that it has its files from, whose
/// published crate is in `of_base`, and `to_base` the way there.
pub(crate) fn generate(
    base: &Path,
    of_base: &Path,
    published: &Path,
    to_base: &str,
) -> Result<String> {
    let fork = read_table(&base.join("Cargo.toml"))?;
    let of_base = read_table(&of_base.join("Cargo.toml"))?;
    let published = read_table(&published.join("Cargo.toml"))?;
    let wasmer = |table| field(table, &["dependencies", "wasmer", "version"]).unwrap_or_default();
    let rules = Rules {
        to_base,
        wasmer: (wasmer(&of_base), wasmer(&published)),
    };

    let mut package = Table::new();
    for (name, of) in [
        ("name", &published),
        ("description", &fork),
        ("version", &published),
        ("edition", &published),
        ("rust-version", &published),
        ("license", &published),
    ] {
        let value = field(of, &["package", name]).ok_or_else(|| format!("no package.{name}"))?;
        package.insert(name.to_owned(), Value::from(value));
    }
    package.insert("publish".to_owned(), Value::from(false));
    package.insert(
        "build".to_owned(),
        Value::from(format!("{to_base}/build.rs")),
    );
    let mut lib = section(&fork, "lib");
    lib.insert(
        "path".to_owned(),
        Value::from(format!("{to_base}/src/lib.rs")),
    );

    let mut made = Table::new();
    made.insert("package".to_owned(), Value::Table(package));
    made.insert("lib".to_owned(), Value::Table(lib));
    for name in SECTIONS {
        let mut target = section(&published, name);
        rules.add(&section(&fork, name), &section(&of_base, name), &mut target);
        if name == "target" {
            without_development(&mut target);
        }
        if !target.is_empty() {
            made.insert(name.to_owned(), Value::Table(target));
        }
    }
    Ok(HEAD.to_owned() + &toml::to_string_pretty(&made)?)
}

/// Takes the dependencies for development out of a manifest's `target`.
fn without_development(targets: &mut Table) {
    for (_, target) in targets.iter_mut() {
        if let Some(target) = target.as_table_mut() {
            target.remove("dev-dependencies");
        }
    }
    targets.retain(|_, target| target.as_table().is_none_or(|target| !target.is_empty()));
}

fn section(table: &Table, name: &str) -> Table {
    let section = table.get(name).and_then(Value::as_table);
    section.cloned().unwrap_or_default()
}

/// The changes to what the base's fork adds.
struct Rules<'a> {
    to_base: &'a str,
    /// The requirement of Wasmer itself, there and here.
    wasmer: (&'a str, &'a str),
}

impl Rules<'_> {
    /// Adds to `target` what `fork` has and `published` hasn't.
    fn add(&self, fork: &Table, published: &Table, target: &mut Table) {
        for (name, value) in fork {
            let before = published.get(name);
            if before == Some(value) {
                continue;
            }
            match (value, before, target.get_mut(name)) {
                (Value::Table(more), _, None) => {
                    let mut made = Table::new();
                    self.add(more, &Table::new(), &mut made);
                    target.insert(name.clone(), Value::Table(made));
                }
                (Value::Table(more), before, Some(Value::Table(target))) => {
                    let none = Table::new();
                    let before = before.and_then(Value::as_table).unwrap_or(&none);
                    self.add(more, before, target);
                }
                (Value::Array(more), Some(Value::Array(before)), Some(Value::Array(target))) => {
                    target.extend(more.iter().filter(|it| !before.contains(it)).cloned());
                }
                _ => {
                    target.insert(name.clone(), self.here(name, value));
                }
            }
        }
    }

    /// A value of the base's fork, as it is said here.
    fn here(&self, name: &str, value: &Value) -> Value {
        match value {
            Value::String(path) if name == "path" => {
                Value::from(normal(&Path::new(self.to_base).join(path)))
            }
            Value::String(version) if version == self.wasmer.0 => Value::from(self.wasmer.1),
            other => other.clone(),
        }
    }
}

/// A relative path without the folders that it leaves again.
fn normal(path: &Path) -> String {
    let mut made = PathBuf::new();
    for component in path.components() {
        let leaves = made.components().next_back();
        if component == Component::ParentDir && matches!(leaves, Some(Component::Normal(_))) {
            made.pop();
        } else {
            made.push(component);
        }
    }
    made.display().to_string()
}
