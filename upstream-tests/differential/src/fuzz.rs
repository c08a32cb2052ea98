//! Generated cases, and how one that differs is made short.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::compare::Difference;
use crate::generate::generate;
use crate::known::List;
use crate::sides::compare;
use crate::suite::in_parallel;
use crate::tally::Tally;
use crate::way::Way;

/// The number of new differences with which the run ends.
const MOST: usize = 40;

/// A difference that is not on the list.
#[derive(Debug, Clone)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// The way in.
    pub way: Way,
    /// The difference.
    pub difference: Difference,
}

/// The outcome of generated cases.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// The number of cases that were run.
    pub cases: u64,
    /// The time that they took.
    pub time: Duration,
    /// The lines, through each way in.
    pub tallies: [Tally; 4],
    /// New differences, by key and way in.
    pub found: BTreeMap<(String, Way), Found>,
}

/// The way in that a seed stands for.
#[must_use]
pub const fn way_of(seed: u64) -> Way {
    Way::ALL[(seed % 4) as usize]
}

/// Runs generated cases from a seed on: so many, or for so long.
///
/// # Errors
/// If one can't be run.
pub fn fuzz(
    program: &Path,
    first: u64,
    count: Option<u64>,
    time: Duration,
    list: &mut List,
) -> anyhow::Result<Outcomes> {
    let (begun, mut outcomes) = (Instant::now(), Outcomes::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let count = count.unwrap_or(u64::MAX);
    while outcomes.cases < count && begun.elapsed() < time && outcomes.found.len() < MOST {
        let batch = (count - outcomes.cases).min(50);
        let start = first.wrapping_add(outcomes.cases);
        let done = in_parallel(threads, batch as usize, |number| {
            let seed = start.wrapping_add(number as u64);
            let way = way_of(seed);
            Ok((seed, way, compare(&generate(seed), way, program)?))
        })?;
        for (seed, way, comparison) in done {
            outcomes.cases += 1;
            outcomes.tallies[way as usize].add(&comparison, way, list);
            for difference in comparison.differences() {
                if list.get(&difference.key, way).is_none() {
                    let key = (difference.key.clone(), way);
                    outcomes.found.entry(key).or_insert_with(|| Found {
                        seed,
                        way,
                        difference: difference.clone(),
                    });
                }
            }
        }
    }
    outcomes.time = begun.elapsed();
    Ok(outcomes)
}

/// Leaves out the steps that the difference doesn't need.
#[must_use]
pub fn shrink(program: &Path, found: &Found) -> Case {
    let mut case = generate(found.seed);
    let shows = |case: &Case| {
        let compared = compare(case, found.way, program);
        compared.is_ok_and(|comparison| {
            let mut differences = comparison.differences();
            differences.any(|difference| difference.key == found.difference.key)
        })
    };
    let mut size = case.steps.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < case.steps.len() {
            let mut smaller = case.clone();
            let end = (start + size).min(smaller.steps.len());
            smaller.steps.drain(start..end);
            if shows(&smaller) {
                case = smaller;
            } else {
                start += size;
            }
        }
        size /= 2;
    }
    case.description = found.difference.key.clone();
    case
}
