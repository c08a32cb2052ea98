//! The column of the benchmark `operations` for Wasmer as published: `operations PLAN DIRECTORY`.
#![forbid(unsafe_code)]

// Not all of each: the module's text and the loops without a module are for the other columns.
#[allow(dead_code)]
#[path = "../../../../benches/operations/guest.rs"]
mod guest;
#[allow(dead_code)]
#[path = "../../../../benches/operations/plan.rs"]
mod plan;
#[path = "../../../../benches/operations/runner.rs"]
mod runner;

use std::path::Path;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [plan, directory] = &arguments[..] else {
        bail!("operations PLAN DIRECTORY");
    };
    let operations: Vec<plan::Operation> = serde_json::from_str(&std::fs::read_to_string(plan)?)?;
    runner::measure(&operations, Path::new(directory), |operation, took| {
        println!("{}", serde_json::json!([operation.name, took]));
    })
}
