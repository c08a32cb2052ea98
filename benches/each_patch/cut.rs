//! A fork whose series is cut: the patches up to one of them, and of the fork's own modules those that they call.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wasix_landlock_fork::{Patch, Series};

/// A fork as it is in this project.
pub struct Fork {
    folder: PathBuf,
    /// Upstream's name of it.
    pub name: &'static str,
    /// All its patches.
    pub patches: Vec<Patch>,
}

impl Fork {
    /// The fork of this name.
    ///
    /// # Errors
    /// If it isn't there, or its series can't be read.
    pub fn load(name: &'static str) -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../patches")
            .join(name);
        let folder = folder
            .canonicalize()
            .with_context(|| folder.display().to_string())?;
        let patches = Series::load(&folder)?.patches;
        Ok(Self {
            folder,
            name,
            patches,
        })
    }

    /// Makes `target` this fork with its first `count` patches. What is there already and as it should be isn't
    /// touched, so that cargo builds nothing twice.
    ///
    /// # Errors
    /// What the file system says.
    pub fn cut(&self, count: usize, target: &Path) -> anyhow::Result<()> {
        let patches = &self.patches[..count];
        let mut files = BTreeMap::new();
        let manifest = fs::read_to_string(self.folder.join("Cargo.toml"))?;
        let manifest = with_absolute_paths(&manifest, &self.folder)?;
        // So that no workspace further up takes it for a member.
        files.insert(PathBuf::from("Cargo.toml"), manifest + "\n[workspace]\n");
        for name in ["build.rs", "fork.toml"] {
            files.insert(name.into(), fs::read_to_string(self.folder.join(name))?);
        }
        let mut series = String::new();
        for patch in patches {
            let text = fs::read_to_string(self.folder.join(&patch.name))?;
            files.insert(PathBuf::from(&patch.name), text);
            series += &format!("{}\n", patch.name);
        }
        files.insert("series".into(), series);
        let own = Own::read(&self.folder.join("src"))?;
        own.called_by(patches, &mut files);
        put(target, &files)
    }
}

/// A manifest with the paths of its dependencies as they are from anywhere.
///
/// # Errors
/// A path that doesn't exist.
pub fn with_absolute_paths(manifest: &str, folder: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    for part in manifest.split_inclusive('"') {
        match part.strip_suffix('"') {
            Some(path) if path.starts_with("../") => {
                let path = folder.join(path).canonicalize()?;
                text += &format!("{}\"", path.display());
            }
            _ => text += part,
        }
    }
    Ok(text)
}

/// Makes the folder hold these files and no others.
///
/// # Errors
/// What the file system says.
pub fn put(folder: &Path, files: &BTreeMap<PathBuf, String>) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for file in files_below(folder)? {
        if !files.contains_key(file.strip_prefix(folder)?) {
            fs::remove_file(file)?;
        }
    }
    for (name, text) in files {
        let path = folder.join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == *text) {
            continue;
        }
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
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

/// The fork's own source.
struct Own {
    /// The lines of `lib.rs`, each with the module that it declares or uses.
    root: Vec<(Option<String>, String)>,
    /// The files of each module.
    modules: BTreeMap<String, BTreeMap<PathBuf, String>>,
}

impl Own {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut own = Self {
            root: Vec::new(),
            modules: BTreeMap::new(),
        };
        let mut attribute = String::new();
        for line in fs::read_to_string(folder.join("lib.rs"))?.split_inclusive('\n') {
            let declared = line.strip_prefix("pub mod ").or(line.strip_prefix("mod "));
            let module = match (declared, line.strip_prefix("pub use ")) {
                (Some(module), _) => module.trim_end().strip_suffix(';'),
                (_, Some(used)) => used.split("::").next(),
                _ => None,
            };
            // An attribute goes with what it stands above.
            if line.starts_with("#[") || (!attribute.is_empty() && module.is_none()) {
                attribute += line;
                continue;
            }
            let text = std::mem::take(&mut attribute) + line;
            own.root.push((module.map(str::to_owned), text));
        }
        let base = folder.parent().context("no folder above the source")?;
        for file in files_below(folder)? {
            let inside = file.strip_prefix(folder)?;
            let first = Path::new(inside.iter().next().context("no name")?);
            let module = first.with_extension("").display().to_string();
            let text = fs::read_to_string(&file)?;
            let files = own.modules.entry(module).or_default();
            files.insert(file.strip_prefix(base)?.to_owned(), text);
        }
        own.modules.remove("lib");
        Ok(own)
    }

    /// Adds `lib.rs`, and the modules that the patches call, with those that these call.
    fn called_by(&self, patches: &[Patch], files: &mut BTreeMap<PathBuf, String>) {
        let added = patches.iter().flat_map(Patch::added_lines);
        let added: BTreeSet<&str> = added
            .filter(|line| !is_comment(line))
            .flat_map(words)
            .collect();
        // A method that a module gives one of upstream's types has the module's name in its own.
        let by_patch = |module: &str| {
            let within = |word: &str| format!("_{word}_").contains(&format!("_{module}_"));
            let used = self
                .root
                .iter()
                .filter(|(of, line)| of.as_deref() == Some(module) && line.starts_with("pub use "));
            let mut used = used.flat_map(|(_, line)| words(line).skip(3));
            added.iter().any(|word| within(word)) || used.any(|word| added.contains(word))
        };
        let mut called: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = self
            .modules
            .keys()
            .map(String::as_str)
            .filter(|m| by_patch(m))
            .collect();
        while let Some(module) = next.pop() {
            if !called.insert(module) {
                continue;
            }
            let code = self.modules[module].values().flat_map(|text| text.lines());
            let code: BTreeSet<&str> = code
                .filter(|line| !is_comment(line))
                .flat_map(words)
                .collect();
            next.extend(
                self.modules
                    .keys()
                    .map(String::as_str)
                    .filter(|other| code.contains(other)),
            );
        }
        let there = |module: &Option<String>| {
            module
                .as_deref()
                .is_none_or(|module| called.contains(module))
        };
        let root = self.root.iter().filter(|(module, _)| there(module));
        files.insert(
            "src/lib.rs".into(),
            root.map(|(_, line)| line.as_str()).collect(),
        );
        for module in called {
            files.extend(self.modules[module].clone());
        }
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}
