//! Directories granted at random, and calls at random in them: nothing outside may be reached, and what is
//! inside must answer with the kernel's enforcement as without it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use fastrand::Rng;

use crate::case::{Case, Step};
use crate::run::{Subject, Verdict, run};
use crate::worker::Way;

/// The inputs of earlier findings.
const FOUND: &str = include_str!("../cases/found.txt");

/// The outcomes.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// The number of cases, each run with the kernel and without.
    pub cases: u64,
    /// The number of their calls that succeeded, with the kernel.
    pub succeeded: u64,
    /// The number of their calls that were refused, with the kernel.
    pub refused: u64,
    /// The calls that only the kernel refused, where a grant lacks a right or lies in another, with their numbers.
    pub narrower: BTreeMap<String, u64>,
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cases: {} calls succeeded, {} were refused; by the kernel alone: {:?}",
            self.cases, self.succeeded, self.refused, self.narrower
        )
    }
}

/// Runs what was found before, and then cases at random for that long, from the one that `first` stands for; for no
/// time that one alone.
///
/// # Errors
/// If one can't be run, reaches what is outside, or answers otherwise with the kernel.
pub fn fuzz(program: &Path, time: Duration, first: u64) -> anyhow::Result<Outcomes> {
    let alone = time.is_zero();
    let (begun, mut outcomes) = (Instant::now(), Outcomes::default());
    if !alone {
        for case in Case::parse_all(FOUND)? {
            for way in Way::ALL {
                if way != Way::Runner || case.grants_everything() {
                    check(program, way, &case, &mut outcomes)
                        .with_context(|| format!("{way:?}\n{case}"))?;
                }
            }
        }
    }
    while outcomes.cases == 0 || begun.elapsed() < time {
        let seed = first.wrapping_add(outcomes.cases);
        let (way, case) = generate(&mut Rng::with_seed(seed), seed);
        if let Err(failure) = check(program, way, &case, &mut outcomes) {
            let (case, failure) = shrink(program, way, case, failure);
            bail!("{way:?}, seed {seed}: {failure:#}\n{case}");
        }
        outcomes.cases += 1;
    }
    ensure!(
        alone || (outcomes.succeeded > 0 && outcomes.refused > 0),
        "nothing was done, so nothing was shown: {outcomes}"
    );
    Ok(outcomes)
}

fn check(program: &Path, way: Way, case: &Case, outcomes: &mut Outcomes) -> anyhow::Result<()> {
    let once = |enforced| -> anyhow::Result<Verdict> {
        let subject = Subject {
            program,
            enforced,
            planted: false,
            compare: false,
        };
        let verdict =
            run(case, way, &subject).with_context(|| format!("the kernel enforces: {enforced}"))?;
        if let Some(said) = &verdict.crashed {
            bail!("the module's process ended, the kernel enforces {enforced}: {said}");
        }
        let outside: Vec<_> = verdict.reached.iter().collect();
        ensure!(
            outside.is_empty(),
            "reached, the kernel enforces {enforced}: {outside:?}"
        );
        Ok(verdict)
    };
    let (with, without) = std::thread::scope(|scope| {
        let with = scope.spawn(|| once(true));
        let without = once(false);
        let with = with.join().unwrap_or_else(|_| bail!("a thread panicked"));
        (with, without)
    });
    let (with, without) = (with?, without?);
    let steps = case.steps.iter().filter(|step| step.words[0] != "host");
    for (step, (with, without)) in steps.zip(with.came_to.iter().zip(&without.came_to)) {
        match *with {
            "ok" => outcomes.succeeded += 1,
            _ => outcomes.refused += 1,
        }
        if with != without {
            let differs = format!(
                "{}: {with}, and {without} without the kernel",
                step.words.join(" ")
            );
            // From here on they have different files.
            ensure!(
                may_be_narrower(case) && ["acces", "xdev"].contains(with),
                "{differs}"
            );
            let key = format!("{} {with}/{without}", step.words[0]);
            *outcomes.narrower.entry(key).or_default() += 1;
            return Ok(());
        }
    }
    let differing: Vec<_> = with
        .left
        .keys()
        .chain(without.left.keys())
        .filter(|path| with.left.get(*path) != without.left.get(*path))
        .collect();
    ensure!(
        differing.is_empty(),
        "left otherwise than without the kernel: {differing:?}"
    );
    Ok(())
}

/// True if the kernel may refuse more than the WASI layer does: it has one set of rights for a file,
/// whichever directory it is reached through, and moves nothing to where more is allowed.
fn may_be_narrower(case: &Case) -> bool {
    !case.grants_everything()
}

