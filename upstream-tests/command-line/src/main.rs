//! Builds the published command line `wasmer` as it is and with the forks, and compares what both do.
#![forbid(unsafe_code)]

mod cases;
mod compare;
mod program;
mod table;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use cases::CASES;
use program::Program;
use wasix_landlock_testing::output::write_or_compare;
use world::World;

const USAGE: &str = "\
usage: wasix-landlock-command-line [OPTION]...   build, compare, and write RESULTS.md
  --check              fail if RESULTS.md says something else
  --built DIR          take the programs that an earlier run has left in DIR
  --case TEXT          only the cases with TEXT in their name, and no RESULTS.md";

#[derive(Default)]
struct Options {
    check: bool,
    built: Option<PathBuf>,
    case: Option<String>,
}

fn main() -> ExitCode {
    match options().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("command-line: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => options.check = true,
            "--built" => options.built = Some(arguments.next().context(USAGE)?.into()),
            "--case" => options.case = Some(arguments.next().context(USAGE)?),
            _ => bail!(USAGE),
        }
    }
    Ok(options)
}

fn run(options: Options) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let patches = folder.join("../../patches").canonicalize()?;
    let own = std::env::current_exe()?;
    let beside = own
        .ancestors()
        .nth(2)
        .context("this program isn't in a target directory")?;
    let target = options
        .built
        .clone()
        .unwrap_or_else(|| beside.join("command-line"));
    std::fs::create_dir_all(&target)?;
    let programs =
        [("upstream", None), ("fork", Some(patches.as_path()))].map(|(name, forks)| match &options
            .built
        {
            Some(built) => Ok(Program {
                name,
                path: built.join(name).join("bin/wasmer").canonicalize()?,
            }),
            None => Program::install(name, forks, &target),
        });
    let [upstream, fork] = programs;
    let (upstream, fork) = (upstream?, fork?);
    let library = program::preloaded(&target)?;
    let directory = tempfile::tempdir()?;
    let world = World::new(directory.path().canonicalize()?)?;

    let mut rows = Vec::new();
    let wanted = |name: &str| options.case.as_ref().is_none_or(|text| name.contains(text));
    for case in CASES.iter().filter(|case| wanted(case.name)) {
        let row = compare::compare(case, [&upstream, &fork], &world, &library)
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
    if options.case.is_some() {
        return Ok(());
    }
    let results = folder.join("RESULTS.md");
    Ok(write_or_compare(
        &results,
        &table::text(&rows),
        options.check,
    )?)
}
