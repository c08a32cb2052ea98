//! The benchmarks' column for Wasmer as published: `benches operations PLAN DIRECTORY`, `benches compile RUN`,
//! `benches run RUN` or `benches serve MODE DIRECTORY RUN`.
#![forbid(unsafe_code)]

// Not all of each: the module's text and the loops without a module are for the other columns.
#[allow(dead_code)]
#[path = "../../../../benches/all/operations/guest.rs"]
mod guest;
#[path = "../../../../benches/all/operations/runner.rs"]
mod operations;
#[allow(dead_code)]
#[path = "../../../../benches/all/server/page.rs"]
mod page;
#[allow(dead_code)]
#[path = "../../../../benches/all/operations/plan.rs"]
mod plan;
#[path = "../../../../benches/all/server/serve.rs"]
mod serve;

use std::path::Path;
use std::process::Command;

use anyhow::bail;
use wasix_landlock_front::{Answer, output_of};
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
        ["serve", "worker", _, run] => serve_by_processes(run),
        ["serve", mode, directory, _] => serve::serve(mode, Path::new(directory)),
        _ => bail!(
            "benches operations PLAN DIRECTORY, benches compile RUN, benches run RUN, or benches serve MODE DIRECTORY RUN"
        ),
    }
}

/// Serves by a process for each request.
fn serve_by_processes(run: &str) -> anyhow::Result<()> {
    let run = run.to_owned();
    wasix_landlock_front::serve(move |_| {
        let run = run.clone();
        let program = std::env::current_exe()?;
        let answer: Answer = Box::new(move || {
            let mut command = Command::new(&program);
            command.args(["run", &run]);
            output_of(command)
        });
        Ok(answer)
    })
}
