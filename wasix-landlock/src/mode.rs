//! The mode of enforcement: the reaction to a protection or grant that can't be had.

use serde::{Deserialize, Serialize};

use crate::{error::ModeError, operator};

/// The environment variable that [`Mode::from_env`] reads.
pub const MODE_VARIABLE: &str = "WASIX_LANDLOCK";

/// The reaction to a protection or grant that can't be enforced.
///
/// ```
/// use wasix_landlock::Mode;
///
/// assert_eq!("best-effort".parse(), Ok(Mode::BestEffort));
/// assert!("of".parse::<Mode>().is_err()); // a typing error switches nothing off
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The policy fails with an error. The default.
    #[default]
    Enforce,
    /// The gap goes to the report and is logged as a warning; the rest is enforced.
    BestEffort,
    /// Nothing is restricted. Files that a preopen may create are still created.
    Off,
}

impl Mode {
    /// The mode that [`MODE_VARIABLE`] names; [`Mode::Enforce`] when it is unset or empty.
    ///
    /// The parent of a program chooses its environment. A program that was executed with more
    /// privileges than its caller has (`AT_SECURE` in getauxval(3): set-user-ID, set-group-ID or
    /// file capabilities) therefore ignores the variable. [`Policy::mode`](crate::Policy::mode)
    /// makes any program ignore it.
    ///
    /// # Errors
    ///
    /// [`ModeError`] when it holds anything but a mode's name: a typing error must not switch the
    /// restriction off.
    pub fn from_env() -> Result<Self, ModeError> {
        match operator::value(MODE_VARIABLE) {
            None => Ok(Self::Enforce),
            // What isn't UTF-8 is no mode's name, and is shown with replacement characters.
            Some(value) => value.to_string_lossy().parse(),
        }
    }
}
