//! The table, written and compared.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use anyhow::{Context, ensure};

use crate::{judge::Outcome, situation::Situation};

const HEAD: &str = "\
# Enforcement in unusual processes

Written by `cargo run -p wasix-landlock-foreign -- --write`, checked with `-- --check`. In each situation a small program
starts threads and enforces a policy that grants one directory for reading. Then each thread, and one more thread that
it starts, opens a file in that directory and a secret outside, and keeps both open. Another process reads in `/proc`
which files and which tasks the program has. Only this decides the outcome; the library's own report doesn't count. Each
situation first runs without enforcement, where every thread has to open the secret.

*Refused* means that the library returned an error that names the cause. Then either every thread still reaches the
secret, or the error says that the process must end.

";

/// A row's outcome, or why there is none.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Each outcome of the repetitions, with its count.
    Ran(Vec<(Outcome, u64)>),
    Skipped(String),
}

impl Cell {
    /// The classes of outcomes, which don't change from run to run.
    pub fn class(&self) -> String {
        match self {
            Self::Ran(outcomes) => {
                let mut classes: Vec<String> = outcomes
                    .iter()
                    .map(|(outcome, _)| outcome.to_string())
                    .collect();
                classes.sort();
                classes.dedup();
                classes.join("; or ")
            }
            Self::Skipped(_) => "skipped".to_owned(),
        }
    }

    pub fn faults(&self) -> u64 {
        match self {
            Self::Ran(outcomes) => outcomes
                .iter()
                .filter(|(outcome, _)| outcome.is_fault())
                .map(|(_, times)| times)
                .sum(),
            Self::Skipped(_) => 0,
        }
    }

    fn detail(&self) -> String {
        let outcomes = match self {
            Self::Skipped(reason) => return reason.clone(),
            Self::Ran(outcomes) => outcomes,
        };
        let all: u64 = outcomes.iter().map(|(_, times)| times).sum();
        let part = |(outcome, times): &(Outcome, u64)| match all {
            1 => outcome.detail().to_owned(),
            all => format!("{times} of {all}: {}", outcome.detail()),
        };
        outcomes.iter().map(part).collect::<Vec<_>>().join("; ")
    }

    /// A line for people.
    pub fn line(&self, situation: &Situation) -> String {
        let (name, user) = (situation.name, situation.user.name());
        format!("{name} ({user}): {}: {}", self.class(), self.detail())
    }
}

/// Numbers of threads and processes, and names of temporary files, differ from run to run.
fn steady(text: &str) -> String {
    let mut steady = String::new();
    let mut digits = String::new();
    let flush = |digits: &mut String, steady: &mut String| {
        steady.push_str(if digits.len() > 2 { "N" } else { digits });
        digits.clear();
    };
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        flush(&mut digits, &mut steady);
        match letter {
            '|' => steady.push('/'),
            '\n' => steady.push(' '),
            letter => steady.push(letter),
        }
    }
    flush(&mut digits, &mut steady);
    steady
}

pub fn text(rows: &[(Situation, Cell)]) -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let version: Vec<&str> = kernel.split(['.', '-']).take(2).collect();
    let abi = wasix_landlock_testing::ask::landlock_abi();
    writeln!(text, "Linux {}, Landlock ABI {abi}.\n", version.join("."))?;
    text += "| situation | user | outcome | observed |\n|---|---|---|---|\n";
    for (situation, cell) in rows {
        let (name, user) = (situation.name, situation.user.name());
        let detail = steady(&cell.detail());
        writeln!(text, "| {name} | {user} | {} | {detail} |", cell.class())?;
    }
    let count =
        |wanted: &dyn Fn(&Cell) -> bool| rows.iter().filter(|(_, cell)| wanted(cell)).count();
    writeln!(
        text,
        "\n{} situations, {} skipped, {} with a fault.",
        rows.len(),
        count(&|cell| matches!(cell, Cell::Skipped(_))),
        count(&|cell| cell.faults() > 0),
    )?;
    Ok(text)
}

/// Compares the classes with the committed ones, where both have run on the same ABI.
pub fn check(path: &Path, rows: &[(Situation, Cell)]) -> anyhow::Result<()> {
    let committed = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let abi = wasix_landlock_testing::ask::landlock_abi();
    if !committed.contains(&format!("Landlock ABI {abi}.")) {
        eprintln!("NOTE the table is of another Landlock ABI than {abi}: only faults count");
        return Ok(());
    }
    let classes: BTreeMap<(&str, &str), &str> = committed
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            Some(((cells.next()?, cells.next()?), cells.next()?))
        })
        .collect();
    let mut wrong = Vec::new();
    for (situation, cell) in rows {
        let key = (situation.name, situation.user.name());
        let (before, now) = (classes.get(&key).copied(), cell.class());
        let known = before.is_some_and(|before| before != "skipped" && !before.contains("FAULT"));
        if !matches!(cell, Cell::Skipped(_)) && (before.is_none() || known) && before != Some(&now)
        {
            wrong.push(format!("{key:?}: {now}, the table has {before:?}"));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} differs, write it anew if that is right:\n{}",
        path.display(),
        wrong.join("\n")
    );
    Ok(())
}
