//! What is asked: recorded preopens, the runtime's own paths, and what must be enforced.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Access, Error, Mode, PrepareError, Prepared, Protection, Report, access, platform};

/// How long [`Prepared::enforce`] tries to reach every thread unless [`Policy::deadline`] says
/// otherwise.
///
/// Visiting 65 threads takes about a millisecond, so five seconds leave room for a machine that is
/// busy, and a thread that blocks every signal is still reported while someone is watching.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// What the caller says a host path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// One of the two, for a mount that only knows a path.
    Either,
}

/// A file or directory of the host behind a preopen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTarget {
    /// Where it is. A relative path starts at the working directory of the moment in which the
    /// policy is prepared; a symbolic link is followed, since the application named it.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// What is granted on it, at most what the preopen asked for: the rule is made from the
    /// intersection with [`Preopen::access`].
    ///
    /// With [`Access::create`], a [`Kind::File`] that is missing is created, empty, before the
    /// restriction: the kernel has no rule for a path that doesn't exist yet.
    pub access: Access,
}

/// A preopen as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preopen {
    /// The path under which the module sees it.
    pub guest: String,
    /// The builder call that named it, such as `preopen_dir`. It is how reports and errors refer
    /// to it.
    pub origin: &'static str,
    /// The access that was asked for.
    pub access: Access,
    /// What is behind it on the host. Empty for a purely virtual one, which needs no rule.
    pub targets: Vec<HostTarget>,
}

/// A host path that the runtime itself needs, not the module.
///
/// It is granted to the whole process nevertheless: the kernel can't tell the two apart. When it
/// is missing or can't be granted, the report says so and nothing fails, since the runtime copes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimePath {
    /// Where it is. Besides a file or a directory it may be a character device such as
    /// `/dev/null`.
    pub path: PathBuf,
    /// What is granted on it. It is never created.
    pub access: Access,
    /// What it is for, such as `dns` or `module cache`.
    pub reason: String,
}

/// What to restrict a process to.
///
/// The default policy grants nothing.
#[derive(Clone, Debug, Default)]
#[must_use = "a policy restricts nothing until it is enforced"]
pub struct Policy {
    pub(crate) preopens: Vec<Preopen>,
    pub(crate) runtime_paths: Vec<RuntimePath>,
    pub(crate) mode: Option<Mode>,
    protections: BTreeMap<Protection, bool>,
    deadline: Option<Duration>,
}

impl Policy {
    /// Records a preopen.
    pub fn preopen(mut self, preopen: Preopen) -> Self {
        self.preopens.push(preopen);
        self
    }

    /// Records preopens.
    pub fn preopens(mut self, preopens: impl IntoIterator<Item = Preopen>) -> Self {
        self.preopens.extend(preopens);
        self
    }

    /// Grants a path that the runtime itself needs.
    pub fn runtime_path(mut self, path: RuntimePath) -> Self {
        self.runtime_paths.push(path);
        self
    }

    /// Grants a path for a policy that is enforced later in this process, see
    /// [`Prepared::enforce`].
    pub fn reserve(self, path: impl Into<PathBuf>, access: Access) -> Self {
        self.runtime_path(RuntimePath {
            path: path.into(),
            access,
            reason: "reserved".to_owned(),
        })
    }

    /// Lets a kernel do without this protection. The report says whether it did.
    pub fn optional(mut self, protection: Protection) -> Self {
        self.protections.insert(protection, false);
        self
    }

    /// Makes it an error when this protection can't be had.
    pub fn require(mut self, protection: Protection) -> Self {
        self.protections.insert(protection, true);
        self
    }

    /// How long to try to reach every thread; [`DEFAULT_DEADLINE`] unless given.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// What happens when something can't be enforced; [`Mode::from_env`] unless given.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Which Landlock access rights each [`Access`] grants, as a Markdown table.
    ///
    /// A right that the kernel lacks is left out, see [`Protection`].
    #[must_use]
    pub fn table() -> String {
        access::table()
    }

    /// Resolves and checks every path, creates the files that are to be created, and builds the
    /// ruleset. Nothing is restricted yet.
    ///
    /// When this process is restricted already, no ruleset is built: every path must lie within
    /// what is granted.
    ///
    /// On anything but Linux there is nothing to enforce with: that is an error in
    /// [`Mode::Enforce`], and in the report otherwise. On `target_family = "wasm"`, where no host
    /// file system is behind anything, a policy without host paths is fine.
    ///
    /// # Errors
    ///
    /// [`PrepareError`]; files that were created are removed again. In [`Mode::BestEffort`] and
    /// [`Mode::Off`] only [`PrepareError::Mode`] and, on wasm, [`PrepareError::Unsupported`] are
    /// left; the rest is in the report.
    pub fn prepare(self) -> Result<Prepared, PrepareError> {
        platform::prepare(self).map(Prepared)
    }

    /// Prepares and enforces.
    ///
    /// # Errors
    ///
    /// What [`Policy::prepare`] and [`Prepared::enforce`] return.
    pub fn enforce(self) -> Result<Arc<Report>, Error> {
        Ok(self.prepare()?.enforce()?)
    }

    /// The mode that holds, asking the environment when none was given.
    pub(crate) fn effective_mode(&self) -> Result<Mode, PrepareError> {
        match self.mode {
            Some(mode) => Ok(mode),
            None => Ok(Mode::from_env()?),
        }
    }

    pub(crate) fn requires(&self, protection: Protection) -> bool {
        self.protections
            .get(&protection)
            .copied()
            .unwrap_or_else(|| protection.required_by_default())
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn effective_deadline(&self) -> Duration {
        self.deadline.unwrap_or(DEFAULT_DEADLINE)
    }
}
