//! Builds the tests of a crate, lists them, and runs each in a process of its own: enforcement can't be undone, so
//! that a test would otherwise run under what an earlier one asked for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::layout::{Crate, Layout};

/// A test that takes longer hangs.
const TIMEOUT: Duration = Duration::from_secs(90);

/// The number of tests that run at a time.
const PARALLEL: usize = 2;

/// A test: the program that it is in, and its name.
pub type Test = (String, String);

/// The value of `WASIX_LANDLOCK` when a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Unset, so that preopens are enforced.
    Enforce,
    /// `off`.
    Off,
    /// No mode's name. The fork's `build()` then fails, and so does every test that gets there and would have been
    /// under enforcement afterwards.
    Nonsense,
}

/// The end of a test: `None` if it passed, or else its output.
pub type Outcome = Option<String>;

/// The built tests of one crate.
#[derive(Debug)]
pub struct Programs {
    folder: PathBuf,
    output: PathBuf,
    programs: BTreeMap<String, PathBuf>,
    /// Further environment variables for them.
    variables: Vec<(&'static str, OsString)>,
}

impl Programs {
    /// Builds the tests of `each` with cargo: the programs in `targets`, of which `lib` is the unit tests.
    ///
    /// # Errors
    /// Cargo can't be run, or says that it failed.
    pub fn build(
        layout: &Layout,
        each: Crate,
        targets: &[&str],
        target_dir: &Path,
    ) -> anyhow::Result<Self> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args([
            "test",
            "--no-run",
            "--release",
            "--message-format=json-render-diagnostics",
        ]);
        cargo.arg("--manifest-path").arg(layout.manifest());
        cargo
            .arg("--target-dir")
            .arg(target_dir)
            .args(["--package", each.name]);
        for target in targets {
            match *target {
                "lib" => cargo.arg("--lib"),
                target => cargo.args(["--test", target]),
            };
        }
        // Upstream's and the patches' warnings are not this program's subject.
        cargo
            .env("RUSTFLAGS", std::env::var("RUSTFLAGS").unwrap_or_default())
            .stderr(Stdio::inherit());
        let output = cargo.output().context("cargo")?;
        ensure!(
            output.status.success(),
            "the tests of {} don't compile",
            each.name
        );
        let mut programs = BTreeMap::new();
        for line in String::from_utf8(output.stdout)?.lines() {
            let message: Value = serde_json::from_str(line)?;
            let target = &message["target"];
            if let (Some(program), Some(name)) =
                (message["executable"].as_str(), target["name"].as_str())
            {
                let unit = target["kind"][0] == "lib";
                let name = if unit { "lib" } else { name };
                programs.insert(name.to_owned(), PathBuf::from(program));
            }
        }
        ensure!(
            programs.len() == targets.len(),
            "cargo built {:?} only",
            programs.keys()
        );
        let output = layout.output();
        fs::create_dir_all(&output)?;
        Ok(Self {
            folder: layout.folder(each),
            output,
            programs,
            variables: Vec::new(),
        })
    }

    /// Sets environment variables for the tests.
    pub fn set(&mut self, variables: Vec<(&'static str, OsString)>) {
        self.variables = variables;
    }

    /// The tests, and whether upstream ignores them.
    ///
    /// # Errors
    /// A program can't be run or lists nothing.
    pub fn list(&self) -> anyhow::Result<BTreeMap<Test, bool>> {
        let mut tests = BTreeMap::new();
        for (target, program) in &self.programs {
            for ignored in [false, true] {
                let mut command = self.command(program, Mode::Enforce);
                command.args(["--list", "--format", "terse"]);
                if ignored {
                    command.arg("--ignored");
                }
                let output = command
                    .output()
                    .with_context(|| format!("{}", program.display()))?;
                ensure!(output.status.success(), "{target} can't list its tests");
                for line in String::from_utf8(output.stdout)?.lines() {
                    if let Some(name) = line.strip_suffix(": test") {
                        tests.insert((target.clone(), name.to_owned()), ignored);
                    }
                }
            }
        }
        ensure!(!tests.is_empty(), "there are no tests");
        Ok(tests)
    }

    /// Runs `tests`.
    ///
    /// # Errors
    /// A test can't be run at all.
    pub fn run(&self, tests: &[Test], mode: Mode) -> anyhow::Result<BTreeMap<Test, Outcome>> {
        let left = Mutex::new(tests.iter());
        let worker = |number: usize| -> anyhow::Result<Vec<(Test, Outcome)>> {
            let mut done = Vec::new();
            loop {
                let next = left
                    .lock()
                    .map_err(|_| anyhow::anyhow!("another worker panicked"))?
                    .next();
                let Some(test) = next else { break Ok(done) };
                done.push((test.clone(), self.run_one(test, mode, number)?));
            }
        };
        let mut outcomes = BTreeMap::new();
        scope(|scope| {
            let handles: Vec<_> = (0..PARALLEL)
                .map(|number| scope.spawn(move || worker(number)))
                .collect();
            for handle in handles {
                match handle.join() {
                    Ok(done) => outcomes.extend(done?),
                    Err(_) => bail!("a worker panicked"),
                }
            }
            Ok(())
        })?;
        // Some of upstream's tests measure time. What fails beside another test gets a second try alone.
        for (test, outcome) in &mut outcomes {
            if outcome.is_some() && mode != Mode::Nonsense {
                *outcome = self.run_one(test, mode, PARALLEL)?;
            }
        }
        Ok(outcomes)
    }

    fn run_one(&self, (target, name): &Test, mode: Mode, number: usize) -> anyhow::Result<Outcome> {
        let program = self
            .programs
            .get(target)
            .context("a test without a program")?;
        let path = self.output.join(number.to_string());
        let output = File::create(&path)?;
        let mut child = self
            .command(program, mode)
            .args(["--exact", name, "--test-threads=1", "--nocapture"])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if start.elapsed() > TIMEOUT {
                child.kill()?;
                child.wait()?;
                break None;
            }
            sleep(Duration::from_millis(5));
        };
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        Ok(match status {
            // A name that matches nothing would pass as well.
            Some(status) if status.success() && text.contains("1 passed") => None,
            Some(status) => Some(format!("{text}{status}")),
            None => Some(format!("{text}no end after {} s", TIMEOUT.as_secs())),
        })
    }

    fn command(&self, program: &Path, mode: Mode) -> Command {
        let mut command = Command::new(program);
        // As cargo would run it.
        command
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .env("RUST_BACKTRACE", "0")
            .envs(self.variables.iter().cloned());
        match mode {
            Mode::Enforce => command.env_remove("WASIX_LANDLOCK"),
            Mode::Off => command.env("WASIX_LANDLOCK", "off"),
            Mode::Nonsense => command.env("WASIX_LANDLOCK", "nonsense"),
        };
        command
    }
}
