//! Several measurements of one thing.

use serde::{Deserialize, Serialize};

/// Several measurements of one thing, in the unit of whoever took them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut samples = samples.to_vec();
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

/// Three digits.
pub fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}
