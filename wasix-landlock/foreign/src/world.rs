//! The files planted for the subjects: their program, files inside and outside of the grant.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use tempfile::TempDir;
use wasix_landlock_foreign::{Settings, With};

use crate::outside::Planted;

/// More attempts than any subject makes.
const FILES: usize = 500;

pub struct World {
    directory: TempDir,
    pub secrets: Planted,
    pub inside: Planted,
}

impl World {
    pub fn new() -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("foreign-").tempdir()?;
        // Another user has to come through.
        let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755));
        open(directory.path())?;
        let plant = |name: &str| {
            let path = directory.path().join(name);
            fs::create_dir(&path)?;
            open(&path)?;
            Planted::new(&path, FILES)
        };
        Ok(Self {
            secrets: plant("secrets")?,
            inside: plant("granted")?,
            directory,
        })
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Copies a program to where every user can start it, under the name that a subject has.
    pub fn install(&self, program: &Path, folder: &str, mode: u32) -> io::Result<PathBuf> {
        let folder = self.path(folder);
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        let copy = folder.join("foreign-subject");
        if !copy.exists() {
            fs::copy(program, &copy)?;
        }
        fs::set_permissions(&copy, fs::Permissions::from_mode(mode))?;
        Ok(copy)
    }

    /// Settings of a subject that nothing is special about.
    pub fn settings(&self) -> Settings {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Settings {
            token: format!("foreign-{}-{count}-", std::process::id()),
            granted: self.inside.directory.clone(),
            inside: self.inside.directory.clone(),
            secrets: self.secrets.directory.clone(),
            write: false,
            threads: 5,
            enforce: true,
            harden: false,
            refuse: false,
            with: With::Nothing,
        }
    }
}
