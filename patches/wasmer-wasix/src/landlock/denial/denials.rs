//! Denials in the module's terms: the call, the path inside and on the host, the missing access, the nearest
//! preopen, and what would allow it.
//!
//! The kernel's refusals are told, and those of the WASI layer's own, which answers before the kernel is asked.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use wasix_landlock::{Access, DenialEvent, DenialReport, DenialsReport, Explanation, Verdict};

use super::nearest::NearestPreopen;
use super::suggestion::Suggestion;
use crate::landlock::operation::Operation;

/// The number of different denials that an environment keeps. Further ones are only counted.
pub const DENIALS_KEPT: usize = 64;

/// The cause of a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Nothing is preopened there. The module sees that there is nothing.
    NoPreopen,
    /// The path leads out of the directory that the module named, or of the preopen, by `..` or by a link.
    Escape,
    /// The preopen doesn't allow it: the WASI layer refuses, and the kernel would.
    Preopen,
    /// The policy from outside (`WASIX_LANDLOCK_POLICY`) doesn't allow it, whatever the program grants.
    Outside,
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

impl Cause {
    /// The short name, for events and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoPreopen => "no-preopen",
            Self::Escape => "escape",
            Self::Preopen => "preopen",
            Self::Outside => "outside-policy",
            Self::Descriptor => "descriptor",
            Self::Kernel => "kernel",
            Self::Replaced => "replaced",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPreopen => "nothing is preopened there",
            Self::Escape => "it leads out of what is preopened",
            Self::Preopen => "the preopen doesn't allow it",
            Self::Outside => "the policy from outside doesn't allow it",
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
///     println!("{}", denial.suggestion().expect("the same in other forms").toml());
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
    pub(crate) suggestion: Option<Suggestion>,
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

impl From<&Denial> for DenialEvent {
    fn from(denial: &Denial) -> Self {
        Self::new(denial.operation.name(), denial.cause.name(), denial.into())
    }
}

/// As in the report.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DenialReport::from(self).fmt(f)
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
    pub(crate) fn new(denials: Vec<Denial>, refused: u64) -> Self {
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
