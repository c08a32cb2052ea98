//! Builds libwasmer and youki, as published and with the forks, and runs programs that know nothing of the forks: one in C and
//! CPython by `ctypes`, which embed libwasmer, and a container of youki's. Each runs OpenSSL in a module, and opens natively
//! what nobody granted.
#![forbid(unsafe_code)]

mod cases;
mod library;
mod package;
mod table;
mod youki;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cases::{CASES, Case, Embedder};
use clap::Parser;
use library::Library;
use wasix_landlock_programs::packages::{OPENSSL, Unavailable};
use wasix_landlock_testing::{is_root, output::write_or_compare, preload};
use youki::Youki;

/// No case takes near as long, on any machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// Builds libwasmer and youki twice, runs the programs with both, and writes RESULTS.md.
#[derive(Parser)]
struct Arguments {
    /// Fails if RESULTS.md says something else.
    #[arg(long)]
    check: bool,
    /// Only the cases whose names contain this, and no RESULTS.md.
    #[arg(long)]
    case: Option<String>,
    /// Only a few cases, and no RESULTS.md. Builds libwasmer with the forks alone: what the library does without enforcement is
    /// the other column.
    #[arg(long, conflicts_with_all = ["check", "case"])]
    short: bool,
}

/// The cases of the short form.
const SHORT: [&str; 2] = ["mapdir", "a thread of CPython's, by ctypes"];

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
    let patches = folder.join("../../patches").canonicalize()?;
    let preloaded = preload::forbidden_open(&target)?;
    if arguments.short {
        return short(&Library::build("forks", Some(&patches), &target)?, &openssl);
    }
    let published = Builds::new("published", None, &target, &preloaded)?;
    let forked = Builds::new("forks", Some(&patches), &target, &preloaded)?;
    let is_wanted = |name: &str| {
        let text = arguments.case.as_ref();
        text.is_none_or(|text| name.contains(text.as_str()))
    };
    let mut rows = Vec::new();
    let mut skipped = 0;
    for case in CASES.iter().filter(|case| is_wanted(case.name)) {
        if case.embedder == Embedder::Youki && !is_root() {
            println!(
                "SKIPPED embedders, {}: youki's containers need root",
                case.name
            );
            skipped += 1;
            continue;
        }
        let outputs = [&published, &forked].map(|builds| case.run(builds, &openssl));
        let [published, forked] = outputs;
        compare(case, &published?, &forked?)?;
        rows.push(case);
    }
    ensure!(!rows.is_empty(), "no such case");
    println!("{} cases are as they must be", rows.len());
    if arguments.case.is_some() || skipped > 0 {
        return Ok(());
    }
    let results = folder.join("RESULTS.md");
    Ok(write_or_compare(
        &results,
        &table::text(&rows),
        arguments.check,
    )?)
}

/// Runs the cases of the short form with one library, with enforcement and without.
fn short(library: &Library, openssl: &Path) -> anyhow::Result<()> {
    for name in SHORT {
        let case = CASES.iter().find(|case| case.name == name);
        let case = case.context("a case has another name")?;
        let outputs = ["off", "enforce"].map(|mode| case.embed(library, openssl, Some(mode)));
        let [off, enforced] = outputs;
        compare(case, &off?, &enforced?)?;
    }
    println!("{} cases are as they must be", SHORT.len());
    Ok(())
}

fn compare(case: &Case, published: &[String], forked: &[String]) -> anyhow::Result<()> {
    println!("{}", case.name);
    ensure!(
        case.published.matches(published),
        "{}, published or off: {published:?}",
        case.name
    );
    ensure!(
        case.forked.matches(forked),
        "{}, with the forks: {forked:?}",
        case.name
    );
    Ok(())
}

/// The programs and libraries that are compared, built in one way.
#[derive(Debug)]
struct Builds {
    library: Library,
    youki: Youki,
    /// The library that opens what nobody granted when a module prints.
    preloaded: PathBuf,
}

impl Builds {
    fn new(
        name: &str,
        forks: Option<&Path>,
        target: &Path,
        preloaded: &Path,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            library: Library::build(name, forks, target)?,
            youki: Youki::build(name, forks, target)?,
            preloaded: preloaded.to_owned(),
        })
    }
}

/// A folder for the builds, beside what cargo builds of this program.
fn target_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.ancestors().nth(2).unwrap_or(Path::new("/"));
    let folder = beside.join("embedders");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
