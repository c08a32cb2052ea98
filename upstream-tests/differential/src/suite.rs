//! The kept cases, and running many cases at a time.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;

use crate::case::Case;
use crate::compare::Comparison;
use crate::sides::compare;
use crate::way::Way;

/// The kept cases.
const TEXTS: [&str; 4] = [
    include_str!("../cases/inputs.txt"),
    include_str!("../cases/unseen.txt"),
    include_str!("../cases/further.txt"),
    include_str!("../cases/found.txt"),
];

/// All kept cases.
///
/// # Errors
/// If one can't be read.
pub fn kept() -> anyhow::Result<Vec<Case>> {
    let cases = Case::parse_all(&TEXTS.join("\n"))?;
    Ok(cases)
}

/// A place in this crate's folder.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The outcome of a case through each of its ways in.
#[derive(Debug)]
pub struct Run {
    /// The case.
    pub case: Case,
    /// The comparisons; none if the case was skipped.
    pub comparisons: Vec<(Way, Comparison)>,
}

/// Runs cases, several at a time, since some wait for a call that does not return.
///
/// # Errors
/// If one can't be run.
pub fn run(cases: Vec<Case>, program: &Path, mounts: bool) -> anyhow::Result<Vec<Run>> {
    let mut jobs = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        if case.mounts && !mounts {
            println!(
                "SKIPPED {}: it mounts file systems, which needs root",
                case.name
            );
            continue;
        }
        jobs.extend(case.ways.iter().map(|way| (index, *way)));
    }
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    let found = in_parallel(threads, jobs.len(), |job| {
        let (index, way) = jobs[job];
        let case = &cases[index];
        let comparison = compare(case, way, program);
        let comparison = comparison.with_context(|| format!("{}, {}", case.name, way.name()))?;
        Ok((index, way, comparison))
    })?;
    let mut runs: Vec<Run> = cases
        .into_iter()
        .map(|case| Run {
            case,
            comparisons: Vec::new(),
        })
        .collect();
    for (index, way, comparison) in found {
        runs[index].comparisons.push((way, comparison));
    }
    Ok(runs)
}

/// Does jobs by their numbers, so many at a time, and returns what came of them in order.
///
/// # Errors
/// If one failed.
pub fn in_parallel<T: Send>(
    threads: usize,
    count: usize,
    job: impl Fn(usize) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let result = job(number);
                    // Whoever has panicked is reported by the scope.
                    if let Ok(mut done) = done.lock() {
                        done.push((number, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}
