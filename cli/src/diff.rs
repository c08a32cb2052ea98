//! `diff`: two profiles, by what they allow.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use wasix_landlock_profile::{Profile, diff};

use crate::output::print_json;
use crate::yes;

/// Compares what two profiles allow: host paths and rights, ports, limits, groups and protections. A grant within a
/// wider one is no difference, and neither is the order of the text.
#[derive(Args)]
#[command(after_help = "\
The exit code is 0 if both allow the same, and 1 if they don't.

Examples:
  wasix-landlock diff old.toml new.toml
  wasix-landlock diff --json old.toml new.toml | jq '.right.paths'")]
pub struct Diff {
    /// Prints the difference as JSON: `left` is what only the first profile allows.
    #[arg(long)]
    json: bool,
    /// The one profile.
    left: PathBuf,
    /// The other one.
    right: PathBuf,
}

impl Diff {
    /// Prints the difference.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let difference = diff(&Profile::load(&self.left)?, &Profile::load(&self.right)?);
        match self.json {
            true => print_json(&difference)?,
            false => print!("{difference}"),
        }
        Ok(yes(difference.is_empty()))
    }
}
