//! The table of what holds.

use std::fmt::Write as _;

use crate::fuzz::Outcomes;
use crate::known::{List, Standing};
use crate::suite::Run;
use crate::tally::Tally;
use crate::way::Way;

/// The outcome of generated cases, as Markdown.
#[must_use]
pub fn generated(first: u64, outcomes: &Outcomes) -> String {
    let calls: u64 = outcomes.tallies.iter().map(|tally| tally.calls()).sum();
    let text = format!(
        "## Generated cases\n\n{} cases with {calls} calls, from seed {first} on, in {} minutes; {} differences that are \
         not on the list. A quarter of the cases has threads with directories of their own, a quarter threads that share \
         one, the rest a single thread; a quarter of each runs with `harden`.\n\n",
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
