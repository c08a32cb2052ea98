//! A crate from the registry, compiled as a package of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use wasix_landlock_programs::packages::Crate;
use wasix_landlock_testing::patch_lines;

/// The source of a crate in a folder of its own.
#[derive(Debug)]
pub struct Package {
    name: &'static str,
    /// The folder of the source.
    pub source: PathBuf,
}

impl Package {
    /// Unpacks the crate into `folder`, which is emptied.
    ///
    /// # Errors
    /// A source that can't be had.
    pub fn unpack(of: &Crate, folder: &Path) -> anyhow::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let source = of.unpack(folder)?;
        // A package of its own, wherever the target directory is, with the newest versions that fit.
        let manifest = source.join("Cargo.toml");
        let text = fs::read_to_string(&manifest)? + "\n[workspace]\n";
        fs::write(manifest, text)?;
        let lock = source.join("Cargo.lock");
        if lock.exists() {
            fs::remove_file(lock)?;
        }
        Ok(Self {
            name: of.name,
            source,
        })
    }

    /// Replaces texts in a file of the source, each of which is there once.
    ///
    /// # Errors
    /// A text that isn't there, or is there twice, and a file that can't be read or written.
    pub fn replace(&self, file: &str, texts: &[(&str, &str)]) -> anyhow::Result<()> {
        let path = self.source.join(file);
        let mut text = fs::read_to_string(&path)?;
        for (old, new) in texts {
            ensure!(
                text.matches(old).count() == 1,
                "{file} of {} doesn't have `{old}` once",
                self.name
            );
            text = text.replace(old, new);
        }
        Ok(fs::write(path, text)?)
    }

    /// Compiles the crate, with two lines of configuration that name the forks in `forks`, or without.
    ///
    /// # Errors
    /// A failed build.
    pub fn build(
        &self,
        arguments: &[&str],
        forks: Option<&Path>,
        target: &Path,
    ) -> anyhow::Result<()> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .arg("build")
            .args(arguments)
            // Most of all builds is the same. What is compared needs no speed, but for the compiler: without optimization it
            // takes a minute for OpenSSL, in each case anew.
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .args(
                ["cranelift-codegen", "regalloc2"]
                    .map(|name| format!("--config=profile.dev.package.{name}.opt-level=2")),
            )
            .current_dir(&self.source);
        if let Some(folder) = forks {
            cargo.args(patch_lines(folder));
        }
        let status = cargo.status().context("can't start cargo")?;
        let with = match forks {
            Some(_) => "with the forks",
            None => "as published",
        };
        ensure!(
            status.success(),
            "{} {with} was not built: {status}",
            self.name
        );
        Ok(())
    }
}
