//! A case, run with both programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::cases::{Case, Check, Kernel, Outside};
use crate::program::{Outcome, Program};
use crate::world::World;

/// The parts of one program's run that are compared.
#[derive(Debug)]
struct Column {
    outcomes: Vec<Outcome>,
    before: BTreeMap<PathBuf, Vec<u8>>,
    left: BTreeMap<PathBuf, Vec<u8>>,
    asked: BTreeSet<String>,
    held: bool,
}

/// The result of a case.
#[derive(Debug)]
pub struct Row {
    /// The last line's exit code; with the forks it is the same.
    pub code: Option<i32>,
    /// The errors.
    pub wrong: Vec<String>,
}

/// Runs `case` with both and compares.
pub fn compare(
    case: &Case,
    [upstream, fork]: &[Program; 2],
    world: &World,
    library: &Path,
) -> anyhow::Result<Row> {
    let mut wrong = Vec::new();
    let published = column(case, upstream, world, library, &mut wrong)?;
    let forked = column(case, fork, world, library, &mut wrong)?;

    for (one, other) in published.outcomes.iter().zip(&forked.outcomes) {
        let expected = match &case.outside {
            Some(outside) => narrowed(one, outside),
            None => one.clone(),
        };
        if expected != reasonless(other, case) {
            wrong.push(format!("upstream: {one:?}\nwith the forks: {other:?}"));
        }
    }
    let escapes = case.check == Check::Escape;
    if !escapes {
        // What a policy from outside refuses changes nothing.
        let one = match case.outside {
            Some(_) => &forked.before,
            None => &published.left,
        };
        let other = &forked.left;
        let paths: BTreeSet<_> = one.keys().chain(other.keys()).collect();
        for path in paths
            .into_iter()
            .filter(|path| one.get(*path) != other.get(*path))
        {
            wrong.push(format!("{} is not left the same", path.display()));
        }
    }
    if [published.held, forked.held] != [!escapes, true] {
        wrong.push("what nobody granted was changed by the wrong one of both".to_owned());
    }
    kernel(case.kernel, [&published.asked, &forked.asked], &mut wrong);
    if !wrong.is_empty() {
        wrong.push(format!("with the forks: {:?}", forked.outcomes));
    }
    Ok(Row {
        code: published.outcomes.last().and_then(|outcome| outcome.code),
        wrong,
    })
}

/// The outcome that a policy from outside leaves of the published one.
fn narrowed(published: &Outcome, outside: &Outside) -> Outcome {
    let line = |line: &str| match line.strip_suffix("\tok") {
        Some(attempt) if outside.refused.contains(&attempt) => format!("{attempt}\trefused\n"),
        _ => format!("{line}\n"),
    };
    Outcome {
        code: outside.exit.or(published.code),
        stdout: published.stdout.lines().map(line).collect(),
        stderr: published.stderr.clone(),
    }
}

/// The outcome without the reasons of what a policy from outside refuses.
fn reasonless(outcome: &Outcome, case: &Case) -> Outcome {
    let mut outcome = outcome.clone();
    if case.outside.is_some() {
        let line = |line: &str| match line.split_once("\trefused: ") {
            Some((attempt, _)) => format!("{attempt}\trefused\n"),
            None => format!("{line}\n"),
        };
        outcome.stdout = outcome.stdout.lines().map(line).collect();
    }
    outcome
}

fn column(
    case: &Case,
    program: &Program,
    world: &World,
    library: &Path,
    wrong: &mut Vec<String>,
) -> anyhow::Result<Column> {
    world.reset()?;
    let before = world.left()?;
    let policy = case.outside.as_ref().map(|outside| outside.policy);
    let mut outcomes = Vec::new();
    let mut compiled = Vec::new();
    for line in case.lines {
        let mut outcome = program.run(line, policy, world, library)?;
        if case.check == Check::AnyOrder {
            let mut lines: Vec<&str> = outcome.stdout.lines().collect();
            lines.sort_unstable();
            outcome.stdout = lines.join("\n");
        }
        outcomes.push(outcome);
        compiled.push(world.compiled()?);
    }
    ensure!(!outcomes.is_empty(), "{} has no command line", case.name);
    let connections = world.connections()?;
    let last = compiled.last();
    let holds = match case.check {
        Check::Nothing | Check::AnyOrder | Check::Escape => true,
        Check::CacheIsUsed => {
            compiled.first() == last && last.is_some_and(|files| !files.is_empty())
        }
        Check::CacheIsEmpty => last.is_some_and(|files| files.is_empty()),
        Check::Connected => connections == 1,
        Check::NotConnected => connections == 0,
    };
    if !holds {
        wrong.push(format!(
            "{}: not so: {:?} (connections: {connections}, cache: {compiled:?})",
            program.name, case.check
        ));
    }
    let asked = fs::read_to_string(world.report())?;
    Ok(Column {
        outcomes,
        before,
        left: world.left()?,
        asked: asked.lines().map(str::to_owned).collect(),
        held: world.is_unchanged(),
    })
}

fn kernel(expected: Kernel, asked: [&BTreeSet<String>; 2], wrong: &mut Vec<String>) {
    let (opened, refused) = ("opened", "refused, error 13");
    let answers: [&[&str]; 2] = match expected {
        Kernel::Restricts => [&[opened], &[refused]],
        Kernel::IsNotAsked(_) => [&[opened], &[opened]],
        Kernel::NeverSeesIt => [&[], &[]],
    };
    for ((answers, asked), name) in answers.iter().zip(asked).zip(["upstream", "the forks"]) {
        if !asked.iter().map(String::as_str).eq(answers.iter().copied()) {
            wrong.push(format!(
                "{name}: the forbidden open gave {asked:?}, expected {answers:?}"
            ));
        }
    }
}
