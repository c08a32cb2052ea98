//! What the kernel refused, in the module's terms.
//!
//! A call that the module's own descriptors give no right to is answered by the WASI layer before the kernel is
//! asked, and isn't told here.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use virtual_fs::{FileOpener, FileSystem, FsError, OpenOptions, OpenOptionsConfig, VirtualFile};
use wasix_landlock::{Access, Explanation, Verdict, explain};

use crate::WasiEnv;
use crate::fs::WasiFsRoot;

/// How many different denials an environment keeps and tells. A module that tries more is only counted.
pub const DENIALS_KEPT: usize = 64;

/// What a module does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opens a file.
    Open,
    /// Lists a directory.
    List,
    /// Makes a directory.
    MakeDirectory,
    /// Makes a symbolic link.
    Symlink,
    /// Makes a hard link.
    Link,
    /// Removes a directory.
    RemoveDirectory,
    /// Removes a file.
    Unlink,
    /// Renames, from here or to here.
    Rename,
}

impl Operation {
    /// The access that it takes, and whether to the directory that the path is in: entries are made and
    /// removed there.
    fn needs(self) -> (Access, bool) {
        match self {
            Self::Open | Self::List => (Access::READ, false),
            Self::MakeDirectory | Self::Symlink | Self::Link => (Access::CREATE, true),
            Self::RemoveDirectory | Self::Unlink => (Access::WRITE, true),
            Self::Rename => (Access::WRITE.union(Access::CREATE), true),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "opening",
            Self::List => "listing",
            Self::MakeDirectory => "making the directory",
            Self::Symlink => "making the symbolic link",
            Self::Link => "making the hard link",
            Self::RemoveDirectory => "removing the directory",
            Self::Unlink => "removing",
            Self::Rename => "renaming from or to",
        })
    }
}

/// An access that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// What the module did.
    pub operation: Operation,
    /// The path inside, absolute.
    pub guest: PathBuf,
    /// What is missing, and the preopen that comes nearest; its path is the one on the host.
    pub explanation: Explanation,
}

impl Denial {
    /// The builder's line that would allow it, if a preopen can.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let (what, path, access) = match &self.explanation.verdict {
            // The file that was put there has no rule; its directory can have one.
            Verdict::Replaced { was, .. } => {
                let directory = self.explanation.resolved.parent()?;
                ("directory", directory, was.access)
            }
            Verdict::NotGranted { needs, .. } => {
                let path = self.explanation.resolved.as_path();
                let what = if path.is_dir() { "directory" } else { "path" };
                (what, path, *needs)
            }
            _ => return None,
        };
        let rights = [
            (access.read, "read"),
            (access.write, "write"),
            (access.create, "create"),
        ];
        let rights: String = rights
            .iter()
            .filter(|(granted, _)| *granted)
            .map(|(_, name)| format!(".{name}(true)"))
            .collect();
        Some(format!(".preopen(|p| p.{what}({path:?}){rights})"))
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} `{}`: {}",
            self.operation,
            self.guest.display(),
            self.explanation
        )?;
        match self.remedy() {
            Some(remedy) => write!(f, ": `{remedy}`"),
            None => Ok(()),
        }
    }
}

/// What was refused to one environment.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    kept: Mutex<Kept>,
    count: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    seen: HashSet<(Operation, PathBuf)>,
    denials: Vec<Denial>,
}

impl Denials {
    /// Notes that `operation` failed, if it was the kernel that refused it.
    #[cold]
    fn note(
        &self,
        root: &WasiFsRoot,
        operation: Operation,
        guest: &Path,
        (access, in_directory): (Access, bool),
    ) {
        // What a module repeats must cost the host no more than this.
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.seen.len() >= DENIALS_KEPT || !kept.seen.insert((operation, guest.to_owned())) {
            return;
        }
        let Some(host) = host_path(root, guest) else {
            return;
        };
        let needed = match host.parent() {
            Some(directory) if in_directory => directory,
            _ => &host,
        };
        let explanation = explain(needed, access);
        if !explanation.is_denied() {
            return;
        }
        let denial = Denial {
            operation,
            guest: guest.to_owned(),
            explanation,
        };
        tracing::warn!(
            target: "wasix_landlock",
            %operation,
            guest = %guest.display(),
            host = %denial.explanation.path.display(),
            remedy = denial.remedy(),
            "denied: {denial}"
        );
        kept.denials.push(denial);
        if kept.seen.len() == DENIALS_KEPT {
            tracing::warn!(target: "wasix_landlock", "further denials are only counted");
        }
    }
}

/// What stands behind a path on the host, the innermost mount first.
fn host_path(root: &WasiFsRoot, guest: &Path) -> Option<PathBuf> {
    let backings = root.host_backing();
    let innermost = backings
        .iter()
        .filter(|backing| guest.starts_with(&backing.guest))
        .max_by_key(|backing| backing.guest.components().count())?;
    Some(innermost.below(guest)?.host)
}

impl WasiFsRoot {
    /// Passes on `result`, and notes it where the kernel refused.
    pub(crate) fn noting<T>(
        &self,
        operation: Operation,
        path: &Path,
        result: virtual_fs::Result<T>,
    ) -> virtual_fs::Result<T> {
        // A refused move to another directory is EXDEV.
        if let Err(FsError::PermissionDenied | FsError::NoDevice) = &result {
            self.denials.note(self, operation, path, operation.needs());
        }
        result
    }
}

/// Opens as the root does, and notes what is refused.
impl FileOpener for WasiFsRoot {
    fn open(
        &self,
        path: &Path,
        conf: &OpenOptionsConfig,
    ) -> virtual_fs::Result<Box<dyn VirtualFile + Send + Sync + 'static>> {
        let access = Access {
            read: conf.read,
            write: conf.write || conf.append || conf.truncate,
            create: conf.create || conf.create_new,
        };
        let opened = self
            .root()
            .new_open_options()
            .options(conf.clone())
            .open(path);
        if let Err(FsError::PermissionDenied) = &opened {
            self.denials
                .note(self, Operation::Open, path, (access, false));
        }
        opened
    }
}

/// For upstream's `new_open_options`.
pub(crate) fn open_options(root: &WasiFsRoot) -> OpenOptions<'_> {
    OpenOptions::new(root)
}

impl WasiEnv {
    /// What the kernel refuses of what the module asked for so far, each once, at most [`DENIALS_KEPT`].
    ///
    /// A call for which the module's descriptor lacks the right isn't among them: the WASI layer answers it
    /// by itself.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let env = WasiState::new("guest").build()?;
    /// // … run the module …
    /// for denial in env.landlock_denials() {
    ///     println!("{denial}");
    ///     if let Some(line) = denial.remedy() {
    ///         println!("to allow it: {line}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn landlock_denials(&self) -> Vec<Denial> {
        let root = &self.state.fs.root_fs;
        let kept = root.denials.kept.lock();
        kept.unwrap_or_else(PoisonError::into_inner).denials.clone()
    }

    /// How many accesses were refused so far, repetitions and refusals of the WASI layer's own included.
    #[must_use]
    pub fn refused_accesses(&self) -> u64 {
        self.state.fs.root_fs.denials.count.load(Ordering::Relaxed)
    }
}

/// The denials of a root and of all its clones.
pub(crate) type SharedDenials = Arc<Denials>;
