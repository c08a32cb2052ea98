//! The result, as a table and as JSON.

use std::fmt::Write as _;

use anyhow::Context;
use serde::Serialize;
use wasix_landlock_benches::Spread;

use crate::Samples;
use crate::plan::Operation;

/// One row for each operation.
#[derive(Serialize)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    operation: String,
    /// In the order of the columns, in microseconds for each operation.
    spreads: Vec<Spread>,
    samples: Vec<Vec<f64>>,
}

/// The medians of two columns, one divided by the other, and what that is called.
const RATIOS: [(&str, &str, &str); 4] = [
    ("upstream", "fork", "upstream / fork"),
    ("enforced", "fork", "enforced / fork"),
    ("wasmtime", "enforced", "wasmtime / enforced"),
    ("enforced", "native", "enforced / native"),
];

impl Table {
    /// The spread of the samples.
    ///
    /// # Errors
    /// If a column has no sample of an operation.
    pub fn of(
        operations: &[Operation],
        columns: &[&str],
        samples: &Samples,
    ) -> anyhow::Result<Self> {
        let mut rows = Vec::new();
        for Operation { name, .. } in operations {
            let taken = samples
                .get(name)
                .with_context(|| format!("{name} was not measured"))?;
            let samples = columns
                .iter()
                .map(|&column| {
                    taken
                        .get(column)
                        .cloned()
                        .with_context(|| format!("{column} lacks {name}"))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let spreads = samples
                .iter()
                .cloned()
                .map(Spread::of)
                .collect::<Option<_>>();
            let spreads = spreads.with_context(|| format!("no samples of {name}"))?;
            rows.push(Row {
                operation: name.clone(),
                spreads,
                samples,
            });
        }
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Ok(Self { columns, rows })
    }

    /// As JSON.
    ///
    /// # Errors
    /// A number that JSON doesn't have.
    pub fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// As Markdown: medians with the least and the 90th percentile, and ratios of medians.
    pub fn markdown(&self) -> String {
        let at = |column: &str| self.columns.iter().position(|name| name == column);
        let ratios: Vec<(usize, usize, &str)> = RATIOS
            .iter()
            .filter_map(|(above, below, name)| Some((at(above)?, at(below)?, *name)))
            .collect();
        let mut text = String::from("| µs | ");
        text += &self.columns.join(" | ");
        for (_, _, name) in &ratios {
            write!(text, " | {name}").expect("a string takes any text");
        }
        text += " |\n|---|";
        text += &"--:|".repeat(self.columns.len() + ratios.len());
        text.push('\n');
        for row in &self.rows {
            write!(text, "| {} |", row.operation).expect("a string takes any text");
            for spread in &row.spreads {
                let [median, least, ninetieth] =
                    [spread.median, spread.least, spread.ninetieth].map(short);
                write!(text, " {median} ({least} to {ninetieth}) |")
                    .expect("a string takes any text");
            }
            for (above, below, _) in &ratios {
                let ratio = row.spreads[*above].median / row.spreads[*below].median;
                write!(text, " {} |", short(ratio)).expect("a string takes any text");
            }
            text.push('\n');
        }
        text
    }
}

/// Three digits.
fn short(number: f64) -> String {
    match number {
        _ if number >= 100.0 => format!("{number:.0}"),
        _ if number >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}
