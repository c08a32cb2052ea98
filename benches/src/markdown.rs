//! All results as Markdown.

pub use wasix_landlock_figures::markdown::table;

use crate::{Results, summary};

/// All tables, with what they are about.
pub fn document(results: &Results) -> String {
    let mut text = String::from(
        "# What it costs\n\nMade by `cargo bench --bench all -- --write`; the same in [results.json](results/results.json), \
         and as a [page with plots](results/index.html).\n\n",
    );
    text += &results.machine.describe();
    for apart in &results.apart {
        text += &format!("\n\n{}", apart.describe(results));
    }
    text += "\n\nEach number is a median, with the least and the 90th percentile in brackets. *Upstream* is Wasmer as \
             published, *fork* is this project with enforcement off, *enforced* with it.\n\n";
    for sentence in summary(results) {
        text += &format!("- {sentence}\n");
    }
    for table in &results.tables {
        text += &format!("\n## {}\n\n{}\n\n", table.title, table.text);
        text += &self::table(table);
    }
    text
}
