//! The benchmarks' column for Wasmer as published: `benches operations PLAN DIRECTORY`, `benches compile RUN` or
//! `benches run RUN`.
#![forbid(unsafe_code)]

// Not all of each: the module's text and the loops without a module are for the other columns.
#[allow(dead_code)]
#[path = "../../../../benches/all/operations/guest.rs"]
mod guest;
#[allow(dead_code)]
#[path = "../../../../benches/all/operations/plan.rs"]
mod plan;
#[path = "../../../../benches/all/operations/runner.rs"]
mod operations;

use std::path::Path;

use anyhow::bail;
use wasix_landlock_programs::runner::Run;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["operations", plan, directory] => {
            let operations: Vec<plan::Operation> =
                serde_json::from_str(&std::fs::read_to_string(plan)?)?;
            operations::measure(&operations, Path::new(directory), |operation, took| {
                println!("{}", serde_json::json!([operation.name, took]));
            })
        }
        ["compile", run] => Run::load(Path::new(run))?.compile(),
        ["run", run] => std::process::exit(Run::load(Path::new(run))?.run(|_, _| Ok(()))?),
        _ => bail!("benches operations PLAN DIRECTORY, benches compile RUN, or benches run RUN"),
    }
}
