//! The comparison in words, from the figures.

use crate::{Results, Table, short};

/// The comparison of two columns, over all rows that have both: the least, the median and the most, with the rows of
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

/// The comparison as a small Markdown table: what is compared, the median, and the range. Nothing if a column is missing.
pub fn cost_table(results: &Results) -> Option<String> {
    let mut lines =
        "| time compared with | of | median | from | to |\n|---|---|--:|---|---|\n".to_owned();
    let others = [
        ("enforcement off", "enforced", "fork"),
        ("Wasmer as published", "enforced", "upstream"),
        ("wasmtime", "enforced", "wasmtime"),
        ("the same program natively", "enforced", "native"),
    ];
    for (other, above, below) in others {
        for (id, of) in [
            ("operations", "a single operation"),
            ("programs", "a whole program"),
        ] {
            let comparison = Comparison::of(results.table(id)?, above, below)?;
            let end = |(ratio, row): (f64, &str)| match ratio < 0.01 {
                true => format!("below 0.01 ({row})"),
                false => format!("{} ({row})", short(ratio)),
            };
            let (least, most) = (
                comparison.rows[0],
                comparison.rows[comparison.rows.len() - 1],
            );
            lines.push_str(&format!(
                "| {other} | {of} | {} | {} | {} |\n",
                short(comparison.median()),
                end(least),
                end(most)
            ));
        }
    }
    Some(lines)
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
        if let Some(cost) = Comparison::of(table, "calls", "native") {
            sentences.push(format!(
                "**The system calls alone**, with the same grants enforced, by {what}: {} times as long as no module at all.",
                cost.range()
            ));
        }
    }
    sentences.extend(server(results));
    sentences
}

/// The server in words, where more is better.
fn server(results: &Results) -> Option<String> {
    let table = results.table("server-processor")?;
    let than = |column: &str| {
        Comparison::of(table, "enforced", column).map(|comparison| comparison.range())
    };
    let mut text = format!(
        "**A server with enforcement** answers, by mode and load and per second of processor time, {} times as many \
         requests as without it",
        than("fork")?
    );
    for (column, name) in [
        ("upstream", "Wasmer as published"),
        ("wasmtime", "wasmtime"),
    ] {
        if let Some(range) = than(column) {
            text += &format!("; {range} times as many as {name}");
        }
    }
    Some(text + ".")
}
