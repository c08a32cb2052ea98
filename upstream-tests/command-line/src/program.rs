//! `wasmer`, as published and with the forks.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use wasix_landlock_testing::{end_within, patch_lines};

use crate::world::World;

/// A release of `wasmer-cli`, and the forks that fit.
#[derive(Debug)]
pub struct Release {
    /// Of `wasmer-cli`.
    pub version: &'static str,
    /// The folder of the forks, below `patches/`.
    forks: &'static str,
    /// The oldest Rust that compiles both.
    rust: &'static str,
}

/// All releases, and first the one whose results the table has in full.
pub const RELEASES: [Release; 2] = [
    Release {
        version: "7.4.2",
        forks: ".",
        rust: "1.95",
    },
    Release {
        version: "7.5.0",
        forks: "versions/7.5.0",
        rust: "1.96",
    },
];

impl Release {
    /// Both programs, as published and with the forks below `patches`. Builds each below `target` as a user would: from
    /// the registry, without and with two lines of configuration. `None` if there is no Rust for them, whose reason is
    /// printed.
    ///
    /// # Errors
    /// A failed build.
    pub fn install(&self, patches: &Path, target: &Path) -> anyhow::Result<Option<[Program; 2]>> {
        let script = patches.join("../.ci/debian-rust");
        let found = Command::new(&script)
            .arg(self.rust)
            .output()
            .with_context(|| format!("can't start {}", script.display()))?;
        let found_text = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        if !found.status.success() {
            println!("SKIPPED wasmer-cli {}: {found_text}", self.version);
            return Ok(None);
        }
        let target = target.join(self.version);
        std::fs::create_dir_all(&target)?;
        let rustc = Path::new(&found_text);
        let forks = patches.join(self.forks);
        Ok(Some([
            Program::install(self.version, UPSTREAM, rustc, None, &target)?,
            Program::install(self.version, FORK, rustc, Some(&forks), &target)?,
        ]))
    }

    /// Both programs, as an earlier run has left them below `target`. `None` if neither is there.
    ///
    /// # Errors
    /// One without the other.
    pub fn installed(&self, target: &Path) -> anyhow::Result<Option<[Program; 2]>> {
        let target = target.join(self.version);
        if !target.exists() {
            return Ok(None);
        }
        let program = |name| -> anyhow::Result<Program> {
            let path = target.join(name).join("bin/wasmer");
            let path = path
                .canonicalize()
                .with_context(|| format!("{} is not there", path.display()))?;
            Ok(Program { name, path })
        };
        Ok(Some([program(UPSTREAM)?, program(FORK)?]))
    }
}

const UPSTREAM: &str = "upstream";
const FORK: &str = "fork";
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
    fn install(
        version: &str,
        name: &'static str,
        rustc: &Path,
        forks: Option<&Path>,
        target: &Path,
    ) -> anyhow::Result<Self> {
        let root = target.join(name);
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args([
                "install",
                &format!("wasmer-cli@{version}"),
                "--debug",
                "--no-default-features",
            ])
            .args(["--features", FEATURES, "--root"])
            .arg(&root)
            // Most of both builds is the same. What is compared needs no speed.
            .env("CARGO_TARGET_DIR", target.join("build"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("RUSTC", rustc)
            // Away from this workspace and its configuration.
            .current_dir(target);
        if let Some(folder) = forks {
            // The forks' sources may have changed, which `cargo install` doesn't see.
            cargo.args(patch_lines(folder)).arg("--force");
        }
        let status = cargo.status().context("can't start cargo")?;
        ensure!(
            status.success(),
            "wasmer-cli {version} ({name}) was not built: {status}"
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
