//! Enforces a policy in processes of all kinds, and looks from outside at what came of it.
//!
//! ```text
//! wasix-landlock-foreign [--short] [--few] [--classes] [--write | --check] [WORDS OF A SITUATION'S NAME]
//! ```
//!
//! `--short` leaves out what has to be compiled first, `--few` repeats less, and `--classes` prints lines for a program.

#![forbid(unsafe_code)]

mod all;
mod builds;
mod containers;
mod judge;
mod launch;
mod look;
mod outside;
mod row;
mod seccomp;
mod seen;
mod situation;
mod table;
mod world;
mod wrap;

/// The most repetitions of a situation with `--few`.
const FEW: u64 = 5;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((word, rest)) if word == wrap::WORD => wrap::run(rest),
        _ => run(&arguments),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// Runs what the arguments name, and writes or compares the table.
fn run(arguments: &[String]) -> anyhow::Result<()> {
    // What this program was started with is no part of a situation.
    wasix_landlock_testing::foreign::pass_on_streams_only()?;
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let words: Vec<&String> = arguments
        .iter()
        .filter(|word| !word.starts_with("--"))
        .collect();
    let mut situations = all::all();
    situations.retain(|situation| {
        (!has("--short") || !situation.long)
            && words
                .iter()
                .all(|word| situation.name.contains(word.as_str()))
    });
    anyhow::ensure!(!situations.is_empty(), "no situation has such a name");
    let world = world::World::new()?;
    let mut rows = Vec::new();
    for mut situation in situations {
        if has("--few") {
            situation.times = situation.times.min(FEW);
        }
        let cell = row::run(&situation, &world);
        if has("--classes") {
            let (name, user) = (situation.name, situation.user.name());
            println!("FOREIGN {name} | {user} | {}", cell.class());
        } else {
            println!("{}", cell.line(&situation));
        }
        if let table::Cell::Skipped(reason) = &cell {
            eprintln!(
                "SKIPPED {} ({}): {reason}",
                situation.name,
                situation.user.name()
            );
        }
        rows.push((situation, cell));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md");
    if has("--write") {
        anyhow::ensure!(
            words.is_empty() && !has("--short"),
            "the table is written as a whole"
        );
        std::fs::write(&path, table::text(&rows)?)?;
    }
    let faults = rows.iter().filter(|(_, cell)| cell.faults() > 0).count();
    anyhow::ensure!(faults == 0, "{faults} situations with a fault");
    if has("--check") {
        table::check(&path, &rows)?;
    }
    Ok(())
}
