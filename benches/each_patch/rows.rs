//! The figures as Markdown.

use std::path::Path;

use anyhow::{Context as _, ensure};
use wasix_landlock_benches::{Cell, Results, Row, Spread, Table, short};

use crate::variants::{FIXED, Patch, Variant};

/// The column of Wasmer as published.
pub const PUBLISHED: &str = "published";
/// The least change that counts. Another program has its code at other places, which does as much.
const SEEN: f64 = 0.05;

/// Returns the change by each patch, and the change by all of them, as Markdown.
///
/// # Errors
/// If the figures are of other patches.
pub fn markdown(results: &Results, variants: &[Variant]) -> anyhow::Result<String> {
    let table = results
        .table("each-patch")
        .context("no figures of each patch")?;
    let columns: Vec<&str> = variants
        .iter()
        .map(|variant| variant.column.as_str())
        .collect();
    for column in &columns {
        ensure!(table.position(column).is_some(), "{column} isn't measured");
    }
    let mut text = format!(
        "{} Each figure is a median, with the least and the 90th percentile in brackets; µs for one operation, \
         enforcement off.\n\n| patch | operation | before | after | times as fast |\n|---|---|--:|--:|--:|\n",
        results.machine.describe()
    );
    for two in variants.windows(2) {
        let [before, after] = two else { continue };
        let Some(patch) = &after.patch else { continue };
        let mut head = named(patch);
        let changed = table
            .rows
            .iter()
            .filter_map(|row| change(table, row, &before.column, &after.column));
        for (operation, before, after) in changed {
            let times = short(before.median / after.median);
            text += &format!(
                "| {head} | {operation} | {} | {} | {times} |\n",
                cell(&before),
                cell(&after)
            );
            head.clear();
        }
        if !head.is_empty() {
            let why = match patch.silent {
                "" => "none seen above the scatter".to_owned(),
                why => format!("none by itself: {why}"),
            };
            text += &format!("| {head} | {why} | | | |\n");
        }
    }
    let last = columns.last().context("no patch")?;
    text += "\nAll of them: *published* is Wasmer, *fixed* the fork with the patches before the first of these, *all* \
             with these too.\n\n| operation | published | fixed | all | published / all | fixed / all |\n\
             |---|--:|--:|--:|--:|--:|\n";
    for row in &table.rows {
        let ratio = |above| {
            table
                .ratio(row, above, last)
                .map_or_else(|| "–".to_owned(), short)
        };
        let of = |column| {
            spread(table, row, column).map_or_else(|| "–".to_owned(), |spread| cell(&spread))
        };
        text += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            row.name,
            of(PUBLISHED),
            of(FIXED),
            of(last),
            ratio(PUBLISHED),
            ratio(FIXED)
        );
    }
    Ok(text.trim_end().to_owned())
}

/// An operation whose median and least change by more than [`SEEN`], both up or both down, and of whose samples the
/// middle halves before and after don't overlap.
fn change<'a>(
    table: &Table,
    row: &'a Row,
    before: &str,
    after: &str,
) -> Option<(&'a str, Spread, Spread)> {
    let is_apart = |low: &str, high: &str| {
        let (low, high) = (samples(table, row, low)?, samples(table, row, high)?);
        Some(low[(low.len() - 1) * 3 / 4] < high[high.len() / 4])
    };
    let (faster, slower) = (is_apart(after, before)?, is_apart(before, after)?);
    let (before, after) = (spread(table, row, before)?, spread(table, row, after)?);
    let ratios = [after.median / before.median, after.least / before.least];
    let seen = (faster && ratios.iter().all(|ratio| *ratio < 1.0 - SEEN))
        || (slower && ratios.iter().all(|ratio| *ratio > 1.0 + SEEN));
    seen.then_some((row.name.as_str(), before, after))
}

/// From the least to the most.
fn samples(table: &Table, row: &Row, column: &str) -> Option<Vec<f64>> {
    let Cell::Measured { samples, .. } = row.cells.get(table.position(column)?)? else {
        return None;
    };
    let mut samples = samples.clone();
    samples.sort_by(f64::total_cmp);
    Some(samples)
}

fn spread(table: &Table, row: &Row, column: &str) -> Option<Spread> {
    match row.cells.get(table.position(column)?)? {
        Cell::Measured { spread, .. } => Some(*spread),
        Cell::Text(_) | Cell::Absent(_) => None,
    }
}

fn cell(spread: &Spread) -> String {
    let [median, least, ninetieth] = [spread.median, spread.least, spread.ninetieth].map(short);
    format!("{median} ({least} to {ninetieth})")
}

fn named(patch: &Patch) -> String {
    let Patch {
        fork,
        number,
        subject,
        file,
        ..
    } = patch;
    let path = Path::new("../patches").join(fork).join(file);
    format!("`{fork}` [{number}]({}): {subject}", path.display())
}
