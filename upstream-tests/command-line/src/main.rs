//! Builds the published command line `wasmer` as it is and with the forks, and compares what both do.
#![forbid(unsafe_code)]

mod cases;
mod compare;
mod program;
mod table;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use cases::{CASES, Case};
use clap::Parser;
use compare::Row;
use program::{Program, RELEASES};
use wasix_landlock_testing::{output::write_or_compare, preload};
use world::World;

/// Builds `wasmer` twice for each release, runs the cases with both builds, and writes RESULTS.md.
#[derive(Parser)]
struct Arguments {
    /// Fails if RESULTS.md says something else.
    #[arg(long)]
    check: bool,
    /// Takes the programs that an earlier run has left in this directory.
    #[arg(long, value_name = "DIR")]
    built: Option<PathBuf>,
    /// Only the cases whose names contain this, and no RESULTS.md.
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
    /// Only this release of `wasmer-cli`, and no RESULTS.md.
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("command-line: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let patches = folder.join("../../patches").canonicalize()?;
    let own = std::env::current_exe()?;
    let beside = own
        .ancestors()
        .nth(2)
        .context("this program isn't in a target directory")?;
    let target = match &arguments.built {
        Some(built) => built.clone(),
        None => beside.join("command-line"),
    };
    std::fs::create_dir_all(&target)?;
    let library = preload::forbidden_open(&target)?;

    let mut releases = Vec::new();
    for release in &RELEASES {
        let version = release.version;
        if arguments
            .release
            .as_ref()
            .is_some_and(|only| only != version)
        {
            continue;
        }
        let programs = match arguments.built {
            Some(_) => release.installed(&target)?,
            None => release.install(&patches, &target)?,
        };
        let Some(programs) = programs else { continue };
        println!("wasmer-cli {version}");
        let rows = rows(arguments.case.as_deref(), &programs, &library)
            .with_context(|| format!("wasmer-cli {version}"))?;
        releases.push((version, rows));
    }
    ensure!(!releases.is_empty(), "no such release");
    if arguments.case.is_some() || releases.len() != RELEASES.len() {
        return Ok(());
    }
    let results = folder.join("RESULTS.md");
    let text = table::text(&releases);
    Ok(write_or_compare(&results, &text, arguments.check)?)
}

/// Runs the cases with `text` in their name, and fails if one is not as it must be.
fn rows(
    text: Option<&str>,
    programs: &[Program; 2],
    library: &Path,
) -> anyhow::Result<Vec<(&'static Case, Row)>> {
    let directory = tempfile::tempdir()?;
    let world = World::new(directory.path().canonicalize()?)?;
    let mut rows = Vec::new();
    let wanted = |name: &str| text.is_none_or(|text| name.contains(text));
    for case in CASES.iter().filter(|case| wanted(case.name)) {
        let row = compare::compare(case, programs, &world, library)
            .with_context(|| format!("case `{}`", case.name))?;
        println!(
            "{}: {}",
            case.name,
            if row.wrong.is_empty() {
                "as it must be"
            } else {
                "WRONG"
            }
        );
        for wrong in &row.wrong {
            println!("{wrong}");
        }
        rows.push((case, row));
    }
    ensure!(!rows.is_empty(), "no such case");
    let wrong = rows.iter().filter(|(_, row)| !row.wrong.is_empty()).count();
    ensure!(
        wrong == 0,
        "{wrong} of {} cases are not as they must be",
        rows.len()
    );
    println!("{} cases", rows.len());
    Ok(rows)
}
