//! A case, run with both programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::ensure;

use crate::cases::{Case, Check, Kernel};
use crate::program::{Outcome, Program};
use crate::world::World;

/// The parts of one program's run that are compared.
#[derive(Debug)]
struct Column {
    outcomes: Vec<Outcome>,
    left: std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>,
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
    [upstream, fork]: [&Program; 2],
    world: &World,
    library: &Path,
) -> anyhow::Result<Row> {
    let mut wrong = Vec::new();
    let published = column(case, upstream, world, library, &mut wrong)?;
    let forked = column(case, fork, world, library, &mut wrong)?;

    for (one, other) in published.outcomes.iter().zip(&forked.outcomes) {
        if one != other {
            wrong.push(format!("upstream: {one:?}\nwith the forks: {other:?}"));
        }
    }
    let escapes = case.check == Check::Escape;
    if published.left != forked.left && !escapes {
        let (one, other) = (&published.left, &forked.left);
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

fn column(
    case: &Case,
    program: &Program,
    world: &World,
    library: &Path,
    wrong: &mut Vec<String>,
) -> anyhow::Result<Column> {
    world.reset()?;
    let mut outcomes = Vec::new();
    let mut compiled = Vec::new();
    for line in case.lines {
        let mut outcome = program.run(line, world, library)?;
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
