//! The files that are made from the command line itself: completions and manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

/// The completions of a shell.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wasix-landlock completions bash > ~/.local/share/bash-completion/completions/wasix-landlock")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Prints those of a command line.
    pub fn execute(&self, mut command: Command) -> anyhow::Result<ExitCode> {
        clap_complete::generate(
            self.shell,
            &mut command,
            "wasix-landlock",
            &mut std::io::stdout(),
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// The manual pages.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wasix-landlock man | man -l -
  wasix-landlock man ~/.local/share/man/man1")]
pub struct Man {
    /// The directory for the pages of the program and of each command; without, the program's is printed.
    directory: Option<PathBuf>,
}

impl Man {
    /// Writes those of a command line.
    pub fn execute(&self, command: Command) -> anyhow::Result<ExitCode> {
        match &self.directory {
            Some(directory) => std::fs::create_dir_all(directory)
                .and_then(|()| clap_mangen::generate_to(command, directory))
                .with_context(|| format!("can't write to {}", directory.display()))?,
            None => clap_mangen::Man::new(command).render(&mut std::io::stdout())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
