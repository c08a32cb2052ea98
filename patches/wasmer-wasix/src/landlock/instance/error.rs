//! The errors of instances.

use crate::landlock::OutsideError;

/// An error of making an instance, or of bringing it to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// The restriction failed.
    #[error(transparent)]
    Policy(#[from] wasix_landlock::Error),
    /// The policy from outside can't be applied.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// There is no thread for it.
    #[error("no thread for the instance: {0}")]
    Thread(std::io::Error),
    /// There is no tokio runtime for it.
    #[error("no tokio runtime for the instance: {0}")]
    Tokio(std::io::Error),
    /// The closure panicked.
    #[error("the instance's closure panicked")]
    Panicked,
}

impl From<wasix_landlock::EnforceError> for InstanceError {
    fn from(error: wasix_landlock::EnforceError) -> Self {
        Self::Policy(error.into())
    }
}
