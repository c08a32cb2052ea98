//! The paths that a program uses while it runs without enforcement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use virtual_fs::{FileSystem, HostBacking};
use wasix_landlock::Access;

use super::denials::Operation;
use super::kept::SharedDenials;
use super::learned::Learned;
use super::preopen::HostPreopen;
use crate::fs::WasiFsRoot;

/// Records what a trusted program uses, so that it can be given just that: see
/// [`Landlock::learn`](super::Landlock::learn).
///
/// # Example
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wasmer_wasix::landlock::Learning;
/// use wasmer_wasix::runners::wasi::WasiRunner;
///
/// let learning = Learning::new();
/// let mut runner = WasiRunner::new();
/// runner
///     .with_preopen(|p| p.directory(".").alias(".").read(true).create(true))?
///     .with_landlock(|l| l.learn(&learning));
/// // … run the module with it, and then:
/// print!("{}", learning.learned());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Learning(Arc<Mutex<Seen>>);

/// A preopen of the run that is learned from.
#[derive(Debug, Clone)]
pub(super) struct Wide {
    /// The mount point.
    pub(super) point: PathBuf,
    /// The name inside.
    pub(super) guest: String,
    /// The host path, as it was given.
    pub(super) host: PathBuf,
}

/// A request to learn from when the environment is built: earlier calls aren't the module's.
pub(super) struct Learner {
    learning: Learning,
    root: SharedDenials,
}

impl Learner {
    pub(super) fn begin(self) {
        // Another environment may share the root, and learns already.
        let _ = self.root.learning.set(self.learning);
    }
}

/// The paths that were used, absolute, as the module sees them.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) preopens: Vec<Wide>,
    pub(super) backings: Vec<HostBacking>,
    pub(super) files: BTreeMap<PathBuf, FileUse>,
    /// Directories, and what was done with their entries.
    pub(super) directories: BTreeMap<PathBuf, Access>,
    /// Directories that the program made.
    pub(super) made: BTreeSet<PathBuf>,
    /// Directories that it opened or looked at, and no more.
    pub(super) looked_at: BTreeSet<PathBuf>,
}

/// The uses of a file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileUse {
    /// Nothing if it was only looked at.
    pub(super) access: Access,
    /// The file wasn't there before.
    pub(super) made: bool,
    /// The name came, or went, in a way that takes rights on the directory: a preopen of the file alone doesn't allow
    /// that.
    pub(super) entry_changed: bool,
}

/// A call that has succeeded.
pub(super) struct Used<'a> {
    pub(super) operation: Operation,
    pub(super) guest: &'a Path,
    /// The other path of the call.
    pub(super) other: Option<&'a Path>,
    pub(super) access: Access,
    /// There was something at the path before.
    pub(super) was_there: bool,
    /// The file had to be missing.
    pub(super) exclusive: bool,
}

impl Learning {
    /// Nothing is learned yet.
    ///
    /// [Example](Learning#example).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The smallest set of preopens for what was seen so far.
    ///
    /// [Example](Learning#example).
    #[must_use]
    pub fn learned(&self) -> Learned {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Learned::from(&seen)
    }

    /// Learns what is preopened in this root, and gets ready to watch what is done by way of it.
    pub(super) fn learner(
        &self,
        root: &WasiFsRoot,
        preopens: impl Iterator<Item = Wide>,
    ) -> Learner {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.preopens.extend(preopens);
        seen.backings.extend(root.host_backing());
        Learner {
            learning: self.clone(),
            root: Arc::clone(&root.denials),
        }
    }

    pub(super) fn note(&self, root: &WasiFsRoot, used: &Used<'_>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.note(root, used);
    }
}

impl Wide {
    pub(super) fn of(preopen: &HostPreopen, current_dir: Option<&Path>) -> Self {
        Self {
            point: preopen.mount_point(current_dir),
            guest: preopen.guest.clone(),
            host: preopen.host.clone(),
        }
    }
}

impl Seen {
    fn note(&mut self, root: &WasiFsRoot, used: &Used<'_>) {
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
