//! Counters of denials, and the receiver of each new one.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use wasix_landlock::DenialEvent;

use super::denials::{Cause, Denial};
use crate::landlock::operation::Operation;
use crate::landlock::outside::Outside;

/// Counters of denials by operation and cause, for a monitoring system. Clones share them, so that one can be read while
/// environments add to it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wasmer_wasix::landlock::{DenialCounts, WasiState};
///
/// let counts = DenialCounts::default();
/// let env = WasiState::new("guest").count_denials(&counts).build()?;
/// // … run the module …
/// for ((operation, cause), count) in counts.so_far() {
///     println!("denials{{operation=\"{operation}\",cause=\"{cause}\"}} {count}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct DenialCounts(Arc<Mutex<BTreeMap<Names, u64>>>);

/// The names of an operation and of a cause.
type Names = (&'static str, &'static str);

/// The name where nobody looked for the operation and the cause: there were too many denials.
const UNKNOWN: &str = "not-examined";

impl DenialCounts {
    /// Returns the number of denials so far, repetitions included, by the names of their operation and their cause.
    /// Both are `not-examined` if there were too many denials to look into each.
    ///
    /// [Example](DenialCounts).
    #[must_use]
    pub fn so_far(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn add(&self, names: Names) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(names).or_default() += 1;
    }
}

/// A receiver of denials.
#[derive(Clone)]
pub(crate) struct OnDenial(Arc<dyn Fn(&Denial) + Send + Sync>);

impl OnDenial {
    pub(crate) fn new(tell: impl Fn(&Denial) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// A receiver that writes lines of JSON.
    pub(crate) fn lines(writer: impl Write + Send + 'static) -> Self {
        let writer = Mutex::new(writer);
        Self::new(move |denial| {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let written = serde_json::to_string(&DenialEvent::from(denial))
                .map_err(std::io::Error::from)
                .and_then(|line| writeln!(writer, "{line}"));
            if let Err(error) = written {
                tracing::warn!(target: "wasix_landlock", %error, "a denial can't be written");
            }
        })
    }
}

impl std::fmt::Debug for OnDenial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnDenial").finish_non_exhaustive()
    }
}

/// The receivers of an environment's denials.
#[derive(Debug, Clone, Default)]
pub(crate) struct Receivers {
    pub(crate) on_denial: Option<OnDenial>,
    pub(crate) counts: Option<DenialCounts>,
    /// The policy from outside, which explains denials that no grant of the program's would change.
    pub(crate) outside: Option<Outside>,
}

impl Receivers {
    /// The denial, with its cause if that is the policy from outside.
    pub(super) fn attributed(&self, mut denial: Denial) -> Denial {
        let host = match denial.cause {
            Cause::Preopen | Cause::Kernel => Some(&denial.explanation.path),
            // Also what the program grants and the policy takes away whole.
            Cause::NoPreopen => denial
                .suggestion
                .as_ref()
                .map(|suggestion| &suggestion.host),
            _ => None,
        };
        if let (Some(outside), Some(host)) = (&self.outside, host)
            && !outside.allows(host, denial.access)
        {
            denial.cause = Cause::Outside;
            denial.suggestion = None;
        }
        denial
    }

    /// A denial that wasn't there before.
    pub(super) fn tell(&self, denial: &Denial) {
        if let Some(OnDenial(tell)) = &self.on_denial {
            tell(denial);
        }
    }

    /// Each denial; without its kind, if nobody looked for that.
    pub(super) fn count(&self, kind: Option<(Operation, Cause)>) {
        if let Some(counts) = &self.counts {
            counts.add(kind.map_or((UNKNOWN, UNKNOWN), |(operation, cause)| {
                (operation.name(), cause.name())
            }));
        }
    }
}
