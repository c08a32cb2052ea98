//! `wasmer`, as published and with the forks.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use wasix_landlock_testing::end_within;

use crate::world::World;

const VERSION: &str = "7.4.2";
const FEATURES: &str = "sys,wat,cranelift,singlepass";

/// No case takes near as long, on any machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// The result of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// One of the two.
#[derive(Debug)]
pub struct Program {
    pub name: &'static str,
    pub path: PathBuf,
}

impl Program {
    /// Builds it as a user would: from the registry, with two lines of configuration or without.
    pub fn install(
        name: &'static str,
        forks: Option<&Path>,
        target: &Path,
    ) -> anyhow::Result<Self> {
        let root = target.join(name);
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args([
                "install",
                &format!("wasmer-cli@{VERSION}"),
                "--debug",
                "--no-default-features",
            ])
            .args(["--features", FEATURES, "--root"])
            .arg(&root)
            // Most of both builds is the same. What is compared needs no speed.
            .env("CARGO_TARGET_DIR", target.join("build"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            // Away from this workspace and its configuration.
            .current_dir(target);
        for fork in ["wasmer-wasix", "virtual-fs"] {
            if let Some(patches) = forks {
                let path = patches.join(fork);
                cargo.arg("--config");
                cargo.arg(format!(
                    "patch.crates-io.{fork}.path=\"{}\"",
                    path.display()
                ));
            }
        }
        if forks.is_some() {
            // The forks' sources may have changed, which `cargo install` doesn't see.
            cargo.arg("--force");
        }
        let status = cargo.status().context("can't start cargo")?;
        ensure!(
            status.success(),
            "wasmer-cli ({name}) was not built: {status}"
        );
        Ok(Self {
            name,
            path: root.join("bin/wasmer"),
        })
    }

    /// Runs one command line in `world`, under a policy from outside if there is one. `library` is preloaded.
    pub fn run(
        &self,
        line: &str,
        policy: Option<&str>,
        world: &World,
        library: &Path,
    ) -> anyhow::Result<Outcome> {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| world.own(name));
        let line = line.replace("{port}", &world.port()?.to_string());
        world.reset_report()?;
        let mut command = Command::new(&self.path);
        command
            .args(line.split_whitespace())
            .current_dir(world.work())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", world.own("home"))
            .env("WASMER_DIR", world.own("wasmer"))
            .env("WASMER_CACHE_DIR", world.cache())
            .env("LD_PRELOAD", library)
            .env("PROBE_FORBIDDEN", world.forbidden())
            .env("PROBE_REPORT", world.report())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?);
        if let Some(policy) = policy {
            let path = world.own("policy.toml");
            fs::write(
                &path,
                policy.replace("{work}", &world.work().to_string_lossy()),
            )?;
            command.env("WASIX_LANDLOCK_POLICY", path);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("can't start {}", self.path.display()))?;
        let Some(status) = end_within(&mut child, DEADLINE)? else {
            bail!("`wasmer {line}` ({}) doesn't end", self.name);
        };
        Ok(Outcome {
            code: status.code(),
            stdout: fs::read_to_string(&stdout)?,
            stderr: fs::read_to_string(&stderr)?,
        })
    }
}

/// Builds the library that asks the kernel.
pub fn preloaded(target: &Path) -> anyhow::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("forbidden_open.c");
    let library = target.join("forbidden_open.so");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&library, &source])
        .status()
        .context("can't start cc")?;
    ensure!(status.success(), "{}: {status}", source.display());
    Ok(library)
}
