//! Denials in the module's terms: the call, the path inside and on the host, the missing access, the nearest
//! preopen, and what would allow it.
//!
//! The kernel's refusals are told, and those of the WASI layer's own, which answers before the kernel is asked.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use wasix_landlock::{Access, DenialReport, DenialsReport, Explanation, Verdict};

use super::suggestion::Suggestion;
use crate::WasiEnv;

/// The number of different denials that an environment keeps. Further ones are only counted.
pub const DENIALS_KEPT: usize = 64;

/// An operation of a module on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opens a file.
    Open,
    /// Asks for metadata. The kernel doesn't refuse that, but what isn't preopened can't be seen.
    Look,
    /// Reads where a symbolic link leads.
    ReadLink,
    /// Sets times.
    SetTimes,
    /// Reads by a descriptor that has no right to it.
    Read,
    /// Writes by a descriptor that has no right to it, or sets the size.
    Write,
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
    pub(super) fn needs(self) -> (Access, bool) {
        match self {
            Self::Open | Self::Look | Self::ReadLink | Self::Read | Self::List => {
                (Access::READ, false)
            }
            Self::Write | Self::SetTimes => (Access::WRITE, false),
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
            Self::Look => "looking at",
            Self::ReadLink => "reading the link",
            Self::SetTimes => "setting the times of",
            Self::Read => "reading",
            Self::Write => "writing",
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

/// The cause of a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Nothing is preopened there. The module sees that there is nothing.
    NoPreopen,
    /// The path leads out of the directory that the module named, or of the preopen, by `..` or by a link.
    Escape,
    /// The preopen doesn't allow it: the WASI layer refuses, and the kernel would.
    Preopen,
    /// The descriptor has fewer rights than its preopen: the module opened it so, or gave them up.
    Descriptor,
    /// The WASI layer would allow it, and the kernel refuses: nothing granted it when the process was restricted. The
    /// application mounted it later; or another environment was built before, and this one in best effort.
    Kernel,
    /// A file was granted, and another one was put in its place, which has no rule.
    Replaced,
    /// The access is granted. The host refuses it by the file's own permissions.
    Host,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPreopen => "nothing is preopened there",
            Self::Escape => "it leads out of what is preopened",
            Self::Preopen => "the preopen doesn't allow it",
            Self::Descriptor => {
                "the descriptor lacks the right, which the module didn't ask for or gave up"
            }
            Self::Kernel => {
                "the kernel refuses it, since nothing granted it when the process was restricted, which is when it has to \
                 be asked for"
            }
            Self::Replaced => {
                "the file that was granted was replaced after the process had been restricted, and the one that is \
                 there now has no rule"
            }
            Self::Host => "it is granted, but the file's own permissions on the host refuse it",
        })
    }
}

/// A preopen or mount that the module sees.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearestPreopen {
    /// The path inside.
    pub guest: PathBuf,
    /// The host path behind it.
    pub host: PathBuf,
    /// The access that the preopen allows.
    pub access: Access,
}

impl fmt::Display for NearestPreopen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            guest,
            host,
            access,
        } = self;
        write!(f, "{guest:?} ({host:?} on the host: {access})")
    }
}

/// An access that was refused, or would be.
///
/// # Example
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wasmer_wasix::landlock::{Access, Cause, WasiState};
///
/// let env = WasiState::new("reader")
///     .preopen(|p| p.directory("/srv/data").alias("/data").read(true))?
///     .build()?;
/// assert_eq!(env.landlock_explain("/data/file", Access::READ), None);
/// if let Some(denial) = env.landlock_explain("/data/file", Access::WRITE) {
///     println!("{denial}");
///     assert_eq!(denial.cause, Cause::Preopen);
///     // `.preopen(|p| p.path("/srv/data/file").alias("/data/file").read(true).write(true))?`
///     println!("{}", denial.remedy().expect("a preopen would allow it"));
///     println!("{}", denial.suggestion().expect("the same in other forms").flag());
/// }
/// assert_eq!(env.refused_accesses(), 0); // nothing was tried
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// The module's operation.
    pub operation: Operation,
    /// The path inside, absolute.
    pub guest: PathBuf,
    /// The access that the operation needs, to the path, or to its directory where entries are made or removed.
    pub access: Access,
    /// The cause of the denial.
    pub cause: Cause,
    /// The preopen that the path is in, or that comes nearest.
    pub nearest: Option<NearestPreopen>,
    /// The kernel's rules for the path on the host. Where nothing is preopened, that path is the one called
    /// the same on the host.
    pub explanation: Explanation,
    pub(super) suggestion: Option<Suggestion>,
}

