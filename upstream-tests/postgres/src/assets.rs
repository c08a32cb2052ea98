//! PostgreSQL's files: where they come from, and where they are kept.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use wasix_landlock_fork::{Manifest, Upstream};
use wasix_landlock_programs::packages::user_cache;

use crate::guest::Files;

/// PostgreSQL's files, unpacked below the user's cache directory.
#[derive(Debug)]
pub struct Assets {
    /// The files that a run needs.
    pub files: Files,
    /// The archive of a data directory, as `initdb` has made it.
    template: PathBuf,
}

impl Assets {
    /// Gets the crate that `fork.toml` names through cargo, checks and unpacks it, unless that was done before.
    ///
    /// # Errors
    /// An error of the registry, a checksum that differs, and an error of the disk.
    pub fn get() -> anyhow::Result<Self> {
        let pin = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = Manifest::load(pin)?;
        let cache = user_cache()?.join("postgres");
        let folder = cache.join(manifest.full_name());
        if !folder.is_dir() {
            fs::create_dir_all(&cache).with_context(|| format!("{}", cache.display()))?;
            let making = tempfile::tempdir_in(&cache)?;
            let unpacked = making.path().join("crate");
            Upstream::find(&manifest, &[pin], &making.path().join("download"))?
                .unpack(&manifest, &unpacked)?;
            unpack(&unpacked.join("payload/pglite.wasix.tar.zst"), &unpacked)?;
            // Somebody else may have made it meanwhile.
            let moved = fs::rename(&unpacked, &folder);
            ensure!(folder.is_dir(), "{}: {moved:?}", folder.display());
        }
        Ok(Self {
            files: Files {
                pglite: folder.join("pglite"),
                compiled: cache.join("compiled"),
            },
            template: folder.join("payload/prepopulated/pgdata-template.tar.zst"),
        })
    }

    /// Makes a data directory as `initdb` does.
    ///
    /// # Errors
    /// An error of the disk.
    pub fn make_data_directory(&self, at: &Path) -> anyhow::Result<()> {
        fs::create_dir(at).with_context(|| format!("{}", at.display()))?;
        unpack(&self.template, at)
    }
}

fn unpack(archive: &Path, into: &Path) -> anyhow::Result<()> {
    let file = fs::File::open(archive).with_context(|| format!("{}", archive.display()))?;
    let unpacked: Box<dyn Read> = Box::new(zstd::Decoder::new(file)?);
    tar::Archive::new(unpacked)
        .unpack(into)
        .with_context(|| format!("can't unpack {}", archive.display()))
}
