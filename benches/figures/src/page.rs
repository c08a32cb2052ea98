//! Tables as one page: HTML with the pictures inside, and nothing loaded from elsewhere.

use anyhow::anyhow;
use pulldown_cmark::{Event, Parser, Tag, html::push_html};

use crate::{Cell, Plot, Results, Table, markdown, plot, short};

/// The page of these results. `text` is HTML, before the tables: [`prose`] makes it of a paragraph.
///
/// # Errors
/// A table that can't be drawn.
pub fn page(title: &str, text: &str, results: &Results) -> anyhow::Result<String> {
    let title = prose(title);
    let mut body = format!("<h1>{title}</h1>\n{text}<nav>");
    for table in &results.tables {
        body += &format!("<a href=\"#{}\">{}</a> ", table.id, prose(&table.title));
    }
    body += "</nav>\n";
    for table in &results.tables {
        body += &section(table)?;
    }
    Ok(format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n\
         <title>{title}: wasix-landlock</title>\n<style>{STYLE}</style>\n<main>\n{body}</main>\n</html>\n"
    ))
}

fn section(table: &Table) -> anyhow::Result<String> {
    let mut text = format!(
        "<section id=\"{}\">\n<h2>{}</h2>\n<p>{}</p>\n",
        table.id,
        prose(&table.title),
        prose(&table.text)
    );
    for plot in &table.plots {
        let drawn = plot::draw(table, plot).map_err(|error| anyhow!("{}: {error}", table.id))?;
        if let Some(svg) = drawn {
            let (Plot::Bars { title, .. } | Plot::Lines { title, .. }) = plot;
            text += &format!(
                "<figure><figcaption>{}</figcaption>{svg}</figure>\n",
                prose(title)
            );
        }
    }
    let long = table.rows.len() > 12 && !table.plots.is_empty();
    text += if long {
        "<details><summary>All figures</summary>\n"
    } else {
        ""
    };
    text += &figures(table);
    text += if long { "</details>\n" } else { "" };
    let reasons = table.reasons();
    if !reasons.is_empty() {
        text += "<p class=small>Not measured: ";
        for (reason, places) in reasons {
            text += &format!("{}: {}. ", prose(&places.join("; ")), prose(&reason));
        }
        text += "</p>\n";
    }
    Ok(text + "</section>\n")
}

fn figures(table: &Table) -> String {
    let mut text = format!("<div class=wide><table><tr><th>{}", prose(&table.head));
    for (number, column) in table.columns.iter().enumerate() {
        let mut cells = table.rows.iter().filter_map(|row| row.cells.get(number));
        let has_words = cells.all(|cell| matches!(cell, Cell::Text(_)));
        let class = if has_words { " class=words" } else { "" };
        text += &format!("<th{class}>{}", prose(&column.name));
        if !column.unit.is_empty() {
            text += &format!("<small>{}</small>", prose(&column.unit));
        }
    }
    for ratio in table.shown_ratios() {
        text += &format!(
            "<th>{}<small>/ {}</small>",
            prose(&ratio.above),
            prose(&ratio.below)
        );
    }
    text += "</tr>\n";
    for row in &table.rows {
        text += &format!("<tr><th scope=row>{}", prose(&row.name));
        for cell in &row.cells {
            text += &match cell {
                Cell::Measured { spread, samples } if samples.len() > 1 => format!(
                    "<td>{}<small>{} to {}</small>",
                    short(spread.median),
                    short(spread.least),
                    short(spread.ninetieth)
                ),
                Cell::Text(text) => format!("<td class=words>{}", prose(text)),
                other => format!("<td>{}", markdown::cell(other)),
            };
        }
        for ratio in table.shown_ratios() {
            let ratio = table.ratio(row, &ratio.above, &ratio.below);
            text += &format!(
                "<td class=ratio>{}",
                ratio.map_or_else(|| "–".to_owned(), short)
            );
        }
        text += "</tr>\n";
    }
    text + "</table></div>\n"
}

/// Makes HTML of a paragraph in Markdown. Its links are relative to the folder above the page's own, where the text in
/// Markdown lies.
pub fn prose(text: &str) -> String {
    let events = Parser::new(text).filter_map(|event| match event {
        Event::Start(Tag::Paragraph) | Event::End(Tag::Paragraph) => None,
        Event::Start(Tag::Link(kind, address, title)) => {
            let address = format!("../{address}").into();
            Some(Event::Start(Tag::Link(kind, address, title)))
        }
        Event::Html(text) => Some(Event::Text(text)),
        other => Some(other),
    });
    let mut html = String::new();
    push_html(&mut html, events);
    html
}

const STYLE: &str = "
body { margin: 0; background: #fff; color: #222; font: 16px/1.5 system-ui, sans-serif }
main { max-width: 1400px; margin: 0 auto; padding: 24px 16px 64px }
h1 { margin: 0 0 8px; font-size: 30px }
h2 { margin: 48px 0 8px; border-top: 1px solid #ddd; padding-top: 24px; font-size: 22px }
p, li { max-width: 46em }
.machine, .small, small { color: #666 }
.machine, .small { font-size: 14px }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 20px 0 }
a { color: #0072b2 }
figure { margin: 20px 0; overflow-x: auto }
figcaption { font-weight: 600; font-size: 15px }
svg { display: block; max-width: min(100%, 980px); height: auto }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { padding: 5px 10px; text-align: right; vertical-align: top; white-space: nowrap }
th { font-weight: 600 } tr > th:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; background: #fff }
th[scope=row] { font-weight: 400 }
tr { border-bottom: 1px solid #eee }
th.words, td.words { text-align: left; white-space: normal; min-width: 11em }
td.ratio { color: #0072b2 }
small { display: block; font-size: 12px; font-weight: 400 }
summary { cursor: pointer; color: #0072b2; margin: 8px 0 }
";
