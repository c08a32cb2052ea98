//! The numbers of lines by what differs.

use crate::compare::{Comparison, Line};
use crate::known::{List, Standing};
use crate::way::Way;

/// The numbers of equal lines, of lines that differ as listed, and of lines that differ otherwise.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Lines in which nothing differs.
    pub equal: u64,
    /// Lines in which all that differs has a reason.
    pub known: u64,
    /// Lines that show an open fault.
    pub open: u64,
    /// Lines that differ and are not on the list.
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

    /// The text of a cell of the table.
    #[must_use]
    pub fn cell(self) -> String {
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
