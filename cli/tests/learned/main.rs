//! `learn` on ten programs, beside the least that a person finds by hand: the table LEARNED.md.
//!
//! ```text
//! cargo test --release -p wasix-landlock-cli --test learned               # compares with the table
//! cargo test --release -p wasix-landlock-cli --test learned -- --write    # writes it anew
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod programs;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;

use programs::{PROGRAMS, Program};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/LEARNED.md");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--list") {
        return ExitCode::SUCCESS;
    }
    let mut rows = Vec::new();
    for program in &PROGRAMS {
        let Some(module) = (program.module)() else {
            println!(
                "SKIPPED the table of learned programs: {} can't be had",
                program.name
            );
            return ExitCode::SUCCESS;
        };
        rows.push(row(program, &module));
        println!("{}", rows[rows.len() - 1]);
    }
    let table = format!("{}{}\n", programs::TEXT, rows.join("\n"));
    if has("--write") {
        fs::write(TABLE, table).unwrap();
        return ExitCode::SUCCESS;
    }
    if fs::read_to_string(TABLE).unwrap_or_default() != table {
        println!("LEARNED.md is out of date: run this with `-- --write`");
        return ExitCode::FAILURE;
    }
    println!(
        "test result: ok. {} passed; 0 failed; 0 ignored",
        rows.len()
    );
    ExitCode::SUCCESS
}

/// The options of the program, and its exit code.
fn run(
    directory: &Path,
    command: &str,
    options: &[&str],
    module: &Path,
    program: &Program,
) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_wasix-landlock"))
        .arg(command)
        .args(options)
        .arg("--")
        .arg(module)
        .args(program.arguments)
        .current_dir(directory)
        .env_remove("WASIX_LANDLOCK")
        .output()
        .unwrap()
}

fn row(program: &Program, module: &Path) -> String {
    let by_hand: Vec<&str> = program.by_hand.split_whitespace().collect();
    // It is enough, and the program does its work with it.
    let work = prepared(program);
    let output = run(work.path(), "run", &by_hand, module, program);
    assert!(output.status.success(), "{}: {output:?}", program.name);

    let work = prepared(program);
    let output = run(work.path(), "learn", &["--json"], module, program);
    let learned: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}: {output:?}", program.name));
    assert_eq!(learned["works"], true, "{}: {learned:#}", program.name);

    let shown = run(
        work.path(),
        "show",
        &[&["--json"], &by_hand[..]].concat(),
        module,
        program,
    );
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let mut wanted = BTreeSet::new();
    let preopens = shown["preopens"].as_array().unwrap().iter();
    // The others are the module's own directories.
    let on_host = |preopen: &&Value| !preopen["hosts"].as_array().unwrap().is_empty();
    for preopen in preopens.filter(on_host) {
        rights(&preopen["guest"], &preopen["asked"], &mut wanted);
    }
    let mut granted = BTreeSet::new();
    for preopen in learned["profile"]["preopen"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let guest = &preopen["guest"];
        let guest = if guest.is_null() {
            &preopen["host"]
        } else {
            guest
        };
        rights(guest, preopen, &mut granted);
    }
    let list = |rights: Vec<&(String, &str)>| {
        let rights: Vec<String> = rights
            .iter()
            .map(|(path, right)| format!("{right} {path}"))
            .collect();
        match &rights[..] {
            [] => "none".to_owned(),
            rights => rights.join(", "),
        }
    };
    format!(
        "| {} | {} | `{}` | {} | {} |",
        program.name,
        learned["rounds"].as_array().unwrap().len(),
        program.by_hand,
        list(granted.difference(&wanted).collect()),
        list(wanted.difference(&granted).collect()),
    )
}

fn prepared(program: &Program) -> tempfile::TempDir {
    let work = tempfile::tempdir().unwrap();
    (program.prepare)(work.path());
    work
}

/// Adds the rights of a grant.
fn rights(guest: &Value, access: &Value, rights: &mut BTreeSet<(String, &'static str)>) {
    for right in ["read", "write", "create"] {
        if access[right] == true {
            rights.insert((guest.as_str().unwrap().to_owned(), right));
        }
    }
}
