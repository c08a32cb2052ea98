//! Real programs from the registries, unmodified: on the fork with enforcement, on Wasmer as published and on wasmtime;
//! and SQLite, killed at random while it commits.
#![forbid(unsafe_code)]

mod column;
mod durability;
mod programs;
mod steps;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use column::{Column, Place};
use programs::{PROGRAMS, Program};
use steps::compare;
use table::{Cell, Row};
use wasix_landlock_programs::{build_program, packages};

const USAGE: &str = "\
usage: wasix-landlock-programs [NAME...]       run the programs whose name contains one of these, print the table
       wasix-landlock-programs --write         run all programs, write RESULTS.md
       wasix-landlock-programs --check         run all programs, and fail if RESULTS.md says something else
       wasix-landlock-programs --short         run the small programs, on the fork and on wasmtime; fail if a step fails
       wasix-landlock-programs durability [KILLS] [--directory DIRECTORY] [--seed SEED]
                                               kill SQLite at random while it commits: 200 times by default
With UPSTREAM in WASIX_LANDLOCK_UPSTREAM, that program of upstream-tests/baseline is taken, and none is built.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        [verb @ ("compile" | "run"), description] => {
            column::child(verb, description).map(|code| ExitCode::from(code as u8))
        }
        ["durability", ref rest @ ..] => durability::command(rest).map(|()| ExitCode::SUCCESS),
        _ => run(&words).map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("programs: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(words: &[&str]) -> anyhow::Result<()> {
    match words {
        ["--short"] => short(),
        ["--write" | "--check"] => {
            let rows = rows(&PROGRAMS.iter().collect::<Vec<_>>(), &all_columns()?)?;
            let text = table::text(&["fork, enforced", "upstream", "wasmtime"], &rows)?;
            print!("{text}");
            print_skipped(&rows);
            table::update(&packages::own("RESULTS.md"), &text, words == ["--write"])
        }
        [option, ..] if option.starts_with('-') => bail!(USAGE),
        names => {
            let wanted = |program: &&Program| {
                names.is_empty() || names.iter().any(|name| program.name.contains(name))
            };
            let programs: Vec<&Program> = PROGRAMS.iter().filter(wanted).collect();
            ensure!(!programs.is_empty(), "no program has such a name");
            let rows = rows(&programs, &all_columns()?)?;
            print!(
                "{}",
                table::text(&["fork, enforced", "upstream", "wasmtime"], &rows)?
            );
            print_skipped(&rows);
            Ok(())
        }
    }
}

/// The small programs, without Wasmer as published, which takes minutes to build.
fn short() -> anyhow::Result<()> {
    let programs: Vec<&Program> = PROGRAMS.iter().filter(|program| program.small).collect();
    let rows = rows(&programs, &[Ok(Column::Fork), Column::wasmtime()])?;
    let mut failed = 0;
    for row in &rows {
        println!("{}", table::line(row));
        for cell in row.cells.iter().flatten() {
            for step in cell {
                if let Err(reason) = &step.result {
                    println!("{}, {}: {reason}", row.name, step.name);
                    failed += 1;
                }
            }
        }
    }
    print_skipped(&rows);
    ensure!(failed == 0, "{failed} steps failed");
    Ok(())
}

fn all_columns() -> anyhow::Result<[anyhow::Result<Column>; 3]> {
    let upstream = match std::env::var_os("WASIX_LANDLOCK_UPSTREAM") {
        Some(program) => PathBuf::from(program),
        None => {
            eprintln!("building Wasmer as published (ten minutes, if it never was)");
            build_program(&packages::own("../baseline"), "benches", &["--locked"])?
        }
    };
    Ok([
        Ok(Column::Fork),
        Ok(Column::Upstream(upstream)),
        Column::wasmtime(),
    ])
}

/// Runs the programs on the runtimes; the last of them is wasmtime, whose output is what the others' is compared with.
fn rows(programs: &[&Program], columns: &[anyhow::Result<Column>]) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for program in programs {
        let scratch = tempfile::tempdir()?;
        let mut cells: Vec<Cell> = match (program.get)() {
            Ok(paths) => columns
                .iter()
                .enumerate()
                .map(|(number, column)| {
                    let scratch = scratch.path().join(number.to_string());
                    cell(program, &paths, column.as_ref(), &scratch)
                })
                .collect::<anyhow::Result<_>>()?,
            Err(error) => {
                let reason =
                    unavailable(&error).with_context(|| format!("{}: {error:#}", program.name))?;
                columns.iter().map(|_| Err(reason.clone())).collect()
            }
        };
        if let Some((Ok(wasmtime), others)) = cells.split_last_mut() {
            for steps in others.iter_mut().flatten() {
                compare(steps, wasmtime);
            }
        }
        rows.push(Row {
            name: program.name,
            package: program.package,
            cells,
        });
    }
    Ok(rows)
}

fn cell(
    program: &Program,
    paths: &[PathBuf],
    column: Result<&Column, &anyhow::Error>,
    scratch: &Path,
) -> anyhow::Result<Cell> {
    let column = match column {
        Ok(column) => column,
        Err(error) => {
            return Ok(Err(
                unavailable(error).with_context(|| format!("{error:#}"))?
            ));
        }
    };
    if let Some(reason) = program.not_on(column) {
        return Ok(Err(reason.to_owned()));
    }
    eprintln!("{}, {}", program.name, column.name());
    let place = Place::new(column, scratch)?;
    let steps = (program.steps)(&place, paths)
        .with_context(|| format!("{}, {}", program.name, column.name()))?;
    Ok(Ok(steps))
}

/// The reason for which something is skipped, if an error is one.
fn unavailable(error: &anyhow::Error) -> Option<String> {
    Some(error.downcast_ref::<packages::Unavailable>()?.to_string())
}

fn print_skipped(rows: &[Row]) {
    let mut count = 0;
    for row in rows {
        for reason in row.cells.iter().filter_map(|cell| cell.as_ref().err()) {
            println!("SKIPPED {}: {reason}", row.name);
            count += 1;
        }
    }
    println!("{count} skipped");
}
