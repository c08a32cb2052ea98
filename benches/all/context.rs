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
                &["--locked"],
            )?);
        }
        Ok(self.upstream.get().context("it was just built")?)
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
