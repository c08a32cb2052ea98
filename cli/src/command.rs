//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::check::Check;
use crate::compare::Compare;
use crate::diff::Diff;
use crate::explain::Explain;
use crate::generate::{Completions, Man};
use crate::imports::Imports;
use crate::learn::Learn;
use crate::run::Run;
use crate::show::Show;
use crate::validate::Validate;

const EXIT_CODES: &str = "\
Exit codes:
  0    success, or the answer is yes
  1    the answer is no: refused, not patched, invalid, or not working yet
  2    the command line is wrong
  125  the program failed: a file can't be read, the module can't be compiled, the kernel can't enforce
`run` ends with the module's own exit code, and with 112 to 118 for a limit that was reached (`run --help`).";

/// Runs WASI modules that the Linux kernel keeps to what they are granted.
///
/// A module gets the files, ports, limits and functions that options or a profile name. The kernel (Landlock) and the
/// WASI layer refuse everything else.
#[derive(Parser)]
#[command(name = "wasix-landlock", version, after_help = EXIT_CODES, subcommand_required = true)]
pub struct Arguments {
    /// The task.
    #[command(subcommand)]
    pub command: Command,
}

/// The tasks of the program.
#[derive(Subcommand)]
pub enum Command {
    /// Runs a module; the kernel refuses what isn't named.
    Run(Run),
    /// Shows what `run` with the same options would grant and enforce, and runs nothing.
    Show(Show),
    /// Explains why a path of the host is allowed or refused.
    Explain(Explain),
    /// Lists what a module imports, and the groups that its profile has to allow.
    Imports(Imports),
    /// Checks that a Cargo.lock has the forks, so that the program built from it enforces.
    Check(Check),
    /// Checks profiles and policies from outside, and names the line and column of an error.
    Validate(Validate),
    /// Compares what two profiles allow, in terms of paths and rights.
    Diff(Diff),
    /// Finds the least that a module needs: runs it under enforcement, adds what was refused, and runs it again.
    Learn(Learn),
    /// Compares the compilers on a module: time to compile, size, memory, start and run, with and without enforcement.
    Compare(Compare),
    /// Prints the completions of a shell.
    Completions(Completions),
    /// Writes the manual pages.
    Man(Man),
    /// Does one step of `learn` or `compare` in a process of its own.
    #[command(hide = true)]
    Child {
        /// The file that describes the step.
        request: PathBuf,
    },
}
