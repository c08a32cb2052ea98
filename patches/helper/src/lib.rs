//! Makes a fork of a published crate at build time.
//!
//! A fork is a folder with a `fork.toml` (what is forked, with checksums), a `series` (the order of the
//! patches) and the patches. [`make`] gets the published source through cargo, checks it, applies the
//! series exactly, and puts the result where the fork's `lib.rs` includes it. Upstream's code is never
//! committed, and a user of the fork runs nothing but cargo.
//!
//! A fork of another version of the same crate names the first one as its base, and has its series.
//!
//! The `forks` program in this package is for those who maintain the patches.
#![forbid(unsafe_code)]

mod inner;
mod kernel_alone;
mod make;
mod manifest;
mod own;
mod patch;
mod profiles;
mod series;
mod source;
mod trial;
mod version;

pub use make::{Error, make, materialize, run_build_script};
pub use manifest::{Manifest, ManifestError};
pub use own::{OwnModules, files_below};
pub use patch::{ApplyError, Patch, PatchError, patch_files};
pub use profiles::release_profiles;
pub use series::Series;
pub use source::{SOURCE_VARIABLE, SourceError, Upstream, source_digest};
pub use trial::{Misfit, Outcome, Shift, Trial};
pub use version::{Moved, slug};
