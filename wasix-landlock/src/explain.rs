//! Explanations of denied and granted accesses.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::{Access, Right, names, platform, rights::Rights};

/// Explains whether this process, or the calling thread's instance, may access a path of the host,
/// and which rights are missing.
///
/// The answer comes from the record of the enforced policy, and from the file that stands at the
/// path now. The function opens and changes nothing, so that it works for denied paths. It doesn't
/// look at the file's own permissions.
#[must_use]
pub fn explain(path: impl AsRef<Path>, access: Access) -> Explanation {
    platform::explain(path.as_ref(), access)
}

/// The answer of [`explain`] and [`Report::explain`](crate::Report::explain).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The path that was asked for.
    pub path: PathBuf,
    /// The path's destination, absolute and without symbolic links; as far as it exists.
    pub resolved: PathBuf,
    /// The access that was asked for.
    pub access: Access,
    /// The verdict.
    pub verdict: Verdict,
}

/// The verdict on an access.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// No policy restricts this process.
    NotRestricted,
    /// The access is granted, by this preopen or runtime path and perhaps others.
    Granted {
        /// The grant.
        by: GrantedPath,
    },
    /// The file is not the one that was granted: something else was put in its place, and a rule
    /// holds for what was there when the process was restricted.
    Replaced {
        /// The grant of the file before.
        was: GrantedPath,
        /// The access rights of that grant.
        missing: Vec<Right>,
    },
    /// The access is not granted.
    NotGranted {
        /// The access rights that are missing.
        missing: Vec<Right>,
        /// The access that would have to be granted.
        needs: Access,
        /// The grant that comes nearest: one of the path itself or above it, or else the one with
        /// which it has the most in common.
        nearest: Option<GrantedPath>,
    },
}

/// A grant in an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantedPath {
    /// The preopen or runtime path, as reports and errors name it.
    pub owner: String,
    /// The host path, as it was given.
    pub path: PathBuf,
    /// The access that was granted.
    pub access: Access,
    /// True if the path is a directory, whose grant holds for all beneath it.
    pub directory: bool,
}

/// A host path with the rights that are granted on it, or asked for.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) named: GrantedPath,
    /// The resolved path.
    pub(crate) resolved: PathBuf,
    /// Device and inode; `None` for a file that is still to be created, and in a report.
    #[cfg(target_os = "linux")]
    pub(crate) inode: Option<(u64, u64)>,
    pub(crate) rights: Rights,
    /// True if the grant is for the runtime rather than for a preopen.
    pub(crate) runtime: bool,
}

/// Judges an access to a path, which needs these rights, by the grants and those of them that cover the path.
pub(crate) fn judge(
    path: &Path,
    needs: Access,
    needed: &Rights,
    grants: &[Grant],
    covers: impl Fn(&Grant) -> bool,
) -> Verdict {
    let covering: Vec<&Grant> = grants.iter().filter(|grant| covers(grant)).collect();
    let missing = |right: &&Right| !covering.iter().any(|grant| grant.rights.contains(right));
    let missing: Vec<Right> = needed.iter().filter(missing).copied().collect();
    let mut helping = covering.iter().copied();
    let helps = helping.find(|grant| !grant.rights.is_disjoint(needed));
    match helps.or(covering.first().copied()) {
        Some(by) if missing.is_empty() => Verdict::Granted {
            by: by.named.clone(),
        },
        by => {
            let common = |grant: &Grant| in_common(&grant.resolved, path).components().count();
            // Sharing no more than the root is no nearness.
            let near = grants.iter().filter(|grant| common(grant) > 1);
            let near = near.max_by_key(|grant| (common(grant), !grant.runtime));
            Verdict::NotGranted {
                missing,
                needs,
                nearest: by.or(near).map(|grant| grant.named.clone()),
            }
        }
    }
}

/// Returns the innermost path that holds both.
pub(crate) fn in_common(one: &Path, other: &Path) -> PathBuf {
    let both = one.components().zip(other.components());
    both.take_while(|(one, other)| one == other)
        .map(|(one, _)| one)
        .collect()
}

impl Explanation {
    /// True if the kernel denies the access.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        !matches!(
            self.verdict,
            Verdict::NotRestricted | Verdict::Granted { .. }
        )
    }
}

impl fmt::Display for GrantedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            owner,
            path,
            access,
            directory,
        } = self;
        let below = if *directory { "/…" } else { "" };
        write!(f, "{owner} ({}{below}: {access})", path.display())
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): ", self.path.display(), self.access)?;
        if self.resolved != self.path {
            write!(f, "the path resolves to {}; ", self.resolved.display())?;
        }
        match &self.verdict {
            Verdict::NotRestricted => write!(f, "this process is not restricted"),
            Verdict::Granted { by } => write!(f, "granted by {by}"),
            Verdict::Replaced { was, missing } => write!(
                f,
                "denied, {} is missing: the file was replaced after the process was restricted, \
                 and {was} granted the old file; grant the directory if files in it are replaced",
                names::list(missing, ", ")
            ),
            Verdict::NotGranted {
                missing,
                needs,
                nearest,
            } => {
                write!(f, "denied, {} is missing", names::list(missing, ", "))?;
                match nearest {
                    Some(nearest) => write!(f, "; the nearest grant is {nearest}")?,
                    None => write!(f, "; nothing is granted")?,
                }
                write!(f, "; preopen it with {needs} to allow it")
            }
        }
    }
}

/// Resolves a path as far as it exists: makes it absolute, and follows the links of the part that is there.
#[must_use]
pub fn resolve_existing(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in path.ancestors() {
        if let Ok(resolved) = ancestor.canonicalize() {
            return match path.strip_prefix(ancestor) {
                Ok(rest) if !rest.as_os_str().is_empty() => resolved.join(rest),
                _ => resolved,
            };
        }
    }
    path
}
