//! The series of a fork: which patches apply, in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::patch::FileChange;
use crate::{ApplyError, Manifest, Patch, PatchError, patch_files, version};

/// The patches of a fork, in order.
#[derive(Debug, Clone)]
pub struct Series {
    /// The patches, in the order in which they apply.
    pub patches: Vec<Patch>,
}

impl Series {
    /// Reads the file `series` in the folder of a fork, and the patches that it names, one a line. A fork with a base
    /// has the base's series, at the lines where it fits this version.
    ///
    /// # Errors
    /// As [`Patch::load`]; [`PatchError::Manifest`]; [`PatchError::Series`] if a name is not that of a patch or
    /// stands twice, or if a patch in the folder is not listed: a patch that is silently not applied could be the one
    /// that enforces.
    pub fn load(fork: &Path) -> Result<Self, PatchError> {
        let path = fork.join("series");
        if fork.join("fork.toml").exists() {
            let manifest = Manifest::load(fork)?;
            if let Some(base) = &manifest.base {
                if path.exists() {
                    return Err(PatchError::Series {
                        patch: "series".to_owned(),
                        problem: "a fork with a base has the base's series, and none of its own",
                    });
                }
                let base = Self::load(&fork.join(base))?;
                let patches = version::patches(fork, &manifest, &base.patches)?;
                return Ok(Self { patches });
            }
        }
        let read = |source| PatchError::Read {
            path: path.clone(),
            source,
        };
        let text = std::fs::read_to_string(&path).map_err(read)?;
        let mut listed = BTreeSet::new();
        let mut patches = Vec::new();
        for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
            if name.contains(['/', '\\']) || !name.ends_with(".patch") {
                return Err(PatchError::Series {
                    patch: name.to_owned(),
                    problem: "listed in the series, but no `.patch` file has this name",
                });
            }
            if !listed.insert(name) {
                return Err(PatchError::Series {
                    patch: name.to_owned(),
                    problem: "listed twice in the series",
                });
            }
            patches.push(Patch::load(&fork.join(name))?);
        }
        let read_folder = |source| PatchError::Read {
            path: fork.to_owned(),
            source,
        };
        for path in patch_files(fork).map_err(read_folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !listed.contains(&*name) {
                return Err(PatchError::Series {
                    patch: name.into_owned(),
                    problem: "the patch is not listed in the series",
                });
            }
        }
        Ok(Self { patches })
    }

    /// Checks that the whole series applies to the crate in `root`, and writes nothing.
    ///
    /// # Errors
    /// [`ApplyError`].
    pub fn fits(&self, root: &Path) -> Result<(), ApplyError> {
        self.patched(root).map(drop)
    }

    fn patched(&self, root: &Path) -> Result<BTreeMap<PathBuf, String>, ApplyError> {
        let mut files = BTreeMap::new();
        for patch in &self.patches {
            patch.apply(&mut files, root)?;
        }
        Ok(files)
    }

    /// The lines before each hunk, patch by patch and file by file.
    #[must_use]
    pub fn places(&self) -> Vec<Vec<usize>> {
        let changes = self.patches.iter().flat_map(|patch| &patch.files);
        let places =
            |change: &FileChange| change.hunks.iter().map(|hunk| hunk.old_before).collect();
        changes.map(places).collect()
    }

    /// Applies the whole series to the crate in `root`, exactly: each hunk at its line, each line to the
    /// letter. Nothing is written unless every patch applies.
    ///
    /// # Errors
    /// [`ApplyError`].
    pub fn apply(&self, root: &Path) -> Result<(), ApplyError> {
        for (file, text) in self.patched(root)? {
            std::fs::write(root.join(&file), text)
                .map_err(|source| ApplyError::Write { file, source })?;
        }
        Ok(())
    }
}
