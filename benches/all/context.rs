//! The context of all measurements: the request, the programs of the other columns, and progress messages.

use std::cell::{Cell, OnceCell};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use wasix_landlock_programs::build_program;
use wasix_landlock_programs::packages::{self, python_package};

use crate::own;

/// The context of all measurements.
pub struct Context {
    /// Samples of each kind.
    pub samples: usize,
    /// Only what is done soon.
    pub short: bool,
    /// Columns that were asked for; all, if none.
    pub wanted: Vec<String>,
    /// Only rows whose names contain this.
    pub only: String,
    /// The directory of the files that are worked on.
    pub work: PathBuf,
    /// The program for Wasmer as published, if it was named or built.
    pub upstream: OnceCell<PathBuf>,
    /// The start of the whole run.
    pub begun: Instant,
    /// The time of the last progress message.
    pub said: Cell<Option<Instant>>,
    /// The measurements that were left out because something of the machine's is missing.
    pub skipped: Cell<usize>,
    /// The worker to start, if not this program itself.
    pub worker: Option<PathBuf>,
    /// The minutes for which servers are watched, in place of what is measured otherwise.
    pub soak: Option<u64>,
    /// The program that serves with wasmtime, if it was built.
    pub wasmtime_server: OnceCell<PathBuf>,
}

const COLUMNS: [&str; 5] = ["native", "upstream", "fork", "enforced", "wasmtime"];

impl Context {
    /// The columns, in their order.
    pub fn columns(&self) -> Vec<&'static str> {
        let wanted =
            |column: &&str| self.wanted.is_empty() || self.wanted.iter().any(|w| w == column);
        COLUMNS.into_iter().filter(wanted).collect()
    }

    /// The program for Wasmer as published: of another workspace, and built when it is first asked for.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn upstream(&self) -> anyhow::Result<&Path> {
        if self.upstream.get().is_none() {
            self.say("building Wasmer as published (ten minutes, if it never was)");
            let _just_set = self.upstream.set(build_program(
                &own("../upstream-tests/baseline"),
                "benches",
                &["--locked"],
            )?);
        }
        Ok(self.upstream.get().context("it was just built")?)
    }

    /// The program that serves with wasmtime: of a workspace of its own, so that nobody else compiles wasmtime.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn wasmtime_server(&self) -> anyhow::Result<&Path> {
        if self.wasmtime_server.get().is_none() {
            self.say("building wasmtime (five minutes, if it never was)");
            let _just_set = self.wasmtime_server.set(build_program(
                &own("../upstream-tests/wasmtime"),
                "wasmtime-column",
                &["--locked"],
            )?);
        }
        Ok(self.wasmtime_server.get().context("it was just built")?)
    }

    /// Says that something is not measured, and counts it.
    pub fn skip(&self, what: &str, reason: &str) {
        eprintln!("\nSKIPPED {what}: {reason}");
        self.skipped.set(self.skipped.get() + 1);
    }

    /// The process of wasmtime's column.
    ///
    /// # Errors
    /// If the package can't be had.
    pub fn wasmtime(&self) -> anyhow::Result<Command> {
        let mut command = Command::new("python3");
        let packages = python_package("wasmtime")?;
        let paths = std::env::join_paths([packages, packages::own("")])?;
        command
            .env("PYTHONPATH", paths)
            .arg(own("all/wasmtime_column.py"));
        Ok(command)
    }

    /// Says what is going on: in one line of a terminal, else now and then.
    pub fn say(&self, what: &str) {
        let seconds = self.begun.elapsed().as_secs();
        let line = format!("{:>2}:{:02} {what}", seconds / 60, seconds % 60);
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K{line}");
            let _no_harm = std::io::stderr().flush();
        } else if self
            .said
            .get()
            .is_none_or(|said| said.elapsed().as_secs() >= 5)
        {
            eprintln!("{line}");
            self.said.set(Some(Instant::now()));
        }
    }
}
