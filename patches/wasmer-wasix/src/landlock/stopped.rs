//! The way of typed errors through `build_init`, whose own error type has room for a text only.

use std::sync::{Arc, Mutex, PoisonError};

use wasix_landlock::Report;

use super::error::BuildError;
use crate::{WasiRuntimeError, WasiStateCreationError};

/// The reason for which there is nothing to enforce after the preparation.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The preparation failed.
    Failed(BuildError),
    /// Only the report of what would be enforced was asked for.
    Shown(Box<Report>),
}

impl<E: Into<BuildError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The place where `build_init` leaves the reason.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<Stopped>>>);

impl Slot {
    /// Leaves the reason, and returns it in upstream's form.
    pub(super) fn leave(&self, stopped: Stopped) -> WasiStateCreationError {
        let error = match &stopped {
            Stopped::Failed(BuildError::Wasi(error)) => match &**error {
                WasiRuntimeError::Init(error) => error.clone(),
                error => WasiStateCreationError::WasiFsSetupError(error.to_string()),
            },
            Stopped::Failed(error) => WasiStateCreationError::WasiFsSetupError(error.to_string()),
            Stopped::Shown(_) => WasiStateCreationError::WasiFsSetupError(
                "nothing is built: it is only shown what would be enforced".to_owned(),
            ),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stopped);
        error
    }

    pub(super) fn take(&self) -> Option<Stopped> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
