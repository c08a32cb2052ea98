//! A worker by compiler, with and without what was compiled before.

use wasix_landlock_benches::{Column, Ratio, Samples, Table};
use wasix_landlock_programs::runner::Compiler;
use wasix_landlock_worker::Mode;

use super::took::of_worker;
use super::{modules, rounds};
use crate::context::Context;

const COLUMNS: [(&str, Mode); 2] = [("fork", Mode::Off), ("enforced", Mode::Enforce)];

/// Takes all samples.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Table> {
    let launcher = modules::launcher(context)?;
    let mut cases = Vec::new();
    for module in &modules::both(context)? {
        for compiler in Compiler::ALL {
            let requests = module.requests(&launcher, compiler)?;
            for (request, how) in requests.into_iter().zip(["loaded", "compiled"]) {
                cases.push((format!("{}, {compiler}, {how}", module.name), request));
            }
        }
    }
    let mut samples = Samples::default();
    let rounds = rounds(context).div_ceil(2);
    for round in 0..rounds {
        context.say(&format!("start: round {} of {rounds}: workers", round + 1));
        for (row, request) in &cases {
            for (column, mode) in COLUMNS {
                let (first, end) = of_worker(&launcher, &request.clone().mode(mode))?;
                samples.add(row, column, first.as_secs_f64() * 1e3);
                samples.add(row, &format!("{column}: end"), end.as_secs_f64() * 1e3);
            }
        }
    }
    let columns =
        ["fork", "enforced", "fork: end", "enforced: end"].map(|name| Column::new(name, "ms"));
    Ok(Table {
        id: "start-workers".to_owned(),
        title: "Start: a worker by compiler".to_owned(),
        text: "The same, for what a worker loads and for what it compiles: until the first byte of output, and until the \
               host knows the end."
            .to_owned(),
        head: "module".to_owned(),
        rows: cases.iter().map(|(row, _)| samples.row(row, &columns)).collect(),
        columns: columns.to_vec(),
        ratios: vec![Ratio::new("enforced", "fork")],
        plots: Vec::new(),
    })
}
