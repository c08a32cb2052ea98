//! SQLite, compiled from the amalgamation: a session with a rollback journal.

use std::path::PathBuf;

use anyhow::ensure;
use wasix_landlock_programs::c::{CCompiler, SQLITE, Source, Target};

use super::Program;
use crate::column::Place;
use crate::steps::Step;

pub const PROGRAM: Program = Program {
    name: "SQLite 3.50",
    package: "crate libsqlite3-sys 0.35.0, by Debian's clang-19",
    small: true,
    not_on_wasmtime: None,
    get: || Ok(vec![module(Target::Wasi)?]),
    steps,
};

/// The amalgamation with `guests/sqlite.c`, which counts its syncs.
pub fn module(target: Target) -> anyhow::Result<PathBuf> {
    let source = Source {
        name: "sqlite-counting",
        own: &["upstream-tests/programs/guests/sqlite.c"],
        flags: &[
            "-DSQLITE_THREADSAFE=0",
            "-DSQLITE_OMIT_LOAD_EXTENSION",
            "-DSQLITE_TEMP_STORE=3",
            // Without, SQLite asks for the page size by a function that Debian's C library for WASI lacks.
            "-D_GNU_SOURCE",
            "-Dfsync=counted_fsync",
            "-Dfdatasync=counted_fdatasync",
        ],
        ..SQLITE
    };
    source.build(target, CCompiler::System)
}

fn steps(place: &Place<'_>, paths: &[PathBuf]) -> anyhow::Result<Vec<Step>> {
    let sqlite = |words: &[&str]| place.run(&paths[0], words, &[])?.success();
    let session = || {
        let said = sqlite(&["sqlite", "session", "/work/session.db"])?;
        ensure!(
            String::from_utf8_lossy(&said).contains("updated: 85\nok\nsyncs "),
            "it found something else"
        );
        Ok(said)
    };
    let checked = || {
        let said = sqlite(&["sqlite", "check", "/work/session.db"])?;
        ensure!(said.starts_with(b"ok\n"), "the database is damaged");
        Ok(said)
    };
    let commits = || {
        sqlite(&["sqlite", "commit", "/work/commits.db", "100"])?;
        sqlite(&["sqlite", "commit", "/work/commits.db", "100"])?;
        ensure!(
            sqlite(&["sqlite", "check", "/work/commits.db"])? == b"ok\n200\n200\n",
            "not the rows that were committed"
        );
        place.written("commits.db")
    };
    let session = session();
    Ok(vec![
        Step::new("session", session),
        Step::new("integrity_check", checked()),
        Step::new("the database's bytes", place.written("session.db")),
        Step::new("200 commits", commits()),
    ])
}
