//! Runs PostgreSQL compiled to WASIX on the fork, under enforcement, and on Wasmer as published, and prints or checks the
//! table of results.
#![forbid(unsafe_code)]

mod assets;
mod enforced;
mod guest;
mod kills;
mod places;
mod session;
mod steps;
mod table;
mod upstream;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, ensure};
use assets::Assets;
use places::Places;
use steps::{Outcome, STEPS};
use wasix_landlock_fork::SourceError;
use wasix_landlock_programs::{build_program, packages};

const USAGE: &str = "\
usage: wasix-landlock-postgres --short    all steps, with 2 kills, on the fork only; prints the results
       wasix-landlock-postgres --write    all steps, with 100 kills; writes RESULTS.md
       wasix-landlock-postgres --check    the same, and fails if RESULTS.md says something else
       wasix-landlock-postgres NAME...    the steps whose name contains one of these";

/// The first argument of a process that runs one program.
const CHILD: &str = "run-program";
/// The first argument of a process that is a worker.
const WORKER: &str = "worker";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments[..] {
        [first] if first == WORKER => return wasix_landlock_worker::serve(),
        [first, request] if first == CHILD => return guest::child(request, enforced::prepare),
        _ => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("postgres: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let options: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (kills, table, names) = match options[..] {
        ["--short"] => (2, None, &arguments[1..]),
        ["--write"] => (100, Some(false), &arguments[1..]),
        ["--check"] => (100, Some(true), &arguments[1..]),
        [] => bail!(USAGE),
        [option, ..] if option.starts_with('-') => bail!(USAGE),
        _ => (100, None, arguments),
    };
    let assets = match Assets::get() {
        Ok(assets) => assets,
        Err(error) if is_unreachable(&error) => {
            println!("SKIPPED all {} steps: {error:#}", STEPS.len());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let artifact = guest::artifact(&assets.files, "bin/postgres")?;
    let upstream = match table {
        Some(_) => {
            eprintln!("building Wasmer as published (ten minutes, if it never was)");
            let baseline = packages::own("../baseline");
            Some(build_program(&baseline, "postgres", &["--locked"])?)
        }
        None => None,
    };
    let places = Places {
        assets,
        artifact,
        upstream,
        kills,
    };
    let is_meant =
        |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
    let mut rows = Vec::new();
    let mut failed = 0;
    for step in STEPS.iter().filter(|step| is_meant(step.name)) {
        match (step.run)(&places) {
            Ok(outcome) => {
                match &outcome {
                    Outcome::Works(what) => println!("works    {}: {what}", step.name),
                    Outcome::Named(why) => println!("in part  {}: {why}", step.name),
                    Outcome::Skipped(why) => println!("SKIPPED {}: {why}", step.name),
                }
                let published = upstream::outcome(&places, step)?;
                println!("         as published: {published}");
                rows.push((step.name, outcome, published));
            }
            Err(error) => {
                println!("FAILED   {}: {error:#}", step.name);
                failed += 1;
            }
        }
    }
    ensure!(failed == 0, "{failed} of {} steps failed", STEPS.len());
    ensure!(!rows.is_empty(), "no step has such a name");
    match table {
        Some(check) => table::update(Path::new(env!("CARGO_MANIFEST_DIR")), &rows, check),
        None => Ok(()),
    }
}

/// True if the crate can't be had, as without a network. A wrong checksum is no such reason.
fn is_unreachable(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(SourceError::Download { .. }))
}
