//! The fork's own modules, and which of them a patch needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Patch;
use crate::patch::CALLS;

/// The source of a fork that is its own: `src` in its folder.
#[derive(Debug, Clone)]
pub struct OwnModules {
    /// The lines of `lib.rs`, attributes with what they stand above; and the module that each declares or uses.
    root: Vec<(Option<String>, String)>,
    /// The files of each module, by their paths from the fork's folder.
    files: BTreeMap<String, BTreeMap<PathBuf, String>>,
}

impl OwnModules {
    /// Reads it. A fork without one has no modules; one with a base has the base's.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn read(fork: &Path) -> io::Result<Self> {
        let home = crate::Manifest::load(fork).map(|manifest| manifest.home(fork));
        let folder = home.unwrap_or_else(|_| fork.to_owned()).join("src");
        let mut own = Self {
            root: Vec::new(),
            files: BTreeMap::new(),
        };
        if !folder.join("lib.rs").exists() {
            return Ok(own);
        }
        for file in files_below(&folder)? {
            let inside = file.strip_prefix(&folder).map_err(io::Error::other)?;
            let Some(first) = inside.iter().next() else {
                continue;
            };
            let module = Path::new(first).with_extension("").display().to_string();
            let name = Path::new("src").join(inside);
            let text = fs::read_to_string(&file)?;
            own.files.entry(module).or_default().insert(name, text);
        }
        own.files.remove("lib");
        let mut attributes = String::new();
        for line in fs::read_to_string(folder.join("lib.rs"))?.split_inclusive('\n') {
            let declared = line.strip_prefix("pub mod ").or(line.strip_prefix("mod "));
            let module = match (declared, line.strip_prefix("pub use ")) {
                (Some(module), _) => module.trim_end().strip_suffix(';'),
                (_, Some(used)) => used.split("::").next(),
                _ => None,
            };
            let module = module.filter(|module| own.files.contains_key(*module));
            if line.starts_with("#[") || (!attributes.is_empty() && module.is_none()) {
                attributes += line;
                continue;
            }
            let text = std::mem::take(&mut attributes) + line;
            own.root.push((module.map(str::to_owned), text));
        }
        Ok(own)
    }

    /// The modules that these patches name as the ones that they call, with those that these call.
    #[must_use]
    pub fn called_by<'a>(&self, patches: impl IntoIterator<Item = &'a Patch>) -> BTreeSet<&str> {
        let named: BTreeSet<&str> = patches.into_iter().flat_map(Patch::calls).collect();
        let modules = || self.files.keys().map(String::as_str);
        let mut called: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = modules().filter(|module| named.contains(module)).collect();
        while let Some(module) = next.pop() {
            if called.insert(module) {
                let code: BTreeSet<&str> = self.words_of(module).collect();
                next.extend(modules().filter(|other| code.contains(other)));
            }
        }
        called
    }

    /// Returns what is wrong with the modules that a patch names, if anything: one that isn't there, or one that is
    /// missing although the patch has its path.
    #[must_use]
    pub fn misnamed(&self, patch: &Patch) -> Option<String> {
        let named: BTreeSet<&str> = patch.calls().collect();
        if let Some(unknown) = named.iter().find(|name| !self.files.contains_key(**name)) {
            return Some(format!(
                "`{CALLS}:` names `{unknown}`, which is no module of the fork's own"
            ));
        }
        let added: Vec<&str> = patch.added_lines().collect();
        let has_path = |name: &str| {
            let path = format!("crate::{name}");
            let after = |line: &str| line.split(&path).skip(1).any(ends_a_word);
            added.iter().any(|line| after(line))
        };
        let used = |module: &str| {
            let of_it = self
                .root
                .iter()
                .filter(|(of, _)| of.as_deref() == Some(module));
            let uses = of_it.filter(|(_, line)| line.starts_with("pub use "));
            uses.flat_map(|(_, line)| words(line).skip(3)).any(has_path)
        };
        let missing = self.files.keys().find(|module| {
            !named.contains(module.as_str()) && (has_path(module) || used(module))
        })?;
        Some(format!(
            "the patch calls the fork's own module `{missing}`, which `{CALLS}:` doesn't name"
        ))
    }

    /// The files of a module, by their paths from the fork's folder.
    pub fn files(&self, module: &str) -> impl Iterator<Item = (&Path, &str)> {
        let files = self.files.get(module).into_iter().flatten();
        files.map(|(name, text)| (name.as_path(), text.as_str()))
    }

    /// The words in a module's code.
    pub fn words_of(&self, module: &str) -> impl Iterator<Item = &str> {
        words_of_code(self.files(module).flat_map(|(_, text)| text.lines()))
    }

    /// The lines of `lib.rs` that bring these modules in.
    #[must_use]
    pub fn brings_in(&self, modules: &BTreeSet<&str>) -> String {
        let are_of_them = |of: &Option<String>| of.as_deref().is_some_and(|m| modules.contains(m));
        let lines = self.root.iter().filter(|(of, _)| are_of_them(of));
        lines.map(|(_, line)| line.as_str()).collect()
    }

    /// `lib.rs` with none of the modules but these.
    #[must_use]
    pub fn root_with(&self, modules: &BTreeSet<&str>) -> String {
        let stays = |of: &Option<String>| of.as_deref().is_none_or(|m| modules.contains(m));
        let lines = self.root.iter().filter(|(of, _)| stays(of));
        lines.map(|(_, line)| line.as_str()).collect()
    }
}

/// All files of a folder and of those in it.
///
/// # Errors
/// An error of the file system.
pub fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files_below(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn words_of_code<'a>(lines: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(words)
}

/// True if no word goes on at the start of `rest`.
fn ends_a_word(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}
