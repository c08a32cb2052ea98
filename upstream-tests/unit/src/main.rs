//! Runs the tests of the published `wasmer-wasix` and `virtual-fs`, and upstream's fixture programs, unmodified, on the
//! forks with enforcement on and on upstream, and compares.
#![forbid(unsafe_code)]

mod compare;
mod fixtures;
mod layout;
mod lists;
mod report;
mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use layout::{CRATES, Column, Crate, Layout};
use lists::Lists;
use report::Report;
use run::{Mode, Outcome, Programs, Test};

const USAGE: &str = "\
usage: wasix-landlock-upstream-units [OPTION]...   run the tests, print what differs, and write RESULTS.md
  --crate NAME      only those of virtual-fs or of wasmer-wasix, and only their section of RESULTS.md
  --check           fail if RESULTS.md says something else
or, instead of the tests in the published crates:
  --checkout PATH   upstream's fixture programs for WASI in the checkout PATH: compiles them for wasm32-wasip1, and
                    fails if the fork fails one that upstream passes";

struct Options {
    crates: Vec<Crate>,
    check: bool,
    checkout: Option<PathBuf>,
}

fn main() -> ExitCode {
    match options().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("upstream-units: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options {
        crates: CRATES.to_vec(),
        check: false,
        checkout: None,
    };
    let mut others = false;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--checkout") => {
                options.checkout = Some(arguments.next().context(USAGE)?.into());
            }
            Some("--check") => {
                options.check = true;
                others = true;
            }
            Some("--crate") => {
                others = true;
                let name = arguments.next().context(USAGE)?;
                options.crates.retain(|each| name == each.name);
                ensure!(!options.crates.is_empty(), USAGE);
            }
            _ => bail!(USAGE),
        }
    }
    ensure!(!others || options.checkout.is_none(), USAGE);
    Ok(options)
}

fn run(options: Options) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repository = folder.join("../..").canonicalize()?;
    let program = std::env::current_exe()?;
    // `target/release/…`: beside the other release builds, to share what they compiled.
    let target_dir = program
        .ancestors()
        .nth(2)
        .context("this program isn't in a target directory")?;
    let lists = Lists::load(folder)?;
    let mut layouts = Vec::new();
    for column in Column::ALL {
        let root = target_dir.join("upstream-units").join(column.name());
        layouts.push(Layout::make(column, &repository, &root)?);
    }
    if let Some(checkout) = &options.checkout {
        let [_, each] = CRATES;
        compare::fixtures(checkout, each, &layouts, &lists, target_dir)?;
        for layout in &layouts {
            layout.check_lock(&repository)?;
        }
        return Ok(());
    }
    let mut reports = Vec::new();
    for each in &options.crates {
        let report = compare(*each, &layouts, &lists, target_dir)?;
        print!("{}", report.details());
        reports.push(report);
    }
    for layout in &layouts {
        layout.check_lock(&repository)?;
    }
    for report in &reports {
        println!("{}", report.summary());
    }
    let wrong: usize = reports.iter().map(|report| report.wrong.len()).sum();
    ensure!(wrong == 0, "{wrong} of the above must not be");
    report::update(&folder.join("RESULTS.md"), &reports, options.check)
}

/// Builds and runs the tests of `each` in both columns.
fn compare(
    each: Crate,
    layouts: &[Layout],
    lists: &Lists,
    target_dir: &Path,
) -> anyhow::Result<Report> {
    let mut targets = vec!["lib"];
    if each.name == "wasmer-wasix" {
        targets.extend(["binary_package", "runner_exit_code", "runners", "stdio"]);
        for line in fixtures::without_checkout() {
            println!("{line}");
        }
    }
    let mut columns = Vec::new();
    for layout in layouts {
        columns.push(Programs::build(layout, each, &targets, target_dir)?);
    }
    let [upstream, fork] = &columns[..] else {
        bail!("there are two columns")
    };
    let tests = upstream.list()?;
    // The fork's own modules have tests besides.
    let of_fork = fork.list()?;
    for (test, ignored) in &tests {
        ensure!(
            of_fork.get(test) == Some(ignored),
            "the fork doesn't have the test {test:?}"
        );
    }
    let key = |test: &Test| (each.name.to_owned(), test.clone());
    let runs = |test: &Test| {
        lists
            .impossible
            .get(&key(test))
            .is_none_or(|reason| reason.runs)
    };
    let to_run: Vec<Test> = tests
        .iter()
        .filter(|(test, ignored)| !**ignored && runs(test))
        .map(|(test, _)| test.clone())
        .collect();
    println!(
        "{}: {} tests, each in its own process",
        each.name,
        to_run.len()
    );
    let on_upstream = upstream.run(&to_run, Mode::Enforce)?;
    let on_fork = fork.run(&to_run, Mode::Enforce)?;
    let passed = |outcomes: &BTreeMap<Test, Outcome>, pass: bool| -> Vec<Test> {
        outcomes
            .iter()
            .filter(|(_, outcome)| outcome.is_none() == pass)
            .map(|(test, _)| test.clone())
            .collect()
    };
    let off = fork.run(&passed(&on_fork, false), Mode::Off)?;
    let nonsense = fork.run(&passed(&on_fork, true), Mode::Nonsense)?;
    Ok(Report::new(
        each.name,
        &tests,
        lists,
        [&on_upstream, &on_fork, &off, &nonsense],
    ))
}
