//! Tables as Markdown.

use crate::{Cell, Table, short};

/// A table, with the reasons for what is empty below it.
pub fn table(table: &Table) -> String {
    let units: Vec<&str> = table.columns.iter().map(|c| c.unit.as_str()).collect();
    let same = units.windows(2).all(|two| two[0] == two[1]);
    let mut heads = vec![if same && !units[0].is_empty() {
        format!("{}, {}", table.head, units[0])
    } else {
        table.head.clone()
    }];
    for column in &table.columns {
        heads.push(if same || column.unit.is_empty() {
            column.name.clone()
        } else {
            format!("{}, {}", column.name, column.unit)
        });
    }
    let ratios = table.shown_ratios();
    heads.extend(ratios.map(|ratio| format!("{} / {}", ratio.above, ratio.below)));
    let mut text = format!("| {} |\n|---|", heads.join(" | "));
    for number in 1..heads.len() {
        let words = table
            .columns
            .get(number - 1)
            .is_some_and(|column| column.unit.is_empty());
        text += if words { "---|" } else { "--:|" };
    }
    text.push('\n');
    for row in &table.rows {
        let mut cells = vec![row.name.clone()];
        cells.extend(row.cells.iter().map(cell));
        for ratio in table.shown_ratios() {
            let ratio = table.ratio(row, &ratio.above, &ratio.below);
            cells.push(ratio.map_or_else(|| "–".to_owned(), short));
        }
        text += &format!("| {} |\n", cells.join(" | "));
    }
    let reasons = table.reasons();
    if !reasons.is_empty() {
        text += "\nNot measured:\n\n";
    }
    for (reason, places) in reasons {
        text += &format!("- {}: {reason}\n", places.join("; "));
    }
    text
}

/// Returns the text of a cell.
pub(crate) fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Measured { spread, samples } if samples.len() == 1 => short(spread.median),
        Cell::Measured { spread, .. } => {
            let [median, least, ninetieth] =
                [spread.median, spread.least, spread.ninetieth].map(short);
            format!("{median} ({least} to {ninetieth})")
        }
        Cell::Text(text) => text.clone(),
        Cell::Absent(_) => "–".to_owned(),
    }
}
