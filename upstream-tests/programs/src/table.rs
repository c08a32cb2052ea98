//! The table of results: made from a run, and compared with the one that is committed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::steps::Step;

const HEAD: &str = "\
# Real programs

Written by `cargo run --release -p wasix-landlock-programs -- --write`, checked with `-- --check`. The programs come from
the registries, unchanged.

| column | |
|---|---|
| fork, enforced | this project with the kernel enforcing the preopens; `WasiRunner`, Cranelift |
| upstream | Wasmer 7.4.2 as published; `WasiRunner`, Cranelift |
| wasmtime | wasmtime's Python package 50.0.1 |

A step passes if it ends successfully, its result is correct, and its output and files are equal to those on wasmtime,
byte for byte.

";

const DURABILITY: &str = "
## Killed at random

This command tests that SQLite on the fork loses no committed row when its process is killed:

```sh
cargo run --release -p wasix-landlock-programs -- durability    # --directory: another disk than that of the user's cache
```

SQLite commits numbered rows in a rollback journal with `synchronous=FULL`, with enforcement on, and reports each
committed row. The command kills the process with SIGKILL at a random time, 200 times. After each kill it runs the
integrity check, alternately in the module and in a native build, and looks for each reported row. It also compares the
number of syncs that the module requested with the number that `strace` counts.

The test shows that a reported commit had reached the kernel, in an order from which SQLite recovers, and that each sync
of the module was a sync by the kernel. A kill keeps the page cache, so the test can't show that written data reached the
disk. Only the number of syncs shows that the kernel was asked. The test doesn't cover a power failure.
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
            "\n## Failures and skipped programs\n\n| program | runtime | step | reason |\n|---|---|---|---|\n{failed}"
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
