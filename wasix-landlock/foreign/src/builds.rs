//! The subject's program, built in other ways.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// As this program.
    Own,
    Jemalloc,
    Musl,
    StaticGlibc,
    AddressSanitizer,
}

/// Arguments for cargo.
struct Recipe {
    target: String,
    flags: &'static str,
    features: &'static [&'static str],
    /// Needs an unstable feature of the compiler.
    unstable: bool,
}

impl Build {
    fn recipe(self) -> Option<Recipe> {
        let gnu = format!("{}-unknown-linux-gnu", env::consts::ARCH);
        let recipe = |flags| Recipe {
            target: gnu.clone(),
            flags,
            features: &[],
            unstable: false,
        };
        Some(match self {
            Self::Own => return None,
            Self::Jemalloc => Recipe {
                features: &["--features", "jemalloc"],
                ..recipe("")
            },
            Self::Musl => Recipe {
                target: format!("{}-unknown-linux-musl", env::consts::ARCH),
                ..recipe("")
            },
            Self::StaticGlibc => recipe("-C target-feature=+crt-static"),
            Self::AddressSanitizer => Recipe {
                unstable: true,
                ..recipe("-Zsanitizer=address")
            },
        })
    }

    pub const fn folder(self) -> &'static str {
        match self {
            Self::Own => "bin",
            Self::Jemalloc => "jemalloc",
            Self::Musl => "musl",
            Self::StaticGlibc => "static",
            Self::AddressSanitizer => "sanitizer",
        }
    }

    /// Says what is missing to build it.
    pub fn check(self) -> anyhow::Result<()> {
        let Some(recipe) = self.recipe() else {
            return Ok(());
        };
        let library = said(
            "rustc",
            &["--print", "target-libdir", "--target", &recipe.target],
        )?;
        let Ok(files) = fs::read_dir(&library) else {
            bail!("there is no standard library for {}", recipe.target);
        };
        let names = files.flatten().map(|file| file.file_name());
        let names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        match self {
            Self::AddressSanitizer if !names.iter().any(|name| name.ends_with("_rt.asan.a")) => {
                bail!("the compiler has no AddressSanitizer")
            }
            // It is a path where there is one, and the bare name otherwise.
            Self::StaticGlibc if !said("cc", &["-print-file-name=libc.a"])?.contains('/') => {
                bail!("there is no static C library")
            }
            Self::Jemalloc => said("make", &["--version"])
                .and_then(|_| said("cc", &["--version"]))
                .map(drop),
            _ => Ok(()),
        }
    }

    /// The program. It is built now if it isn't this program's neighbour.
    pub fn program(self) -> anyhow::Result<PathBuf> {
        let this = env::current_exe()?;
        let folder = this.parent().context("a program without a folder")?;
        let Some(recipe) = self.recipe() else {
            return Ok(folder.join("foreign-subject"));
        };
        // Beside the folder of the profile, for the next time. What cargo builds with other flags or features has other
        // names there, and the program itself is copied before the next one is built.
        let target = folder
            .parent()
            .context("a folder without a parent")?
            .join("foreign");
        recipe.build(&target)
    }
}

/// Returns the output of a program.
fn said(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("there is no `{program}`"))?;
    if !output.status.success() {
        bail!("`{program}` can't do it");
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Recipe {
    fn build(&self, target: &Path) -> anyhow::Result<PathBuf> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--quiet", "--locked", "--bin", "foreign-subject"])
            .args(["--target", &self.target])
            .args(self.features)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", target)
            .env("RUSTFLAGS", self.flags);
        if self.unstable {
            cargo.env("RUSTC_BOOTSTRAP", "1");
        }
        let output = cargo.output().context("cargo can't be started")?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            let error = errors.lines().find(|line| line.starts_with("error"));
            bail!("{}", error.unwrap_or("it can't be built"));
        }
        Ok(target.join(&self.target).join("debug/foreign-subject"))
    }
}
