//! The kept cases on another runtime, and on the fork: the number of lines that differ, whatever the list says.

use std::path::Path;

use wasix_landlock_differential::compare::{Comparison, Line};
use wasix_landlock_differential::suite::{kept, run};
use wasix_landlock_differential::way::Way;

/// The head of the table.
pub const fn head() -> &'static str {
    "| the module runs on | lines | differ | of these only in device and inode numbers | only EPERM for ENOTCAPABLE | not \
     compared |\n|---|---|---|---|---|---|"
}

/// The row of a program that runs the module, through preopens and without threads. Prints the lines that differ.
///
/// # Errors
/// If it can't be run.
pub fn row(name: &str, program: &Path, mounts: bool) -> anyhow::Result<String> {
    let mut cases = kept()?;
    cases.retain(|case| case.ways.contains(&Way::Preopen) && case.threads() == 0);
    for case in &mut cases {
        case.ways = vec![Way::Preopen];
    }
    let (mut all, mut counts, mut skipped) = (0, [0; 3], 0);
    for run in run(cases, program, mounts)? {
        for (_, comparison) in &run.comparisons {
            for line in different(comparison) {
                eprintln!("{name}: {}: {}", run.case.name, line.differences[0].key);
                counts[0] += 1;
                counts[1] += usize::from(only(line, &[").file", ").files"]));
                counts[2] += usize::from(only(line, &[" notcapable/perm"]));
            }
            all += comparison.lines.len();
            skipped += comparison.skipped;
        }
    }
    let [differ, numbers, names] = counts;
    Ok(format!(
        "| {name} | {all} | {differ} | {numbers} | {names} | {skipped} |"
    ))
}

fn different(comparison: &Comparison) -> impl Iterator<Item = &Line> {
    let lines = comparison.lines.iter();
    lines.filter(|line| !line.differences.is_empty())
}

/// True if all that differs is of these kinds.
fn only(line: &Line, kinds: &[&str]) -> bool {
    let is_one = |key: &str| kinds.iter().any(|kind| key.ends_with(kind));
    line.differences.iter().all(|found| is_one(&found.key))
}