fn generate(rng: &mut Rng, seed: u64) -> (Way, Case) {
    let way = Way::ALL[rng.usize(..Way::ALL.len())];
    let everything = way == Way::Runner || rng.bool();
    let mut grants = Vec::new();
    let mut places = vec!["granted", "also", "third", "granted/sub", "also/empty"];
    for guest in ["data", "other", "more"].into_iter().take(rng.usize(1..4)) {
        let place = places.swap_remove(rng.usize(..places.len()));
        let rights = match rng.u8(..6) {
            _ if everything => "rwc",
            0 | 1 => "r",
            2 => "rw",
            3 => "w",
            4 => "wc",
            _ => "rwc",
        };
        grants.push((guest.to_owned(), place.to_owned(), rights.to_owned()));
    }
    let guests: Vec<String> = grants.iter().map(|(guest, _, _)| guest.clone()).collect();
    let mut steps: Vec<String> = Vec::new();
    for number in 0..rng.usize(..4) {
        let targets = [
            "$T/outside/file",
            "$T/outside",
            "../outside/sub",
            "file",
            "sub",
            "$T/also",
            "../outside/new",
            "..",
        ];
        let target = targets[rng.usize(..targets.len())];
        let place = ["granted", "also", "third", "granted/sub"][rng.usize(..4)];
        steps.push(format!("host symlink {target} {place}/l{number}"));
    }
    for _ in 0..rng.usize(10..60) {
        steps.push(step(rng, &guests));
    }
    let steps = steps
        .into_iter()
        .map(|line| Step {
            words: line.split_whitespace().map(str::to_owned).collect(),
            expected: Vec::new(),
        })
        .collect();
    let case = Case {
        name: format!("fuzz-{seed}"),
        effect: "something outside is reached".to_owned(),
        grants,
        steps,
    };
    (way, case)
}

fn step(rng: &mut Rng, guests: &[String]) -> String {
    let directory = |rng: &mut Rng| match rng.u8(..6) {
        0 => ["f0", "f1", "f2"][rng.usize(..3)].to_owned(),
        1 => rng.u8(3..9).to_string(),
        _ => guests[rng.usize(..guests.len())].clone(),
    };
    let file = |rng: &mut Rng| match rng.u8(..4) {
        0 => rng.u8(3..9).to_string(),
        _ => ["f0", "f1", "f2"][rng.usize(..3)].to_owned(),
    };
    let (dir, second) = (directory(rng), directory(rng));
    let (path, other) = (path(rng, guests), path(rng, guests));
    let (fd, to) = (file(rng), file(rng));
    let flags = [
        "r", "w", "rw", "rwc", "wc", "wct", "wcx", "d", "d", "rn", "wt", "wa", "rwcn",
    ];
    let how = flags[rng.usize(..flags.len())];
    match rng.u8(..32) {
        0..=4 => format!(
            "open {dir} {path} {how} as {}",
            ["f0", "f1", "f2"][rng.usize(..3)]
        ),
        5 | 6 => format!("try {dir} {path} {how}"),
        7 => format!("get {dir} {path}"),
        8 | 9 => format!("put {dir} {path}"),
        10 => format!("change {dir} {path}"),
        11 => format!("ls {dir} {path}"),
        12 => format!("read {fd}"),
        13 => format!("write {fd}"),
        14 => format!("list {fd} {}", rng.u8(..4)),
        15 => format!("close {fd}"),
        16 => format!("size {fd} {}", rng.u8(..64)),
        17 => format!("allocate {fd} {}", rng.u8(1..64)),
        18 => format!("renumber {fd} {to}"),
        19 => format!("mkdir {dir} {path}"),
        20 => format!("rmdir {dir} {path}"),
        21 => format!("unlink {dir} {path}"),
        22 => format!("readlink {dir} {path}"),
        23 => format!("stat {dir} {path}"),
        24 => format!("lstat {dir} {path}"),
        25 | 26 => format!("rename {dir} {path} {second} {other}"),
        27 | 28 => format!("link {dir} {path} {second} {other}"),
        29 => format!("linkf {dir} {path} {second} {other}"),
        _ => format!("symlink {other} {dir} {path}"),
    }
}

fn path(rng: &mut Rng, guests: &[String]) -> String {
    const NAMES: [&str; 11] = [
        "file", "file", "sub", "sub", "empty", "new", "new", "made", "l0", "l1", "l2",
    ];
    let name = |rng: &mut Rng| NAMES[rng.usize(..NAMES.len())];
    let path = match rng.u8(..12) {
        0..=5 => name(rng).to_owned(),
        6..=8 => format!("{}/{}", name(rng), name(rng)),
        9 => format!("{}/$UP/{}", name(rng), name(rng)),
        10 => format!(
            "$UP/{}/{}",
            ["outside", "also", "granted", "data", "other"][rng.usize(..5)],
            name(rng)
        ),
        _ => {
            let guest = &guests[rng.usize(..guests.len())];
            match rng.u8(..4) {
                0 => format!("/{guest}/{}", name(rng)),
                1 => format!("$T/outside/{}", name(rng)),
                2 => ".".to_owned(),
                _ => "$UP".to_owned(),
            }
        }
    };
    match rng.u8(..16) {
        0 => path + "/",
        _ => path,
    }
}

/// Leaves out the steps that it fails without.
fn shrink(
    program: &Path,
    way: Way,
    mut case: Case,
    mut failure: anyhow::Error,
) -> (Case, anyhow::Error) {
    let mut size = case.steps.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < case.steps.len() {
            let mut smaller = case.clone();
            smaller
                .steps
                .drain(start..(start + size).min(case.steps.len()));
            match check(program, way, &smaller, &mut Outcomes::default()) {
                Err(error) => (case, failure) = (smaller, error),
                Ok(()) => start += size,
            }
        }
        size /= 2;
    }
    (case, failure)
}
