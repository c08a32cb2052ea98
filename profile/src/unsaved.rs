//! Writes where nothing is preopened.

use serde::{Deserialize, Serialize};

/// The answer to a write where nothing is preopened, outside of `/dev` and `/tmp`.
///
/// A runner shows its module a root directory in memory. What the module writes there is lost at the end.
///
/// ```
/// use wasix_landlock_profile::{Profile, UnsavedWrites};
///
/// assert_eq!(Profile::new().unsaved_writes, UnsavedWrites::Refuse);
/// let profile = Profile::from_toml("unsaved-writes = \"report\"")?;
/// assert_eq!(profile, Profile::new().unsaved_writes(UnsavedWrites::Report));
/// # Ok::<(), wasix_landlock_profile::ProfileError>(())
/// ```
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum UnsavedWrites {
    /// The write fails with `EPERM`, and is reported with the nearest preopen.
    #[default]
    Refuse,
    /// The file is kept in memory, as without this project, and reported at the end with the nearest preopen.
    Report,
}
