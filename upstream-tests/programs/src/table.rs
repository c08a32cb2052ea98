//! The table of results: made from a run, and compared with the one that is committed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::steps::Step;

const HEAD: &str = "\
# Real programs

Made by `cargo run --release -p wasix-landlock-programs -- --write`, and checked with `-- --check`. The programs are as
the registries hold them. *fork, enforced* is this project with the preopens enforced by the kernel, *upstream* Wasmer
7.4.2 as published, both with Cranelift and through `WasiRunner`; *wasmtime* is its Python package 50.0.1. A step passes
if it ends well, what it made is what it should be, and what it printed and wrote is what the same step printed and wrote
on wasmtime, byte for byte.

";

const DURABILITY: &str = "
## Killed at random

`cargo run --release -p wasix-landlock-programs -- durability` has SQLite commit numbered rows in a rollback journal with
`synchronous=FULL`, on the fork with enforcement, and say each row's number once it is committed; kills the process with
SIGKILL at a random time, 200 times; and each time has the integrity check run, by the same module and by a native build
in turns, and looks for each row that was reported. It also compares the number of syncs that the module asked for with
what `strace` counts from outside. The directory is below the user's cache, or `--directory`: the disk is part of the
test.

What it shows: a commit that was reported had been handed to the kernel, in an order from which SQLite recovers, and each
sync of the module was one of the kernel's. What it doesn't: a kill takes the process away and leaves the page cache, so
that data that was written and never synced would survive it too. That the syncs reach the disk is shown by their count
alone, and what the disk does with them, when the power fails, not at all.
";

/// The outcome of a program on a runtime.
pub type Cell = Result<Vec<Step>, String>;

/// A program's row.
pub struct Row {
    pub name: &'static str,
    pub package: &'static str,
    pub cells: Vec<Cell>,
}

/// The table as text.
pub fn text(columns: &[&str], rows: &[Row]) -> anyhow::Result<String> {
    let mut text = String::from(HEAD);
    writeln!(text, "| program | from | {} |", columns.join(" | "))?;
    writeln!(text, "|---|---|{}", "---|".repeat(columns.len()))?;
    for row in rows {
        writeln!(text, "{}", line(row))?;
    }
    let mut failed = String::new();
    for row in rows {
        for (cell, column) in row.cells.iter().zip(columns) {
            failed += &reasons(row.name, column, cell);
        }
    }
    if !failed.is_empty() {
        write!(
            text,
            "\n## What fails, and what can't run\n\n| program | runtime | step | reason |\n|---|---|---|---|\n{failed}"
        )?;
    }
    text.push_str(DURABILITY);
    Ok(text)
}

/// A program's line of the first table.
pub fn line(row: &Row) -> String {
    let cells: Vec<String> = row.cells.iter().map(summary).collect();
    format!("| {} | {} | {} |", row.name, row.package, cells.join(" | "))
}

fn summary(cell: &Cell) -> String {
    let Ok(steps) = cell else {
        return "SKIPPED".to_owned();
    };
    let failed: Vec<&str> = steps
        .iter()
        .filter(|step| step.result.is_err())
        .map(|step| step.name.as_str())
        .collect();
    let passed = format!("{} of {}", steps.len() - failed.len(), steps.len());
    if failed.is_empty() {
        passed
    } else {
        format!("**{passed}**; not: {}", failed.join(", "))
    }
}

fn reasons(program: &str, column: &str, cell: &Cell) -> String {
    let steps = match cell {
        Ok(steps) => steps,
        Err(reason) => return format!("| {program} | {column} | all | {reason} |\n"),
    };
    let mut lines = String::new();
    for step in steps {
        if let Err(reason) = &step.result {
            let reason = reason.replace('|', "\\|").replace('\n', " ");
            lines += &format!("| {program} | {column} | {} | {reason} |\n", step.name);
        }
    }
    lines
}

/// Writes the table, or compares it with what is there.
pub fn update(path: &Path, text: &str, write: bool) -> anyhow::Result<()> {
    if write {
        return fs::write(path, text).with_context(|| format!("{}", path.display()));
    }
    let committed = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    if committed != text {
        bail!(
            "{} is not what this run gave: run with `--write`, and look at the difference",
            path.display()
        );
    }
    Ok(())
}
