//! Paths that need no normalizing.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::path::Path;

/// The path without the slash that it begins with, if it is made of nothing but names with a single slash
/// between them: no `.`, no `..`, no prefix.
pub(crate) fn below_root(path: &Path) -> Option<&Path> {
    if !cfg!(unix) {
        return None;
    }
    let text = path.to_str()?;
    let text = text.strip_prefix('/').unwrap_or(text);
    let names = |text: &str| text.split('/').all(|name| !matches!(name, "" | "." | ".."));
    (text.is_empty() || names(text)).then_some(Path::new(text))
}
