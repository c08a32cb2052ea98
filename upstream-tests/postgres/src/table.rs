//! The table of results: made from a run, and compared with the one that is committed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::steps::Outcome;

const HEAD: &str = "\
# PostgreSQL compiled to WASIX

Written by `cargo run --release -p wasix-landlock-postgres -- --write`, checked with `-- --check`. PostgreSQL 17.5 comes
from the crate pglite-oxide-assets 0.5.1. Each program runs through `WasiRunner` with Cranelift, and sees its own files as
`/pglite` and a data directory as `/data`. On the fork enforcement is on, and a run without enforcement counts as failed. The
last column is the same run on Wasmer as published (`upstream-tests/baseline`): the first error that the program prints.

A kill ends the process and keeps the kernel's page cache. The kills therefore test the order of writes, not a power
failure.

| WASIX feature | use by PostgreSQL |
|---|---|
| exec | `initdb` calls `proc_spawn` with pipes, which works |
| sockets | work if a port is granted |
| fork | never reaches the runtime: the program contains a `fork` of its own, which fails |
| threads, futex | not used |

| test | result | Wasmer as published |
|---|---|---|
";

/// Writes the table into `folder`, or compares it with what is there.
pub fn update(folder: &Path, rows: &[(&str, Outcome, String)], check: bool) -> anyhow::Result<()> {
    let mut text = String::from(HEAD);
    for (name, outcome, published) in rows {
        let result = match outcome {
            Outcome::Works(what) => format!("works: {what}"),
            Outcome::Named(why) => format!("**in part**: {why}"),
            Outcome::Skipped(why) => anyhow::bail!("{name} was skipped: {why}"),
        };
        writeln!(text, "| {name} | {result} | {published} |")?;
    }
    let path = folder.join("RESULTS.md");
    if !check {
        return fs::write(&path, text).with_context(|| format!("{}", path.display()));
    }
    let committed = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    ensure!(
        committed == text,
        "RESULTS.md is not what this run gave: run with `--write`, and look at the difference"
    );
    Ok(())
}
