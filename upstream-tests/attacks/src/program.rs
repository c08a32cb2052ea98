//! The three programs: each runs the cases in its modes, and writes or compares what came of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::case::Case;
use crate::fuzz::fuzz;
use crate::run::{Subject, Verdict, run};
use crate::swap::swap;
use crate::tree::Reached;
use crate::worker::{Fork, Way, worker};

/// Cases that belong together, and the file into which each program writes what they came to.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// The name.
    pub name: &'static str,
    texts: &'static [&'static str],
    /// True if what the steps come to is compared with what they say.
    compare: bool,
}

/// Attempts to leave what was granted.
pub const ATTACKS: Suite = Suite {
    name: "attacks",
    texts: &[
        include_str!("../cases/known.txt"),
        include_str!("../cases/looked-for.txt"),
    ],
    compare: false,
};

/// The kernel's own tests, from inside a module.
pub const SELFTESTS: Suite = Suite {
    name: "selftests",
    texts: &[include_str!("../cases/selftests.txt")],
    compare: true,
};

impl Suite {
    /// The cases.
    ///
    /// # Errors
    /// If one can't be read.
    pub fn cases(&self) -> anyhow::Result<Vec<Case>> {
        let mut all = Vec::new();
        for text in self.texts {
            all.extend(Case::parse_all(text).context(self.name)?);
        }
        Ok(all)
    }
}

/// The word in a table for nothing reached.
pub const HELD: &str = "held";

/// A column of the table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The name.
    pub name: &'static str,
    /// True if the kernel enforces.
    pub enforced: bool,
    /// True if the program has the planted fault.
    pub planted: bool,
}

/// The result of a case in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The case.
    pub case: String,
    /// For each column, what was reached.
    pub cells: Vec<String>,
}

