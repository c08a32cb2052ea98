//! The comparison in words, from the figures.

use crate::{Results, Table, short};

/// What two columns come to, over all rows that have both: the least, the median and the most, with the rows of
/// the least and the most.
struct Comparison<'a> {
    rows: Vec<(f64, &'a str)>,
}

impl<'a> Comparison<'a> {
    fn of(table: &'a Table, above: &str, below: &str) -> Option<Self> {
        let ratio =
            |row: &'a crate::Row| Some((table.ratio(row, above, below)?, row.name.as_str()));
        let mut rows: Vec<(f64, &str)> = table.rows.iter().filter_map(ratio).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        (!rows.is_empty()).then_some(Self { rows })
    }

    fn median(&self) -> f64 {
        self.rows[self.rows.len() / 2].0
    }

    fn range(&self) -> String {
        let ((least, first), (most, last)) = (self.rows[0], self.rows[self.rows.len() - 1]);
        format!(
            "{} ({first}) to {} ({last}), median {}",
            short(least),
            short(most),
            short(self.median())
        )
    }

    /// The rows that are below this.
    fn below(&self, bound: f64) -> String {
        let rows = self.rows.iter().filter(|(ratio, _)| *ratio < bound);
        let rows: Vec<String> = rows
            .map(|(ratio, name)| format!("{name} ({})", short(*ratio)))
            .collect();
        if rows.is_empty() {
            "none".to_owned()
        } else {
            rows.join(", ")
        }
    }
}

/// The comparison in a paragraph, for who doesn't look at the tables. Nothing if a column is missing.
pub fn paragraph(results: &Results) -> Option<String> {
    let [programs, operations] = [results.table("programs")?, results.table("operations")?];
    let cost = |table| Comparison::of(table, "enforced", "fork");
    let gain = |table, other| Comparison::of(table, other, "enforced");
    // What comes out below is the samples' scatter.
    let percent = |ratio: f64| match ((ratio - 1.0) * 100.0).round() {
        percent if percent > 0.0 => format!("{percent:.0} %"),
        _ => "nothing that can be measured".to_owned(),
    };
    let most = |comparison: &Comparison<'_>| {
        let (ratio, name) = comparison.rows[comparison.rows.len() - 1];
        format!("{} ({name})", percent(ratio))
    };
    let [by_program, by_operation] = [cost(programs)?, cost(operations)?];
    Some(format!(
        "Enforcement adds {} to a whole program in the median, at most {}, and {} to a single operation, at most {}. Beside \
         Wasmer as published, with enforcement on, single operations are {} times as fast, and whole programs {}; beside \
         wasmtime {} and {}. Beside no module at all an operation takes {} times as long.",
        percent(by_program.median()),
        most(&by_program),
        percent(by_operation.median()),
        most(&by_operation),
        gain(operations, "upstream")?.range(),
        gain(programs, "upstream")?.range(),
        gain(operations, "wasmtime")?.range(),
        gain(programs, "wasmtime")?.range(),
        Comparison::of(operations, "enforced", "native")?.range(),
    ))
}

/// The comparison in words: a sentence for each two columns of each table that has them. Markdown.
pub fn summary(results: &Results) -> Vec<String> {
    let mut sentences = Vec::new();
    for (id, what) in [("operations", "operation"), ("programs", "program")] {
        let Some(table) = results.table(id) else {
            continue;
        };
        if let Some(cost) = Comparison::of(table, "enforced", "fork") {
            sentences.push(format!(
                "**Enforcement**, by {what}: {} times the fork's own time without it.",
                cost.range()
            ));
        }
        if let Some(gain) = Comparison::of(table, "upstream", "enforced") {
            sentences.push(format!(
                "**Upstream takes**, by {what}, {} times as long as the fork with enforcement. Slower than upstream: {}.",
                gain.range(),
                gain.below(1.0)
            ));
        }
        if let Some(gain) = Comparison::of(table, "wasmtime", "enforced") {
            sentences.push(format!(
                "**wasmtime takes**, by {what}, {} times as long. Slower than wasmtime: {}.",
                gain.range(),
                gain.below(1.0)
            ));
        }
        if let Some(cost) = Comparison::of(table, "enforced", "native") {
            sentences.push(format!(
                "**Against no module at all**, by {what}: {} times as long.",
                cost.range()
            ));
        }
    }
    sentences
}
