//! The growth of time and memory: with preopens, with threads, and with instances in each scope.

mod instances;
mod preopens;

pub use instances::take_sample as take_instances_sample;
pub use preopens::take_sample as take_preopens_sample;

use std::fs::File;
use std::io::Read as _;
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
fn sample(
    context: &Context,
    kind: &str,
    enforced: bool,
    arguments: &[String],
) -> anyhow::Result<(f64, f64)> {
    // Each preopen is a descriptor until it is enforced.
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
    serde_json::from_slice(&output.stdout).context("a sample said something else")
}

/// The memory of a process that is its own, in MiB: what it shares with others counts by their number.
struct Memory(File);

impl Memory {
    /// Of this process, or of another one. Opened before anything is restricted.
    fn of(process: &str) -> anyhow::Result<Self> {
        Ok(Self(File::open(format!("/proc/{process}/smaps_rollup"))?))
    }

    /// Now; can be asked once.
    fn read(mut self) -> anyhow::Result<f64> {
        let mut text = String::new();
        self.0.read_to_string(&mut text)?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        let kilobytes: f64 = kilobytes.context("no Pss")?.parse()?;
        Ok(kilobytes / 1024.0)
    }
}