/// Runs a program: a worker's process if it is one, `swap` or `fuzz` if that is the first argument, and else
/// `all`.
pub fn main(fork: &Fork, all: impl FnOnce(&[String]) -> anyhow::Result<()>) -> ExitCode {
    if let Some(code) = worker(fork) {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == "swap" => swaps(rest, fork),
        Some((first, rest)) if first == "fuzz" => fuzzes(rest),
        _ => all(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("attacks: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `swap CALLS [SEED] [off]`: as many calls through each way, while the host swaps what is there.
fn swaps(arguments: &[String], fork: &Fork) -> anyhow::Result<()> {
    let mut numbers = arguments
        .iter()
        .filter_map(|argument| argument.parse::<u64>().ok());
    let calls = numbers
        .next()
        .context("usage: attacks swap CALLS [SEED] [off]")?;
    let seed = numbers.next().unwrap_or_else(|| fastrand::u64(..));
    let enforced = fork.preopen.is_some() && !arguments.iter().any(|argument| argument == "off");
    let program = std::env::current_exe()?;
    let mut reached = Vec::new();
    let ways = Way::ALL
        .into_iter()
        .filter(|way| fork.preopen.is_some() || *way != Way::Preopen);
    let ways: Vec<Way> = ways.collect();
    for way in &ways {
        let outcomes = swap(&program, *way, enforced, calls / ways.len() as u64, seed)?;
        println!(
            "{way:?}, seed {seed}, enforced {enforced}: {} calls succeeded while the host swapped {} times; reached: {:?}",
            outcomes.succeeded, outcomes.swapped, outcomes.reached
        );
        reached.extend(
            outcomes
                .reached
                .into_keys()
                .map(|kind| format!("{kind} ({way:?})")),
        );
    }
    ensure!(
        reached.is_empty(),
        "outside was reached: {}",
        reached.join(", ")
    );
    Ok(())
}

/// `fuzz SECONDS [SEED]`: calls at random, with the kernel and without it, from that seed on; for 0 seconds, its case
/// alone.
fn fuzzes(arguments: &[String]) -> anyhow::Result<()> {
    let usage = "usage: attacks fuzz SECONDS [SEED]";
    let (seconds, seed) = match arguments {
        [seconds] => (seconds, fastrand::u64(..)),
        [seconds, seed] => (seconds, seed.parse().context(usage)?),
        _ => anyhow::bail!(usage),
    };
    let time = Duration::from_secs(seconds.parse().context(usage)?);
    let program = std::env::current_exe()?;
    println!("{}", fuzz(&program, time, seed)?);
    Ok(())
}

/// Runs `cases` in each column, through each way that says what the case grants, two at a time.
///
/// # Errors
/// If one can't be run.
pub fn rows(
    suite: &Suite,
    cases: &[Case],
    columns: &[Column],
    ways: &[Way],
) -> anyhow::Result<Vec<Row>> {
    let program = std::env::current_exe()?;
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<(usize, anyhow::Result<Row>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else {
                        return;
                    };
                    let row = row(suite, case, columns, ways, &program);
                    // Whoever has panicked is reported by the scope.
                    if let Ok(mut found) = found.lock() {
                        found.push((number, row));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|(number, _)| *number);
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for (_, row) in found {
        match row {
            Ok(row) => rows.push(row),
            Err(error) => failed.push(format!("{error:#}")),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(rows)
}

fn row(
    suite: &Suite,
    case: &Case,
    columns: &[Column],
    ways: &[Way],
    program: &Path,
) -> anyhow::Result<Row> {
    let mut cells = Vec::new();
    for column in columns {
        let subject = Subject {
            program,
            enforced: column.enforced,
            planted: column.planted,
            // Without the checks, the WASI layer makes what the host refuses in memory.
            compare: suite.compare && !column.planted,
        };
        let mut worst = Verdict::default();
        for way in ways {
            if *way == Way::Runner && !case.grants_everything() {
                continue;
            }
            let verdict = run(case, *way, &subject)
                .with_context(|| format!("{}, {}, {way:?}", case.name, column.name))?;
            if std::env::var_os("ATTACKS_SHOW").is_some() {
                if let Some(said) = &verdict.crashed {
                    println!("{said}");
                }
                println!(
                    "{}, {}, {way:?}: {}",
                    case.name,
                    column.name,
                    cell(&verdict)
                );
                for step in &verdict.unexpected {
                    println!("    {step}");
                }
            }
            worst.reached.extend(verdict.reached);
            worst.unexpected.extend(verdict.unexpected);
            worst.crashed = worst.crashed.or(verdict.crashed);
        }
        cells.push(cell(&worst));
    }
    Ok(Row {
        case: case.name.clone(),
        cells,
    })
}

fn cell(verdict: &Verdict) -> String {
    let kinds: BTreeSet<Reached> = verdict.reached.iter().map(|(_, kind)| *kind).collect();
    let mut words: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    if verdict.crashed.is_some() {
        words.push("crashed".to_owned());
    }
    match verdict.unexpected.len() {
        0 => {}
        1 => words.push("1 other outcome".to_owned()),
        count => words.push(format!("{count} other outcomes")),
    }
    if words.is_empty() {
        return HELD.to_owned();
    }
    words.join(", ")
}

/// Writes what `rows` came to, a line for each, or compares it with what is there.
///
/// # Errors
/// If it differs.
pub fn update(path: &Path, text: &str, check: bool) -> anyhow::Result<()> {
    if !check {
        return fs::write(path, text).with_context(|| path.display().to_string());
    }
    let committed = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    ensure!(
        committed == text,
        "{} is not what this run gave: run without `--check`, and look at the difference",
        path.display()
    );
    Ok(())
}

/// The request to a program.
#[derive(Debug)]
pub struct Asked {
    /// The suite and its cases, of those asked for.
    pub suites: Vec<(Suite, Vec<Case>)>,
    /// True if these are all.
    pub all: bool,
    /// Compares instead of writing.
    pub check: bool,
}

/// Reads the arguments: `--check`, and parts of the names of cases.
///
/// # Errors
/// If there is no such case.
pub fn asked(suites: &[Suite], arguments: &[String]) -> anyhow::Result<Asked> {
    let (options, names): (Vec<&String>, Vec<&String>) = arguments
        .iter()
        .partition(|argument| argument.starts_with('-'));
    let check = options.iter().any(|option| *option == "--check");
    ensure!(
        options.len() == usize::from(check),
        "usage: attacks [--check] [PART_OF_A_NAME...]"
    );
    let mut found = Vec::new();
    for suite in suites {
        let mut cases = suite.cases()?;
        cases.retain(|case| names.is_empty() || names.iter().any(|name| case.name.contains(*name)));
        found.push((*suite, cases));
    }
    ensure!(
        found.iter().any(|(_, cases)| !cases.is_empty()),
        "no case has such a name"
    );
    Ok(Asked {
        suites: found,
        all: names.is_empty(),
        check,
    })
}

/// Runs what the arguments name, and writes or compares a file for each suite in `folder`: a line for each
/// case, with its cells.
///
/// # Errors
/// If a case can't be run, or came to something else.
pub fn to_lines(
    suites: &[(Suite, &[Column])],
    arguments: &[String],
    ways: &[Way],
    folder: &Path,
) -> anyhow::Result<()> {
    for (suite, columns) in suites {
        let asked = match asked(&[*suite], arguments) {
            Ok(asked) => asked,
            // The names are of another suite's cases.
            Err(_) if suites.len() > 1 => continue,
            Err(error) => return Err(error),
        };
        for (suite, cases) in &asked.suites {
            let mut text = String::new();
            for row in rows(suite, cases, columns, ways)? {
                let line = format!("{}: {}\n", row.case, row.cells.join(" | "));
                print!("{line}");
                text += &line;
            }
            if asked.all {
                update(
                    &folder.join(format!("{}.txt", suite.name)),
                    &text,
                    asked.check,
                )?;
            }
        }
    }
    Ok(())
}

/// Reads what [`to_lines`] wrote for `cases`.
///
/// # Errors
/// If it is about other cases.
pub fn from_lines(folder: &Path, suite: &Suite, cases: &[Case]) -> anyhow::Result<Vec<Row>> {
    let path = folder.join(format!("{}.txt", suite.name));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let rows: Vec<Row> = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(case, cells)| Row {
            case: case.to_owned(),
            cells: cells.split(" | ").map(str::to_owned).collect(),
        })
        .collect();
    let same = rows
        .iter()
        .map(|row| &row.case)
        .eq(cases.iter().map(|case| &case.name));
    ensure!(
        same,
        "{} is about other cases: run that program again",
        path.display()
    );
    Ok(rows)
}
