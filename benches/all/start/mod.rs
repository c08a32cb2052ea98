//! Starts: `build()`, a worker, and the processes and containers beside it.

mod build;
mod containers;
mod first;
mod modules;
mod took;
mod workers;

use wasix_landlock_benches::Table;

use crate::context::Context;

/// Takes all samples.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Vec<Table>> {
    Ok(vec![
        build::measure(context)?,
        first::measure(context)?,
        workers::measure(context)?,
    ])
}

/// Samples of a start, which takes milliseconds: more than of what takes seconds.
fn rounds(context: &Context) -> usize {
    if context.short {
        3
    } else {
        context.samples * 5
    }
}
