//! Resolved host paths.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Returns the absolute path without links, also of a path whose end doesn't exist yet. `None` if the path can't be
/// followed: through a link that leads nowhere, or a directory that this user may not pass.
pub(crate) fn resolve(path: &Path) -> Option<PathBuf> {
    let mut existing = std::path::absolute(path).ok()?;
    let mut missing = Vec::new();
    loop {
        match existing.canonicalize() {
            Ok(mut place) => {
                place.extend(missing.iter().rev());
                return Some(place);
            }
            // A link that leads nowhere is there itself.
            Err(error)
                if error.kind() == ErrorKind::NotFound && existing.symlink_metadata().is_err() =>
            {
                missing.push(existing.file_name()?.to_owned());
                existing.pop();
            }
            Err(_) => return None,
        }
    }
}
