//! The errors of building an environment.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use wasix_landlock::{EnforceError, PrepareError, RESERVE_VARIABLE, SCOPE_VARIABLE};

use super::outside::OutsideError;
use crate::{WasiRuntimeError, WasiStateCreationError};

/// An error of [`WasiEnvBuilder::build_enforced`](crate::WasiEnvBuilder::build_enforced).
///
/// `build()`, `instantiate` and runners return it as well, within the error that upstream has there:
/// [`find`](Self::find) gets it out.
///
/// # Example
///
/// ```no_run
/// use wasmer_wasix::landlock::{BuildError, EnforceError, WasiState, with_causes};
///
/// match WasiState::new("worker").build_enforced() {
///     Ok(env) => println!("{}", env.landlock_report().expect("a built environment has one")),
///     Err(error) if error.process_must_end() => {
///         eprintln!("{}", with_causes(&error));
///         std::process::exit(1);
///     }
///     Err(BuildError::Enforce(EnforceError::NotWithin(wider))) => eprintln!("restricted before: {wider}"),
///     Err(error) => eprintln!("{}", with_causes(&error)),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The preopens can't be enforced. Nothing was restricted.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// Restricting the process failed.
    #[error(transparent)]
    Enforce(#[from] EnforceError),
    /// The policy from outside can't be applied. Nothing was restricted.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// Threads outside of the instance would do a part of the work.
    #[error(
        "{what} would do its work on threads outside of the instance: make it with the instance's own"
    )]
    ForeignThreads {
        /// The part.
        what: String,
    },
    /// The operator asks for an instance, and the call runs the module on the caller's thread.
    #[error(
        "`{call}` runs the module on the thread of its caller, which can't be an instance by \
         {SCOPE_VARIABLE}=instance: unset the variable, set {RESERVE_VARIABLE} to what later builds need, or use \
         `WasiRunner`, `spawn_exec_module` or `landlock::Instance`"
    )]
    CallersThread {
        /// The call.
        call: &'static str,
    },
    /// The threads of an instance can't be made.
    #[cfg(feature = "sys-thread")]
    #[error(transparent)]
    Instance(#[from] super::InstanceError),
    /// The environment comes from no builder.
    #[error("nothing was prepared for enforcement: make the environment with a builder")]
    NotPrepared,
    /// Building failed for another reason.
    #[error(transparent)]
    Wasi(Box<WasiRuntimeError>),
}

impl BuildError {
    /// True if some threads are restricted while others may not be: the process should end.
    ///
    /// [Example](BuildError#example).
    #[must_use]
    pub const fn process_must_end(&self) -> bool {
        matches!(self, Self::Enforce(error) if error.process_must_end())
    }

    /// Finds this error in an error of `build()`, of `instantiate` or of a runner.
    ///
    /// ```no_run
    /// # fn run() -> anyhow::Result<()> { Ok(()) }
    /// use wasmer_wasix::landlock::BuildError;
    ///
    /// // `run` is what calls `WasiRunner::run_wasm`.
    /// if let Err(error) = run() {
    ///     let found = BuildError::find(error.as_ref());
    ///     if found.is_some_and(BuildError::process_must_end) {
    ///         std::process::exit(1);
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn find<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        causes(error).find_map(|error| error.downcast_ref())
    }
}

/// Returns the text of an error and of its causes, without a cause whose text is there already.
///
/// Errors of Wasmer repeat the text of what they wrap, so that `{:#}` of an `anyhow::Error` says it twice.
///
/// ```
/// use wasmer_wasix::landlock::{WasiState, with_causes};
///
/// let error = WasiState::new("name\0").build_enforced().unwrap_err();
/// assert_eq!(with_causes(&error).matches("null byte").count(), 1);
/// ```
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error).map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            let _ = write!(text, ": {cause}");
        }
    }
    text
}

/// The error, and what caused it, one after the other.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

impl From<WasiStateCreationError> for BuildError {
    fn from(error: WasiStateCreationError) -> Self {
        Self::Wasi(Box::new(error.into()))
    }
}

/// The error itself, if it is within.
impl From<WasiRuntimeError> for BuildError {
    fn from(error: WasiRuntimeError) -> Self {
        let WasiRuntimeError::Anyhow(within) = error else {
            return Self::Wasi(Box::new(error));
        };
        let shared = |error| Self::Wasi(Box::new(WasiRuntimeError::Anyhow(error)));
        match Arc::try_unwrap(within) {
            Ok(within) => within
                .downcast()
                .unwrap_or_else(|other| shared(Arc::new(other))),
            Err(within) => shared(within),
        }
    }
}

/// Upstream's errors of building hold a text only, except for this one.
impl From<BuildError> for WasiRuntimeError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Wasi(error) => *error,
            error => Self::Anyhow(Arc::new(error.into())),
        }
    }
}
