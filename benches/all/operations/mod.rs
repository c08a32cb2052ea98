//! The costs of single operations: each a loop in a module, or the same loop without one.

pub mod calls;
pub mod guest;
pub mod plan;
pub mod runner;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use plan::Operation;
use wasix_landlock_benches::{Column, Plot, Ratio, Samples, Table, empty};
use wasmer_wasix::landlock::MODE_VARIABLE;

use crate::context::Context;

/// The time, in seconds, from which an operation is measured once in a column.
const ONCE_FROM: f64 = 4.0;
/// Directories from here on are not listed where the time is the square of the length.
const TOO_LONG: u32 = 50_000;
const QUADRATIC: [&str; 2] = ["upstream", "wasmtime"];

/// The column of the system calls alone, which is taken where there is one of enforcement to compare it with.
const CALLS: &str = "calls";

/// Takes all samples of all operations, the columns in turns, so that whatever else the machine does falls on all
/// of them.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Vec<Table>> {
    let (lists, fewer): (&[u32], u32) = if context.short {
        (&[10, 1000], 10)
    } else {
        (&[10, 1000, 5000, 50_000], 1)
    };
    let mut operations = plan::operations(lists, fewer);
    operations.retain(|operation| operation.name.contains(&context.only));
    let mut columns = context.columns();
    if let Some(at) = columns.iter().position(|column| *column == "enforced") {
        columns.insert(at, CALLS);
    }
    let mut samples = Samples::default();
    for operation in &operations {
        for column in columns.iter().filter(|column| QUADRATIC.contains(column)) {
            if operation.needs == plan::Needs::Entries(TOO_LONG) {
                let reason =
                    "its time grows with the square of the length: minutes for each listing";
                samples.leave_out(&operation.name, column, reason);
            }
        }
    }
    for round in 0..context.samples {
        for column in &columns {
            let again = |operation: &&Operation| {
                let last = samples.of(&operation.name, column).last();
                let took = last.map(|last| last * f64::from(operation.count) / 1e6);
                !samples.is_left_out(&operation.name, column)
                    && took.is_none_or(|took| took < ONCE_FROM)
            };
            let operations: Vec<Operation> = operations.iter().filter(again).cloned().collect();
            let progress = format!(
                "operations: round {} of {}, {column}",
                round + 1,
                context.samples
            );
            for (name, took) in run_sample(context, column, &operations, &progress)? {
                samples.add(&name, column, took);
            }
        }
    }
    let columns: Vec<Column> = columns.iter().map(|c| Column::new(c, "µs")).collect();
    let rows = operations
        .iter()
        .map(|operation| samples.row(&operation.name, &columns));
    Ok(vec![Table {
        id: "operations".to_owned(),
        title: "Single operations".to_owned(),
        text: "A module that calls WASI preview 1 in loops, with no library in between; *native* is the same loop by \
               Rust's standard library, and *calls* the system calls that the fork makes for it, with the same grants \
               enforced and without a module. In trees 30 levels deep Landlock walks up for each open, and the WASI \
               layer walks down."
            .to_owned(),
        head: "operation".to_owned(),
        rows: rows.collect(),
        columns,
        ratios: [
            ("upstream", "fork"),
            ("enforced", "fork"),
            ("wasmtime", "enforced"),
            ("enforced", "native"),
            (CALLS, "native"),
            ("enforced", CALLS),
        ]
        .map(|(above, below)| Ratio::new(above, below))
        .to_vec(),
        plots: vec![
            Plot::Bars {
                title: "Single operations, as multiples of native (logarithmic)".to_owned(),
                columns: ["upstream", "enforced", "wasmtime"].map(str::to_owned).to_vec(),
                base: "native".to_owned(),
                logarithmic: true,
            },
            Plot::Bars {
                title: "What enforcement adds to single operations".to_owned(),
                columns: vec!["enforced".to_owned()],
                base: "fork".to_owned(),
                logarithmic: false,
            },
        ],
    }])
}

/// Runs one process, and reads what it measured.
fn run_sample(
    context: &Context,
    column: &str,
    operations: &[Operation],
    progress: &str,
) -> anyhow::Result<Vec<(String, f64)>> {
    let directory = context.work.join("files");
    let (plan, module) = (
        context.work.join("plan.json"),
        context.work.join("guest.wat"),
    );
    fs::create_dir_all(&directory)?;
    for operation in operations {
        operation.prepare(&directory)?;
    }
    fs::write(&plan, serde_json::to_string(operations)?)?;
    let command = match column {
        "wasmtime" => {
            fs::write(&module, guest::text())?;
            let mut command = context.wasmtime()?;
            command
                .arg("operations")
                .arg(&plan)
                .arg(&module)
                .arg(&directory)
                .arg(plan::PREOPEN);
            command
        }
        "upstream" => {
            let mut command = Command::new(context.upstream()?);
            command.arg("operations").arg(&plan).arg(&directory);
            command
        }
        _ => {
            let mut command = Command::new(std::env::current_exe()?);
            let mode = match column {
                "enforced" | CALLS => "enforce",
                _ => "off",
            };
            let kind = match column {
                "native" | CALLS => column,
                _ => "operations",
            };
            command.args(["--sample", kind]);
            command.arg(&plan).arg(&directory).env(MODE_VARIABLE, mode);
            command
        }
    };
    let taken = wasix_landlock_benches::take_sample(command, operations.len(), |taken| {
        context.say(&format!("{progress}: {taken} of {}", operations.len()));
    })
    .with_context(|| format!("a sample of {column}"))?;
    empty(&directory, plan::LISTS)?;
    Ok(taken)
}

/// The sample of a process of its own: without a module if it is `native` or `calls`, and else through the fork.
///
/// # Errors
/// What an operation fails with.
pub fn take_sample(kind: &str, plan: &Path, directory: &Path) -> anyhow::Result<()> {
    let operations: Vec<Operation> = serde_json::from_str(&fs::read_to_string(plan)?)?;
    match kind {
        CALLS => return calls::measure(&operations, directory, print),
        "native" => {}
        _ => return runner::measure(&operations, directory, print),
    }
    std::env::set_current_dir(directory)?;
    for operation in &operations {
        print(operation, operation.native()?);
    }
    Ok(())
}

fn print(operation: &Operation, took: f64) {
    println!("{}", serde_json::json!([operation.name, took]));
}
