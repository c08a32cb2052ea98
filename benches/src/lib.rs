//! What the benchmarks share: numbers of several runs.
#![forbid(unsafe_code)]

use serde::Serialize;

/// Several measurements of one thing, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    /// Half are below, half above.
    pub median: f64,
    /// The fastest.
    pub least: f64,
    /// A tenth are above.
    pub ninetieth: f64,
}

impl Spread {
    /// The spread of `samples`; nothing for no samples.
    pub fn of(mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let at = |part: f64| samples.get(((samples.len() - 1) as f64 * part).round() as usize);
        let least = *samples.first()?;
        Some(Self {
            median: *at(0.5)?,
            least,
            ninetieth: *at(0.9)?,
        })
    }
}
