//! The table of results: made from a run, and compared with the one that is committed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::steps::Outcome;

const HEAD: &str = "\
# PostgreSQL compiled to WASIX

Made by `cargo run --release -p wasix-landlock-postgres -- --write`, and checked with `-- --check`. PostgreSQL 17.5 comes
from the crate pglite-oxide-assets 0.5.1. Each program runs through `WasiRunner` with Cranelift, with enforcement on: it sees
its own files as `/pglite` and a data directory as `/data`. A run in which nothing was enforced fails.

A kill takes away the process and leaves the kernel's page cache as it is, so the kills show the order of writes, and
nothing about a power failure.

By what WASIX has: *exec* is `proc_spawn`, which `initdb` calls with pipes, and works. *Sockets* work as far as a port is
granted. *Fork* isn't called: the program has its own, which fails. It starts no *threads* and waits for no *futex*.

| what | result |
|---|---|
";

/// Writes the table into `folder`, or compares it with what is there.
pub fn update(folder: &Path, rows: &[(&str, Outcome)], check: bool) -> anyhow::Result<()> {
    let mut text = String::from(HEAD);
    for (name, outcome) in rows {
        let result = match outcome {
            Outcome::Works(what) => format!("works: {what}"),
            Outcome::Named(why) => format!("**in part**: {why}"),
            Outcome::Skipped(why) => anyhow::bail!("{name} was skipped: {why}"),
        };
        writeln!(text, "| {name} | {result} |")?;
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
