//! Paths that need no normalizing.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::path::Path;
#[cfg(feature = "host-fs")]
use std::path::PathBuf;

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

/// `path` below the directory `root`, if it is made of nothing but names and doesn't already begin with the root.
#[cfg(feature = "host-fs")]
pub(crate) fn below(path: &Path, root: &Path) -> Option<PathBuf> {
    let names = below_root(path)?;
    let is_host_path = root != Path::new("/") && strip(path, root).is_some();
    (!is_host_path).then(|| root.join(names))
}

/// Returns the rest of `path` below `directory`, if its text begins so. Both are made of names with a single slash
/// between them, so that their text says it.
#[cfg(feature = "host-fs")]
pub(crate) fn strip<'a>(path: &'a Path, directory: &Path) -> Option<&'a Path> {
    let (path, directory) = (path.to_str()?, directory.to_str()?);
    let rest = path.strip_prefix(directory)?;
    // The host's root ends with its slash, no other directory does.
    let whole_name = rest.is_empty() || directory.ends_with('/') || rest.starts_with('/');
    whole_name.then(|| Path::new(rest.trim_start_matches('/')))
}

#[cfg(all(test, feature = "host-fs"))]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_stripped() {
        let strip = |path, directory| strip(Path::new(path), Path::new(directory));
        assert_eq!(strip("/a/b/c", "/a/b"), Some(Path::new("c")));
        assert_eq!(strip("/a/b", "/a/b"), Some(Path::new("")));
        assert_eq!(strip("/a/b/", "/a/b"), Some(Path::new("")));
        assert_eq!(strip("/a/bc", "/a/b"), None);
        assert_eq!(strip("/a/b", "/"), Some(Path::new("a/b")));
        assert_eq!(strip("/b/a", "/a"), None);
    }
}
