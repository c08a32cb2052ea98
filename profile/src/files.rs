//! Files that build on other files.

use std::path::{Path, PathBuf};

use crate::FileError;

/// A file's content, and the file that it extends.
type Parsed<T> = Result<(T, Option<PathBuf>), toml::de::Error>;

/// Reads a file and the files that it extends, one after the other: the base comes first.
pub(crate) fn read_chain<T>(
    path: &Path,
    parse: impl Fn(&str) -> Parsed<T>,
) -> Result<Vec<(PathBuf, T)>, FileError> {
    let (mut read, mut places) = (Vec::new(), Vec::new());
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let unreadable = |source| FileError::Read {
            path: path.clone(),
            source,
        };
        // Through a link, two files that extend each other never have the same path twice.
        let place = path.canonicalize().map_err(unreadable)?;
        let is_known = places.contains(&place);
        places.push(place);
        if is_known {
            return Err(FileError::Cycle { chain: places });
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let (content, extends) =
            parse(&text).map_err(|error| FileError::parse(&path, &text, &error))?;
        let directory = path.parent().unwrap_or(Path::new("."));
        next = extends.map(|base| directory.join(base));
        read.push((path, content));
    }
    read.reverse();
    Ok(read)
}

/// Puts the keys of a file over those of its base. Tables are merged key by key, and of `preopen` both lists hold; any
/// other key replaces the base's.
pub(crate) fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => merge(base, over),
            (Some(toml::Value::Array(base)), toml::Value::Array(over)) if key == "preopen" => {
                base.extend(over);
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
