//! The table of what holds.

use std::fmt::Write as _;

use crate::compare::{Comparison, Line};
use crate::fuzz::Outcomes;
use crate::known::{List, Standing};
use crate::suite::Run;
use crate::way::Way;

/// The numbers of equal lines, of lines that differ as listed, and of lines that differ otherwise.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Nothing differs.
    pub equal: u64,
    /// All that differs has a reason.
    pub known: u64,
    /// The number of differences that are open faults.
    pub open: u64,
    /// Something differs that is not on the list.
    pub new: u64,
    /// Calls that were not compared, since the sides had gone apart.
    pub skipped: u64,
}

impl Tally {
    /// Counts a comparison, and meets the list.
    pub fn add(&mut self, comparison: &Comparison, way: Way, list: &mut List) {
        for line in &comparison.lines {
            match standing(line, way, list) {
                None if line.differences.is_empty() => self.equal += 1,
                None => self.new += 1,
                Some(Standing::Known) => self.known += 1,
                Some(Standing::Open) => self.open += 1,
            }
        }
        self.skipped += comparison.skipped as u64;
    }

    /// Adds another one.
    pub fn sum(&mut self, other: Self) {
        self.equal += other.equal;
        self.known += other.known;
        self.open += other.open;
        self.new += other.new;
        self.skipped += other.skipped;
    }

    /// The number of calls.
    #[must_use]
    pub const fn calls(self) -> u64 {
        self.equal + self.known + self.open + self.new + self.skipped
    }

    fn cell(self) -> String {
        let mut words = Vec::new();
        for (count, word) in [
            (self.known, "known"),
            (self.open, "open"),
            (self.new, "different"),
        ] {
            if count > 0 {
                words.push(format!("{count} {word}"));
            }
        }
        if self.skipped > 0 {
            words.push(format!("{} not compared", self.skipped));
        }
        if words.is_empty() {
            return "equal".to_owned();
        }
        words.join(", ")
    }
}

/// The worst standing of a line's differences; none if one is not on the list.
fn standing(line: &Line, way: Way, list: &mut List) -> Option<Standing> {
    let mut all = Vec::new();
    for difference in &line.differences {
        all.push(list.meet(&difference.key, way).map(|entry| entry.standing));
    }
    let all: Option<Vec<Standing>> = all.into_iter().collect();
    all?.into_iter().max()
}

/// The outcome of generated cases, as Markdown.
#[must_use]
pub fn generated(first: u64, outcomes: &Outcomes) -> String {
    let calls: u64 = outcomes.tallies.iter().map(|tally| tally.calls()).sum();
    let text = format!(
        "## Generated cases\n\n{} cases with {calls} calls, from seed {first} on, in {} minutes; {} differences that are \
         not on the list. Of each 4 seeds in 16, threads have directories of their own; of 4 others they share one. A quarter \
         runs with `harden`.\n\n",
        outcomes.cases,
        outcomes.time.as_secs() / 60,
        outcomes.found.len(),
    );
    text + &counts(&outcomes.tallies)
}

/// The table of kept cases as Markdown; meets the list.
pub fn table(runs: &[Run], list: &mut List) -> (String, [Tally; 4]) {
    let mut sums = [Tally::default(); 4];
    let mut rows = String::new();
    for run in runs {
        let mut cells = ["–"; 4].map(str::to_owned);
        for (way, comparison) in &run.comparisons {
            let mut tally = Tally::default();
            tally.add(comparison, *way, list);
            let column = *way as usize;
            sums[column].sum(tally);
            cells[column] = tally.cell();
        }
        let case = &run.case;
        // A `String` takes all.
        let _ = writeln!(
            rows,
            "| `{}` {} | {} |",
            case.name,
            case.description,
            cells.join(" | ")
        );
    }
    let names = Way::ALL.map(Way::name);
    let mut text = counts(&sums);
    let _ = write!(
        text,
        "\n## Cases\n\n| case | {} |\n|---|---|---|---|---|\n{rows}",
        names.map(|name| format!("`{name}`")).join(" | ")
    );
    (text, sums)
}

/// The numbers of lines as a Markdown table.
fn counts(sums: &[Tally; 4]) -> String {
    let names = Way::ALL.map(Way::name);
    let mut text = format!(
        "| lines | {} |\n|---|---|---|---|---|\n",
        names.map(|name| format!("`{name}`")).join(" | ")
    );
    type Count = fn(&Tally) -> u64;
    let kinds: [(&str, Count); 5] = [
        ("equal", |tally| tally.equal),
        ("known", |tally| tally.known),
        ("open", |tally| tally.open),
        ("different", |tally| tally.new),
        ("not compared", |tally| tally.skipped),
    ];
    for (name, count) in kinds {
        let counts = sums.each_ref().map(|tally| count(tally).to_string());
        let _ = writeln!(text, "| {name} | {} |", counts.join(" | "));
    }
    text
}

/// The faults that are open and the known differences, as Markdown, with the numbers of differences.
#[must_use]
pub fn reasons(list: &List, standing: Standing) -> String {
    let mut text = format!(
        "| | {} |\n|---|---|---|---|---|\n",
        Way::ALL.map(|way| format!("`{}`", way.name())).join(" | ")
    );
    for (entry, counts) in list.counts() {
        if entry.standing == standing {
            let counts = counts.map(|count| count.to_string()).join(" | ");
            // A `String` takes all.
            let _ = writeln!(text, "| {} | {counts} |", entry.reason);
        }
    }
    text
}
