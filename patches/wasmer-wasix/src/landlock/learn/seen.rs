//! The calls that a program was seen to make.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use virtual_fs::{FileSystem, HostBacking};
use wasix_landlock::Access;
use wasix_landlock_profile::HostPreopen;

use crate::fs::WasiFsRoot;
use crate::landlock::operation::Operation;
use crate::landlock::record::preopen::{guest_name, mount_point};

/// A preopen of the run that is learned from.
#[derive(Debug, Clone)]
pub(crate) struct GrantedPreopen {
    /// The mount point.
    pub(crate) point: PathBuf,
    /// The name inside.
    pub(crate) guest: String,
    /// The host path, as it was given.
    pub(crate) host: PathBuf,
}

impl GrantedPreopen {
    pub(crate) fn of(preopen: &HostPreopen, current_dir: Option<&Path>) -> Self {
        Self {
            point: mount_point(preopen, current_dir),
            guest: guest_name(preopen).to_owned(),
            host: preopen.host.clone(),
        }
    }
}

/// The paths that were used, absolute, as the module sees them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) preopens: Vec<GrantedPreopen>,
    pub(crate) backings: Vec<HostBacking>,
    pub(crate) files: BTreeMap<PathBuf, FileUse>,
    /// Directories, and what was done with their entries.
    pub(crate) directories: BTreeMap<PathBuf, Access>,
    /// Directories that the program made.
    pub(crate) made: BTreeSet<PathBuf>,
    /// Directories that it opened or looked at, and no more.
    pub(crate) looked_at: BTreeSet<PathBuf>,
}

/// The uses of a file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FileUse {
    /// Nothing if it was only looked at.
    pub(crate) access: Access,
    /// The file wasn't there before.
    pub(crate) made: bool,
    /// The name came, or went, in a way that takes rights on the directory: a preopen of the file alone doesn't allow
    /// that.
    pub(crate) entry_changed: bool,
}

/// A call that has succeeded.
pub(crate) struct Used<'a> {
    pub(crate) operation: Operation,
    pub(crate) guest: &'a Path,
    /// The other path of the call.
    pub(crate) other: Option<&'a Path>,
    pub(crate) access: Access,
    /// There was something at the path before.
    pub(crate) was_there: bool,
    /// The file had to be missing.
    pub(crate) exclusive: bool,
}

impl Seen {
    pub(crate) fn note(&mut self, root: &WasiFsRoot, used: &Used<'_>) {
        let (needs, _) = used.operation.needs();
        match used.operation {
            Operation::Open | Operation::Look => {
                let directory = root.metadata(used.guest).is_ok_and(|found| found.is_dir());
                if directory {
                    self.looked_at.insert(used.guest.to_owned());
                    return;
                }
                let access = match used.operation {
                    Operation::Look => Access::NONE,
                    // What wasn't made need not be makeable.
                    _ if used.was_there => Access {
                        create: false,
                        ..used.access
                    },
                    _ => used.access,
                };
                let file = self.file(used.guest, access);
                file.made |= !used.was_there;
                file.entry_changed |= !used.was_there && used.exclusive;
            }
            Operation::SetTimes | Operation::Read | Operation::Write => {
                self.file(used.guest, needs);
            }
            Operation::List => self.directory(used.guest, Access::READ),
            // A link by itself can't be preopened.
            Operation::ReadLink => {
                let found = root.symlink_metadata(used.guest);
                if found.is_ok_and(|found| found.file_type().is_symlink()) {
                    self.directory(parent(used.guest), Access::READ);
                }
            }
            Operation::MakeDirectory => {
                self.made.insert(used.guest.to_owned());
                self.directory(parent(used.guest), needs);
            }
            Operation::Symlink | Operation::RemoveDirectory => {
                self.directory(parent(used.guest), needs);
            }
            Operation::Unlink => {
                self.entry_changed(used.guest);
                self.directory(parent(used.guest), needs);
            }
            Operation::Link | Operation::Rename => {
                let other = used.other.unwrap_or(used.guest);
                self.entry_changed(used.guest);
                self.entry_changed(other);
                // Two preopens would be two file systems, between which nothing moves.
                self.directory(&common(parent(used.guest), parent(other)), needs);
            }
        }
    }

    fn file(&mut self, guest: &Path, access: Access) -> &mut FileUse {
        let file = self.files.entry(guest.to_owned()).or_default();
        file.access = file.access.union(access);
        file
    }

    fn entry_changed(&mut self, guest: &Path) {
        self.file(guest, Access::NONE).entry_changed = true;
    }

    fn directory(&mut self, guest: &Path, access: Access) {
        let directory = self.directories.entry(guest.to_owned()).or_default();
        *directory = directory.union(access);
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// The innermost directory that holds both.
fn common(one: &Path, other: &Path) -> PathBuf {
    let parts = one.components().zip(other.components());
    parts
        .take_while(|(a, b)| a == b)
        .map(|(part, _)| part)
        .collect()
}
