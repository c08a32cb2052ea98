//! The directories on the host, of which some are granted, and what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use crate::worker::Grant;

/// The directories. In each there are `file` and `sub/file`, which name the directory, and `empty`, a
/// directory.
pub const PLACES: [&str; 4] = ["granted", "also", "third", "outside"];

/// A temporary directory with [`PLACES`] in it.
#[derive(Debug)]
pub struct Tree {
    directory: TempDir,
    before: Snapshot,
}

/// By path: what it is, what is in it, and when that was changed.
type Snapshot = BTreeMap<PathBuf, (Kind, Vec<u8>, i64)>;

/// By path below the directories: what it is, and what is in it.
pub type Left = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Other,
}

/// Something that was done to a place, or learnt of it, which nobody granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Contents of a file were read.
    Read,
    /// Names in a directory were listed.
    Listed,
    /// A file's contents were changed.
    Changed,
    /// An entry was removed.
    Removed,
    /// An entry was made.
    Made,
    /// A file's size became known. Landlock doesn't mediate that.
    Size,
    /// A file's times were set. Landlock doesn't mediate that.
    Times,
}

impl Reached {
    /// True if Landlock mediates it at all.
    #[must_use]
    pub const fn is_mediated(self) -> bool {
        !matches!(self, Self::Size | Self::Times)
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Listed => "listed",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Made => "made",
            Self::Size => "size",
            Self::Times => "times",
        })
    }
}

/// The content of every file of a place.
#[must_use]
pub fn content(place: &str) -> String {
    format!("content-of-{place}\n").repeat(lines_of(place))
}

/// The number of lines: each place's files have a size of their own, over 1,000 bytes, which none has that a module
/// made (cases set at most 100 bytes, or exactly 100,000, and write 4 a call), and no directory.
fn lines_of(place: &str) -> usize {
    64 * (1 + PLACES.iter().position(|known| *known == place).unwrap_or(0))
}

impl Tree {
    /// Makes the directories.
    ///
    /// # Errors
    /// If the host refuses.
    pub fn new() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("attack-").tempdir()?;
        for place in PLACES {
            let root = directory.path().join(place);
            fs::create_dir_all(root.join("sub"))?;
            fs::create_dir(root.join("empty"))?;
            fs::write(root.join("file"), content(place))?;
            fs::write(root.join("sub/file"), content(place))?;
            fs::write(root.join(format!("name-of-{place}")), content(place))?;
            fs::write(root.join(format!("sub/name-of-{place}")), content(place))?;
        }
        Ok(Self {
            directory,
            before: Snapshot::new(),
        })
    }

    /// Returns the directory of the places.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Remembers the present contents, which must stay where nothing is granted.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn remember(&mut self) -> anyhow::Result<()> {
        self.before = self.snapshot()?;
        Ok(())
    }

    /// The host has changed what is there by itself: this does not count.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn excuse(
        &mut self,
        change: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let before = self.snapshot()?;
        change(self.root())?;
        let after = self.snapshot()?;
        for path in before.keys().chain(after.keys()) {
            match after.get(path) {
                now if now == before.get(path) => {}
                Some(now) => {
                    self.before.insert(path.clone(), now.clone());
                }
                None => {
                    self.before.remove(path);
                }
            }
        }
        Ok(())
    }

    fn snapshot(&self) -> anyhow::Result<Snapshot> {
        let mut found = Snapshot::new();
        let mut remaining = vec![self.root().to_owned()];
        while let Some(directory) = remaining.pop() {
            for entry in fs::read_dir(&directory)? {
                let path = entry?.path();
                let metadata = path.symlink_metadata()?;
                let (kind, content) = if metadata.is_dir() {
                    remaining.push(path.clone());
                    (Kind::Directory, Vec::new())
                } else if metadata.is_file() {
                    (Kind::File, fs::read(&path)?)
                } else if metadata.is_symlink() {
                    let target = fs::read_link(&path)?;
                    (Kind::Other, target.as_os_str().as_bytes().to_vec())
                } else {
                    (Kind::Other, Vec::new())
                };
                found.insert(path, (kind, content, metadata.mtime()));
            }
        }
        Ok(found)
    }

    /// Returns the present contents, in the same words for every such tree.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn left(&self) -> anyhow::Result<Left> {
        let top = self.root().to_string_lossy().into_owned();
        let mut left = Left::new();
        for (path, (kind, content, _)) in self.snapshot()? {
            let content = String::from_utf8_lossy(&content).replace(&top, "$T");
            let path = path.strip_prefix(self.root())?;
            left.insert(path.display().to_string(), format!("{kind:?} {content}"));
        }
        Ok(left)
    }

    /// Returns the contents reached that `grants` don't allow, given all bytes that the module has seen.
    ///
    /// # Errors
    /// If the directories can't be read.
    pub fn reached(
        &self,
        grants: &[Grant],
        seen: &[u8],
    ) -> anyhow::Result<BTreeSet<(String, Reached)>> {
        let mut reached = BTreeSet::new();
        let after = self.snapshot()?;
        let paths: BTreeSet<_> = self.before.keys().chain(after.keys()).collect();
        for path in paths {
            let place = self.place(path)?;
            let kind = match (self.before.get(path), after.get(path)) {
                (Some((before, old, then)), Some((after, new, now))) => {
                    if before != after {
                        Reached::Removed
                    } else if old != new {
                        Reached::Changed
                    } else if then != now && *before == Kind::File {
                        Reached::Times
                    } else {
                        continue;
                    }
                }
                (Some(_), None) => Reached::Removed,
                (None, Some(_)) => Reached::Made,
                (None, None) => continue,
            };
            reached.insert((place, kind));
        }
        // Also what was carried to where it can be read later.
        let carried: Vec<(&PathBuf, &Vec<u8>)> = after
            .iter()
            .filter(|(path, now)| {
                self.before
                    .get(*path)
                    .is_none_or(|before| before.1 != now.1)
            })
            .map(|(path, (_, content, _))| (path, content))
            .collect();
        for place in PLACES {
            for (marker, kind) in [
                ("content-of-", Reached::Read),
                ("name-of-", Reached::Listed),
            ] {
                let marker = format!("{marker}{place}");
                let has = |bytes: &[u8]| {
                    bytes
                        .windows(marker.len())
                        .any(|part| part == marker.as_bytes())
                };
                let home = self.path(place);
                let is_carried =
                    |(path, bytes): &(&PathBuf, &Vec<u8>)| has(bytes) && !path.starts_with(&home);
                if has(seen) || (kind == Reached::Read && carried.iter().any(is_carried)) {
                    reached.insert((place.to_owned(), kind));
                }
            }
        }
        reached.retain(|(place, kind)| {
            let host = self.path(place);
            let granted = grants.iter().filter(|grant| grant.host.starts_with(&host));
            // A grant of a part of a place is not told apart from one of all: cases don't mix them.
            !granted.into_iter().any(|grant| match kind {
                Reached::Read | Reached::Listed => grant.read,
                Reached::Changed | Reached::Removed | Reached::Times => grant.write,
                Reached::Made => grant.create,
                Reached::Size => true,
            })
        });
        Ok(reached)
    }

    /// The place whose files have this size.
    #[must_use]
    pub fn place_of_size(size: u64) -> Option<&'static str> {
        PLACES
            .into_iter()
            .find(|place| content(place).len() as u64 == size)
    }

    fn place(&self, path: &Path) -> anyhow::Result<String> {
        let first = path.strip_prefix(self.root())?.components().next();
        let first = first.context("a path below the root")?;
        Ok(first.as_os_str().to_string_lossy().into_owned())
    }
}
