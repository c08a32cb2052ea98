//! Runs the comparison: see the library's documentation.
#![forbid(unsafe_code)]

mod other;
mod worker;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use wasix_landlock_differential::compare::Comparison;
use wasix_landlock_differential::fuzz::{Found, Outcomes, fuzz, shrink, way_of};
use wasix_landlock_differential::generate::generate;
use wasix_landlock_differential::known::{List, Standing};
use wasix_landlock_differential::sides::compare;
use wasix_landlock_differential::suite::{folder, in_parallel, kept, run};
use wasix_landlock_differential::table::{generated, reasons, table};
use wasix_landlock_differential::way::Way;

const USAGE: &str = "\
usage: wasix-landlock-differential cases [--write | --prune] [PART_OF_A_NAME...]
       wasix-landlock-differential fuzz SECONDS [SEED]
       wasix-landlock-differential seeds FIRST COUNT
       wasix-landlock-differential seed SEED [preopen | fs | mount | mapped]
       wasix-landlock-differential other NAME PROGRAM";

fn main() -> ExitCode {
    if let Some(code) = worker::worker() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match again_with_mounts() {
        Ok(None) => start(&arguments).map(|()| ExitCode::SUCCESS),
        Ok(Some(code)) => Ok(code),
        Err(error) => Err(error),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("differential: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &[&str]) -> anyhow::Result<()> {
    let mounts = std::env::var_os(MOUNTS_VARIABLE).is_some();
    let mut list = List::parse(include_str!("../known-differences.txt"))?;
    let program = std::env::current_exe()?;
    match *arguments {
        ["cases", ref rest @ ..] => cases(rest, &program, mounts, &mut list),
        ["fuzz", seconds, ref seed @ ..] => {
            let time = Duration::from_secs(seconds.parse().context(USAGE)?);
            let first = match seed {
                [] => fastrand::u64(..u64::MAX / 2),
                [seed] => seed.parse().context(USAGE)?,
                _ => bail!(USAGE),
            };
            let kept = cases(&[], &program, mounts, &mut list);
            let outcomes = fuzz(&program, first, None, time, &mut list)?;
            let generated = report(&program, first, &outcomes);
            kept.and(generated)
        }
        ["other", name, other] => {
            println!("{}", other::head());
            for (name, program) in [("the fork", &*program), (name, Path::new(other))] {
                println!("{}", other::row(name, program, mounts)?);
            }
            Ok(())
        }
        ["seeds", first, count] => {
            let (first, count) = (first.parse()?, count.parse()?);
            let outcomes = fuzz(&program, first, Some(count), Duration::MAX, &mut list)?;
            report(&program, first, &outcomes)
        }
        ["seed", seed, ref way @ ..] => {
            let seed = seed.parse().context(USAGE)?;
            let way = match way {
                [] => way_of(seed),
                [way] => Way::parse(way)?,
                _ => bail!(USAGE),
            };
            let case = generate(seed);
            print!("{case}");
            show(&compare(&case, way, &program)?, way, &list);
            Ok(())
        }
        _ => bail!(USAGE),
    }
}

/// The record of the last long run of generated cases, as `fuzz` prints it.
const GENERATED: &str = "generated.md";

/// Set in the process that has a mount namespace of its own.
const MOUNTS_VARIABLE: &str = "WASIX_LANDLOCK_DIFFERENTIAL_MOUNTS";

/// As root, runs this program again in a mount namespace of its own, and returns its exit code.
fn again_with_mounts() -> anyhow::Result<Option<ExitCode>> {
    let root = fs::metadata("/proc/self")?.uid() == 0;
    if !root || std::env::var_os(MOUNTS_VARIABLE).is_some() {
        return Ok(None);
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--"]);
        command
    };
    match unshare().arg("true").output() {
        Ok(output) if output.status.success() => {}
        tried => {
            println!("no mount namespace: {tried:?}");
            return Ok(None);
        }
    }
    let status = unshare()
        .arg(std::env::current_exe()?)
        .args(std::env::args().skip(1))
        .env(MOUNTS_VARIABLE, "yes")
        .status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(Some(code.map_or(ExitCode::FAILURE, ExitCode::from)))
}

/// Runs the kept cases.
fn cases(arguments: &[&str], program: &Path, mounts: bool, list: &mut List) -> anyhow::Result<()> {
    let (options, names): (Vec<&str>, Vec<&str>) = arguments
        .iter()
        .copied()
        .partition(|argument| argument.starts_with("--"));
    let all = names.is_empty();
    let mut cases = kept()?;
    cases.retain(|case| all || names.iter().any(|name| case.name.contains(name)));
    ensure!(!cases.is_empty(), "no case has such a name");
    let complete = mounts || cases.iter().all(|case| !case.mounts);
    let runs = run(cases, program, mounts)?;
    let (text, sums) = table(&runs, list);
    for run in &runs {
        for (way, comparison) in &run.comparisons {
            let unlisted = comparison
                .differences()
                .any(|difference| list.get(&difference.key, *way).is_none());
            if !all || unlisted {
                println!("\n{}, {}", run.case.name, way.name());
                show(comparison, *way, list);
            }
        }
    }
    let results = format!(
        "# System calls, native and in a module\n\nWritten by `cargo run --release -p wasix-landlock-differential -- \
         cases --write`. Each case makes a sequence of Linux system calls natively, and the same calls in a module. A \
         column shows one way to grant the directory to the module.\n\n{text}\n{}\n## Open faults\n\nThe number of \
         differing values for each fault.\n\n{}\n## Known differences\n\n{}",
        fs::read_to_string(folder(GENERATED))?,
        reasons(list, Standing::Open),
        reasons(list, Standing::Known),
    );
    println!("{results}");
    for option in options {
        ensure!(all && complete, "{option} needs all cases, and root");
        match option {
            "--write" => fs::write(folder("RESULTS.md"), &results)?,
            "--prune" => fs::write(folder("known-differences.txt"), list.pruned(mounts))?,
            _ => bail!(USAGE),
        }
    }
    let new: u64 = sums.iter().map(|tally| tally.new).sum();
    ensure!(new == 0, "{new} lines differ and are not on the list");
    // A part of the cases doesn't show all.
    let stale = if all && !arguments.contains(&"--prune") {
        list.stale(mounts)
    } else {
        Vec::new()
    };
    ensure!(
        stale.is_empty(),
        "no longer differs, remove it with `cases --prune`:\n{}",
        stale.join("\n")
    );
    Ok(())
}

/// Prints the lines that differ, or all if none does.
fn show(comparison: &Comparison, way: Way, list: &List) {
    for line in &comparison.lines {
        if line.differences.is_empty() {
            println!("    {}: {}", line.text, line.native);
        }
        for difference in &line.differences {
            let standing = list.get(&difference.key, way);
            let standing = standing.map_or("NEW", |entry| entry.standing.name());
            println!("  {standing} {}", line.text);
            println!("      key    {}", difference.key);
            println!("      native {}", difference.native);
            println!("      module {}", difference.module);
        }
    }
    if comparison.skipped > 0 {
        println!("    {} calls not compared", comparison.skipped);
    }
}

/// Prints what came of generated cases.
fn report(program: &Path, first: u64, outcomes: &Outcomes) -> anyhow::Result<()> {
    println!("{}", generated(first, outcomes));
    let mut by_key: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for found in outcomes.found.values() {
        by_key.entry(&found.difference.key).or_default().push(found);
    }
    let all: Vec<(&str, Vec<&Found>)> = by_key.into_iter().collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let cases = in_parallel(threads, all.len(), |index| {
        Ok(shrink(program, all[index].1[0]))
    })?;
    for ((key, found), case) in all.iter().zip(cases) {
        let ways: Vec<&str> = found.iter().map(|found| found.way.name()).collect();
        let Found {
            seed, difference, ..
        } = &found[0];
        println!("\n{key}\n  seed {seed}, {}", ways.join(" "));
        println!(
            "  native {}\n  module {}",
            difference.native, difference.module
        );
        print!("{case}");
    }
    let found = outcomes.found.len();
    ensure!(found == 0, "{found} differences that are not on the list");
    Ok(())
}
