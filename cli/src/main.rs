//! The program `wasix-landlock`: runs WASI modules that the kernel keeps to their grants, and says what they need.
#![forbid(unsafe_code)]

mod check;
mod child;
mod command;
mod compare;
mod diff;
mod explain;
mod generate;
mod grants;
mod imports;
mod learn;
mod module;
mod output;
mod program;
mod run;
mod runner;
mod show;
mod validate;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use tracing_subscriber::EnvFilter;
use wasmer_wasix::landlock::with_causes;

use command::{Arguments, Command};

/// The exit code of an answer that is no: refused, not patched, invalid, different, or not working yet.
const NO: u8 = 1;
/// The exit code if the program itself fails, so that a module's own codes can be told from it.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            // Denials are for whoever runs the module, unless they say otherwise.
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("error,wasix_landlock=warn")),
        )
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr)
        .init();
    match execute(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("wasix-landlock: {}", with_causes(error.as_ref()));
            ExitCode::from(FAILED)
        }
    }
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(run) => run.execute(),
        Command::Show(show) => show.execute(),
        Command::Explain(explain) => explain.execute(),
        Command::Imports(imports) => imports.execute(),
        Command::Check(check) => check.execute(),
        Command::Validate(validate) => validate.execute(),
        Command::Diff(diff) => diff.execute(),
        Command::Learn(learn) => learn.execute(),
        Command::Compare(compare) => compare.execute(),
        Command::Completions(completions) => completions.execute(Arguments::command()),
        Command::Man(man) => man.execute(Arguments::command()),
        Command::Child { request } => child::execute(&request),
    }
}

/// The exit code of a yes or no.
fn yes(is: bool) -> ExitCode {
    if is {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO)
    }
}
