//! `learn`: from a module's denials to the least that it needs.
//!
//! The module runs under enforcement. What it was refused is proposed and granted for the next run, as long as the
//! operator's bounds allow that, until it works. At the end only what was used is left.

mod bounds;
mod grants;
mod rounds;
mod text;
mod unenforced;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use wasix_landlock_profile::Profile;

use crate::grants::Leads;
use crate::output::print_json;
use crate::program::Program;
use crate::yes;
use bounds::Bounds;
use rounds::Rounds;

/// Finds the least that a module needs: runs it under enforcement, adds what was refused, and runs it again until it
/// works.
///
/// The module gets what it asks for only below `--within`, and nothing sensitive, such as private keys, unless
/// `--allow-sensitive` names it. Everything else that it asks for is listed. The result goes to standard output as a
/// profile, progress to standard error.
#[derive(Args)]
#[command(after_help = "\
The module really runs, more than once, and changes the files that it is granted. In a directory with nothing but its
data it can do no harm.

The exit code is 0 if the module works, and 1 if it doesn't.

Examples:
  wasix-landlock learn openssl.wasm genrsa -out keys/key.pem 2048 > policy.toml
  wasix-landlock learn --within /srv/data --allow-sensitive server.key service.wasm
  wasix-landlock learn --profile policy.toml --all --json service.wasm | jq '.never_used'")]
pub struct Learn {
    /// The module, with the grants to begin with.
    #[command(flatten)]
    program: Program,
    /// A directory of which the module may be granted what it asks for; without, the current directory.
    #[arg(long, value_name = "DIRECTORY")]
    within: Vec<PathBuf>,
    /// A sensitive path that the module may be granted if it asks for it.
    #[arg(long, value_name = "PATH")]
    allow_sensitive: Vec<PathBuf>,
    /// The exit code by which the module says that it works.
    #[arg(long, value_name = "CODE", default_value_t = 0)]
    expect: i32,
    /// Goes on until nothing is refused that could be granted, also if the module works without.
    #[arg(long)]
    all: bool,
    /// The most runs.
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: usize,
    /// Shows the module's output, on standard error.
    #[arg(long)]
    show_output: bool,
    /// Runs the module once WITHOUT ENFORCEMENT, and prints what it used. For a module that you trust. It may use what
    /// `--dir` and `--file` name, or else the current directory.
    #[arg(long, conflicts_with_all = ["within", "allow_sensitive", "all", "json"])]
    unenforced: bool,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Learn {
    /// Learns, and prints the result.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let profile = self.program.given.profile(&[])?;
        if self.unenforced {
            let profile = profile.arguments(&self.program.arguments);
            return unenforced::learn(&self.program, &profile);
        }
        let result = self.rounds(&profile)?.learn()?;
        match self.json {
            true => print_json(&result)?,
            false => print!("{}", text::result(&result)?),
        }
        Ok(yes(result.works))
    }

    fn rounds(&self, profile: &Profile) -> anyhow::Result<Rounds> {
        let mut stdin = None;
        // Each run gets the same.
        if matches!(self.program.given.stdin, Some(Leads::Inherit)) {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .context("can't read standard input")?;
            stdin = Some(bytes);
        }
        Ok(Rounds {
            module: self.program.module.clone(),
            compiler: self.program.compiler,
            profile: profile.clone(),
            arguments: self.program.arguments.clone(),
            bounds: Bounds::new(&self.within, &self.allow_sensitive)?,
            expected: self.expect,
            all: self.all,
            most: self.rounds,
            shown: self.show_output,
            stdin,
        })
    }
}
