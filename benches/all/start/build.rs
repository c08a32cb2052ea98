//! `build()` with and without enforcement, and the difference.

use wasix_landlock_benches::{Column, Plot, Ratio, Samples, Table};

use super::rounds;
use crate::context::Context;
use crate::scale;

/// Preopens, and threads of the process with the one that builds.
const CASES: [(usize, usize); 3] = [(1, 1), (10, 8), (10, 200)];
const DIFFERENCE: &str = "enforced − fork";

/// Takes all samples.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Table> {
    let most = CASES.map(|(preopens, _)| preopens).into_iter().max();
    scale::make_preopens(context, most.unwrap_or_default())?;
    let mut samples = Samples::default();
    let rounds = rounds(context);
    for round in 0..rounds {
        context.say(&format!("start: round {} of {rounds}: build()", round + 1));
        for (preopens, threads) in CASES {
            let row = name(preopens, threads);
            let arguments = [preopens.to_string(), threads.to_string()];
            let take = |enforced| {
                Ok::<_, anyhow::Error>(scale::sample(context, "preopens", enforced, &arguments)?.0)
            };
            let (fork, enforced) = (take(false)?, take(true)?);
            samples.add(&row, "fork", fork);
            samples.add(&row, "enforced", enforced);
            samples.add(&row, DIFFERENCE, enforced - fork);
        }
    }
    let columns = ["fork", "enforced", DIFFERENCE].map(|name| Column::new(name, "ms"));
    Ok(Table {
        id: "start-build".to_owned(),
        title: "Start: `build()`".to_owned(),
        text: "`build()` in a process of its own. The difference is of the two samples of a round, which follow each \
               other; its median is not that of the columns."
            .to_owned(),
        head: "process".to_owned(),
        rows: CASES
            .iter()
            .map(|(preopens, threads)| samples.row(&name(*preopens, *threads), &columns))
            .collect(),
        columns: columns.to_vec(),
        ratios: vec![Ratio::new("enforced", "fork")],
        plots: vec![Plot::Bars {
            title: "`build()`, as a multiple of the time without enforcement".to_owned(),
            columns: vec!["enforced".to_owned()],
            base: "fork".to_owned(),
            logarithmic: false,
        }],
    })
}

fn name(preopens: usize, threads: usize) -> String {
    let plural = |count, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}, {}",
        plural(preopens, "preopen"),
        plural(threads, "thread")
    )
}
