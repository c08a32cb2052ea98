//! The house rule about names: two public types never share one, in all that users build.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The sources of the crates whose types a program can name. The forks' are those of this repository, without upstream's.
const PUBLIC: [&str; 10] = [
    "wasix-landlock/src",
    "wasix-landlock/descriptors/src",
    "wasix-landlock/filter/src",
    "wasix-landlock/threads/src",
    "profile/src",
    "profile/engine/src",
    "patches/pair/src",
    "patches/virtual-fs/src",
    "patches/wasmer-wasix/src",
    "worker/src",
];

#[test]
fn no_two_public_types_share_a_name() {
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in PUBLIC {
        let mut files = Vec::new();
        sources(&repository.join(folder), &mut files);
        assert!(!files.is_empty(), "{folder} has no sources");
        // The same types for other systems.
        for file in files.iter().filter(|file| !file.ends_with("elsewhere.rs")) {
            let text = fs::read_to_string(file).unwrap();
            let place = file.strip_prefix(repository).unwrap().display().to_string();
            for name in public_types(&text) {
                places
                    .entry(name.to_owned())
                    .or_default()
                    .push(place.clone());
            }
        }
    }
    assert!(places.len() > 80, "only {} types were found", places.len());
    let shared: Vec<_> = places.iter().filter(|(_, at)| at.len() > 1).collect();
    assert!(shared.is_empty(), "{shared:#?}");
}

#[test]
fn public_types_are_found_by_their_declarations() {
    let text = "pub struct One;\n    pub enum Two<T> {\npub(crate) struct Three;\nstruct Four;\n\
                pub type Five = u8;\npub const fn six() {}\n/// pub struct Seven\n";
    let found: Vec<&str> = public_types(text).collect();
    assert_eq!(found, ["One", "Two", "Five"]);
}

/// The names of the types, traits and aliases that are declared as `pub`.
fn public_types(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let declared = line.trim_start().strip_prefix("pub ")?;
        let (kind, rest) = declared.split_once(' ')?;
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        ["struct", "enum", "union", "trait", "type"]
            .contains(&kind)
            .then(|| &rest[..end.unwrap_or(rest.len())])
    })
}

/// Adds the Rust files below a folder.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
