//! A fork whose series is cut: the patches up to one of them, and of the fork's own modules those that they call.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wasix_landlock_fork::{OwnModules, Patch, Series, files_below};

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
    /// An error of the file system.
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
        let own = OwnModules::read(&self.folder)?;
        let called = own.called_by(patches);
        files.insert("src/lib.rs".into(), own.root_with(&called));
        for module in called {
            let of_it = own.files(module);
            files.extend(of_it.map(|(name, text)| (name.to_owned(), text.to_owned())));
        }
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
/// An error of the file system.
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