impl Denial {
    /// The preopen that would allow it, if one can.
    ///
    /// [Example](Denial#example).
    #[must_use]
    pub fn suggestion(&self) -> Option<&Suggestion> {
        self.suggestion.as_ref()
    }

    /// The builder's line that would allow it, if a preopen can.
    ///
    /// [Example](Denial#example).
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        self.suggestion.as_ref().map(Suggestion::rust)
    }
}

impl From<&Denial> for DenialReport {
    fn from(denial: &Denial) -> Self {
        let guest = denial.guest.to_string_lossy();
        let mut report = Self::new(
            denial.operation.to_string(),
            guest,
            denial.access,
            denial.cause.to_string(),
        );
        if denial.cause != Cause::NoPreopen {
            report.host = Some(denial.explanation.path.to_string_lossy().into_owned());
        }
        if let Verdict::Replaced { missing, .. } | Verdict::NotGranted { missing, .. } =
            &denial.explanation.verdict
        {
            report.missing.clone_from(missing);
        }
        report.nearest = denial.nearest.as_ref().map(NearestPreopen::to_string);
        report.line = denial.remedy();
        report
    }
}

/// As in the report, with the option of the example `run`.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DenialReport::from(self).fmt(f)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, ", or `{}`", suggestion.flag()),
            None => Ok(()),
        }
    }
}

/// An environment's denials so far: a slice of the different ones, and the number of denied accesses. As
/// text it is a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denials {
    denials: Vec<Denial>,
    /// The number of denied accesses, repetitions included.
    pub refused: u64,
    /// True if there were more different ones than [`DENIALS_KEPT`], which are only counted.
    pub more: bool,
}

impl Denials {
    pub(super) fn new(denials: Vec<Denial>, refused: u64) -> Self {
        Self {
            more: denials.len() >= DENIALS_KEPT,
            denials,
            refused,
        }
    }
}

impl Deref for Denials {
    type Target = [Denial];

    fn deref(&self) -> &[Denial] {
        &self.denials
    }
}

impl From<&Denials> for DenialsReport {
    fn from(denials: &Denials) -> Self {
        let mut report = Self::default();
        report.listed = denials.iter().map(DenialReport::from).collect();
        report.total = denials.refused;
        report.more = denials.more;
        report
    }
}

impl fmt::Display for Denials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DenialsReport::from(self).fmt(f)
    }
}

impl WasiEnv {
    /// Returns the denials so far: by the kernel, by the WASI layer, and because nothing is
    /// preopened there. Each is there once, and at most [`DENIALS_KEPT`] are.
    ///
    /// [`landlock_report`](Self::landlock_report) has the same as text, for a log or a file.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let env = WasiState::new("guest").build()?;
    /// // … run the module …
    /// for denial in env.landlock_denials().iter() {
    ///     println!("{denial}");
    ///     if let Some(line) = denial.remedy() {
    ///         println!("to allow it: {line}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn landlock_denials(&self) -> Denials {
        self.state.fs.root_fs.denials.so_far()
    }

    /// Returns the files that the module has written where nothing is preopened, up to [`DENIALS_KEPT`].
    ///
    /// Upstream keeps such files in memory, so that they are lost at the end. The log names them then, and
    /// [`landlock_report`](Self::landlock_report) has them among its warnings.
    #[must_use]
    pub fn landlock_unsaved_files(&self) -> Vec<super::UnsavedFile> {
        self.state.fs.root_fs.denials.unsaved.so_far()
    }

    /// Returns the number of denied accesses so far, repetitions included.
    ///
    /// [Example](Denial#example).
    #[must_use]
    pub fn refused_accesses(&self) -> u64 {
        self.landlock_denials().refused
    }

    /// Explains the denial of an access to an absolute path inside; returns nothing if the access is allowed.
    ///
    /// Nothing is opened and nothing changes. What the user may not do by the file's own permissions is another
    /// matter, which it doesn't look at. In the scope *instance*, ask on a thread of the instance: elsewhere the kernel
    /// refuses nothing.
    ///
    /// [Example](Denial#example).
    #[must_use]
    pub fn landlock_explain(&self, guest: impl AsRef<Path>, access: Access) -> Option<Denial> {
        let root = &self.state.fs.root_fs;
        super::refusals::explain_guest(root, guest.as_ref(), access)
    }
}
