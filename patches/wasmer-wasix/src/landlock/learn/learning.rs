//! The paths that a program uses while it runs without enforcement.

use std::sync::{Arc, Mutex, PoisonError};

use virtual_fs::FileSystem;

use super::learned::Learned;
use super::seen::{GrantedPreopen, Seen, Used};
use crate::fs::WasiFsRoot;

/// Records what a trusted program uses, so that it can be given just that: see
/// [`WasiEnvBuilder::learn`](crate::WasiEnvBuilder::learn).
///
/// # Example
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wasmer_wasix::landlock::Learning;
/// use wasmer_wasix::runners::wasi::WasiRunner;
///
/// let learning = Learning::new();
/// let mut runner = WasiRunner::new();
/// runner
///     .with_preopen(|p| p.directory(".").alias(".").read(true).create(true))?
///     .with_learning(&learning);
/// // … run the module with it, and then:
/// print!("{}", learning.learned());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Learning(Arc<Mutex<Seen>>);

impl Learning {
    /// Nothing is learned yet.
    ///
    /// [Example](Learning#example).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The smallest set of preopens for what was seen so far.
    ///
    /// [Example](Learning#example).
    #[must_use]
    pub fn learned(&self) -> Learned {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Learned::from(&seen)
    }

    /// Learns what is preopened in this root, before what is done by way of it is noted.
    pub(crate) fn watch(&self, root: &WasiFsRoot, preopens: impl Iterator<Item = GrantedPreopen>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.preopens.extend(preopens);
        seen.backings.extend(root.host_backing());
    }

    pub(crate) fn note(&self, root: &WasiFsRoot, used: &Used<'_>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.note(root, used);
    }
}
