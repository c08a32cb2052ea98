//! The growth of time and memory: with preopens, with threads, with the distance of rules, and with instances in each scope.

mod instances;
mod preopens;
mod rules;

pub use instances::{take_limit_sample, take_sample as take_instances_sample};
pub use preopens::{make as make_preopens, take_sample as take_preopens_sample};
pub use rules::take_sample as take_rules_sample;

use std::process::Command;

use anyhow::{Context as _, ensure};
use wasix_landlock_benches::{Column, Plot, Samples, Table};
use wasmer_wasix::landlock::MODE_VARIABLE;

use crate::context::Context;

/// Takes all samples.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Vec<Table>> {
    let mut tables = preopens::measure(context)?;
    tables.push(rules::measure(context)?);
    tables.extend(instances::measure(context)?);
    Ok(tables)
}

/// The subject of a table.
struct About<'a> {
    id: &'a str,
    title: &'a str,
    text: &'a str,
    head: &'a str,
    /// The picture's title, and the columns in it.
    drawn: (&'a str, &'a [&'a str]),
}

fn table(about: &About<'_>, rows: &[usize], columns: &[Column], samples: &Samples) -> Table {
    let (title, drawn) = about.drawn;
    Table {
        id: about.id.to_owned(),
        title: about.title.to_owned(),
        text: about.text.to_owned(),
        head: about.head.to_owned(),
        columns: columns.to_vec(),
        ratios: Vec::new(),
        rows: rows
            .iter()
            .map(|row| samples.row(&row.to_string(), columns))
            .collect(),
        plots: vec![Plot::Lines {
            title: title.to_owned(),
            columns: drawn.iter().map(|column| (*column).to_owned()).collect(),
        }],
    }
}

/// Two numbers that a process of its own prints: milliseconds, and MiB.
///
/// # Errors
/// A sample that fails.
pub fn sample(
    context: &Context,
    kind: &str,
    enforced: bool,
    arguments: &[String],
) -> anyhow::Result<(f64, f64)> {
    let printed = printed(context, kind, enforced, arguments)?;
    serde_json::from_slice(&printed).context("a sample said something else")
}

/// Returns the output of a process of its own.
fn printed(
    context: &Context,
    kind: &str,
    enforced: bool,
    arguments: &[String],
) -> anyhow::Result<Vec<u8>> {
    // Each preopened directory is a descriptor.
    let output = Command::new("sh")
        .args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$@\"", "sh"])
        .arg(std::env::current_exe()?)
        .args(["--sample", kind])
        .args(arguments)
        .arg(&context.work)
        .env(MODE_VARIABLE, if enforced { "enforce" } else { "off" })
        .stderr(std::process::Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "a sample of {kind} {arguments:?} failed: {}",
        output.status
    );
    Ok(output.stdout)
}

/// The most descriptors that a sample can have, if there is a limit.
fn most_descriptors() -> Option<usize> {
    let output = Command::new("sh")
        .args(["-c", "ulimit -Hn"])
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
