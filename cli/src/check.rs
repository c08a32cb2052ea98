//! `check`: lock files that have the forks.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use wasix_landlock_check::{Report, Status};

use crate::output::print_json;
use crate::yes;

/// Checks that lock files have the forks. Cargo only warns when it passes over a patch, and then builds a program that
/// enforces nothing.
#[derive(Args)]
#[command(after_help = "\
The exit code is 0 if each lock file has the forks, and 1 if one hasn't.

Examples:
  wasix-landlock check path/to/Cargo.lock
  wasix-landlock check --json . | jq '.[].patched'")]
pub struct Check {
    /// Prints the findings as JSON.
    #[arg(long)]
    json: bool,
    /// Lock files, or the folders that have them.
    #[arg(value_name = "LOCKFILE", default_value = "Cargo.lock")]
    locks: Vec<PathBuf>,
}

/// The result for a lock file, for programs.
#[derive(Serialize)]
struct Checked {
    lock: String,
    patched: bool,
    findings: Vec<Found>,
    /// The lines that the root `Cargo.toml` lacks.
    lines: Vec<String>,
}

#[derive(Serialize)]
struct Found {
    name: &'static str,
    version: Option<String>,
    patched: bool,
    reason: Option<String>,
}

impl Checked {
    fn of(lock: String, report: &Report) -> Self {
        let found = |finding: &wasix_landlock_check::Finding| Found {
            name: finding.name,
            version: finding.version.clone(),
            patched: matches!(finding.status, Status::Patched { .. }),
            reason: match &finding.status {
                Status::Patched { .. } => None,
                Status::NotPatched(reason) => Some(reason.to_string()),
            },
        };
        Self {
            lock,
            patched: report.is_patched(),
            findings: report.findings.iter().map(found).collect(),
            lines: report.lines(),
        }
    }
}

impl Check {
    /// Prints the findings.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let mut checked = Vec::new();
        for path in &self.locks {
            let path = match path.is_dir() {
                true => path.join("Cargo.lock"),
                false => path.clone(),
            };
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("can't read {}", path.display()))?;
            let report =
                wasix_landlock_check::check(&text).with_context(|| path.display().to_string())?;
            if !self.json {
                print!("{}: {report}", path.display());
            }
            checked.push(Checked::of(path.display().to_string(), &report));
        }
        if self.json {
            print_json(&checked)?;
        }
        Ok(yes(checked.iter().all(|lock| lock.patched)))
    }
}
