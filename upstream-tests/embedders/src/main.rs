//! Builds libwasmer, as published and with the forks, and has programs embed it that know nothing of the forks: one in C,
//! and CPython by `ctypes`. Each runs OpenSSL's `genrsa` in a directory, and then opens natively what nobody granted.
#![forbid(unsafe_code)]

mod cases;
mod library;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use cases::CASES;
use clap::Parser;
use library::Library;
use wasix_landlock_programs::packages::{OPENSSL, Unavailable};
use wasix_landlock_testing::output::write_or_compare;

/// Builds libwasmer twice, runs the programs that embed it with both, and writes RESULTS.md.
#[derive(Parser)]
struct Arguments {
    /// Fails if RESULTS.md says something else.
    #[arg(long)]
    check: bool,
    /// Only the cases whose names contain this, and no RESULTS.md.
    #[arg(long)]
    case: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Unavailable>() => {
            println!("SKIPPED embedders: {error}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("embedders: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let openssl = OPENSSL.get()?;
    let target = target_folder()?;
    let published = Library::build("published", None, &target)?;
    let patches = folder.join("../../patches").canonicalize()?;
    let forked = Library::build("forks", Some(&patches), &target)?;
    let is_wanted = |name: &str| {
        let text = arguments.case.as_ref();
        text.is_none_or(|text| name.contains(text.as_str()))
    };
    let mut rows = Vec::new();
    for case in CASES.iter().filter(|case| is_wanted(case.name)) {
        let outputs = [&published, &forked].map(|library| case.run(library, &openssl));
        let [published, forked] = outputs;
        let (published, forked) = (published?, forked?);
        println!("{}", case.name);
        ensure!(
            case.published.matches(&published),
            "{}, published: {published:?}",
            case.name
        );
        ensure!(
            case.forked.matches(&forked),
            "{}, with the forks: {forked:?}",
            case.name
        );
        rows.push(case);
    }
    ensure!(!rows.is_empty(), "no such case");
    println!("{} cases are as they must be", rows.len());
    if arguments.case.is_some() {
        return Ok(());
    }
    let results = folder.join("RESULTS.md");
    Ok(write_or_compare(
        &results,
        &table::text(&rows),
        arguments.check,
    )?)
}

/// A folder for both builds, beside what cargo builds of this program.
fn target_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.ancestors().nth(2).unwrap_or(Path::new("/"));
    let folder = beside.join("embedders");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
