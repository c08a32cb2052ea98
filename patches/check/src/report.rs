//! The result of a check, and its text.

use std::collections::BTreeSet;
use std::fmt;

use crate::{CRATES, VERSIONS};

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One for each of the two crates, and for each version of it in the lock file.
    pub findings: Vec<Finding>,
    /// The git repository that a line of the project names already.
    pub(crate) place: Option<String>,
}

/// The state of one crate in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The crate.
    pub name: &'static str,
    /// The version; none if the crate is not in the lock file.
    pub version: Option<String>,
    /// The state.
    pub status: Status,
}

/// The state of a crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The fork is what cargo builds.
    Patched {
        /// Cargo's source of it; none for a path.
        source: Option<String>,
    },
    /// The fork is not what cargo builds.
    NotPatched(Reason),
}

/// The reason why a crate is not patched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The lock file doesn't have the crate.
    Absent,
    /// No patch names the crate.
    NoLine,
    /// The patches are for other versions, so that cargo passes over them.
    OtherVersion {
        /// The versions of the patches.
        patches: Vec<String>,
    },
    /// There is no fork of this version.
    NoFork {
        /// The versions of the patches that cargo passes over.
        patches: Vec<String>,
    },
    /// The crate is from a repository or a path, and not this project's fork.
    AnotherFork {
        /// Cargo's source of it; none for a path.
        source: Option<String>,
    },
}

impl Report {
    /// True if both crates are there, and each is patched in each of its versions.
    #[must_use]
    pub fn is_patched(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.all(|finding| matches!(finding.status, Status::Patched { .. }))
    }

    /// The lines that the root `Cargo.toml` needs below `[patch.crates-io]`, for each crate in each version of the lock
    /// file that there is a fork of. None are needed if all is patched.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if self.is_patched() {
            return Vec::new();
        }
        let place = self.place.as_deref().unwrap_or("URL OF THE REPOSITORY");
        let line = |(name, version, _): (&str, &str, &str)| {
            format!("{name} = {{ git = {place:?}, version = \"={version}\" }}")
        };
        self.offered().map(line).collect()
    }

    /// The crates and versions of the lock file that there is a fork of, and its folder.
    fn offered(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.findings.iter().filter_map(|finding| {
            let version = finding.version.as_deref()?;
            Some((finding.name, version, folder(version)?))
        })
    }

    fn versions(&self) -> impl Iterator<Item = &str> {
        let findings = self.findings.iter();
        findings.filter_map(|finding| finding.version.as_deref())
    }

    /// The steps to what there is a fork of.
    fn other_versions(&self) -> Vec<String> {
        let missing: BTreeSet<&str> = self.versions().filter(|v| folder(v).is_none()).collect();
        let steps = missing.iter().map(|version| {
            let compatible = VERSIONS.iter().rev().find(|(offered, _)| minor(offered) == minor(version));
            match compatible {
                Some((offered, _)) => format!(
                    "{version} has no fork, but {offered} has: `cargo update {} --precise {offered}`, each crate by itself",
                    CRATES.map(|name| format!("-p {name}@{version}")).join(" and "),
                ),
                None => format!(
                    "{version} has no fork, and cargo takes none of another minor version for it: raise the requirements \
                     of `wasmer` and `wasmer-wasix`, or start a fork of it (patches/README.md)"
                ),
            }
        });
        steps.collect()
    }
}

/// The folder of the fork of a version.
fn folder(version: &str) -> Option<&'static str> {
    let mut versions = VERSIONS.iter();
    versions
        .find(|(offered, _)| *offered == version)
        .map(|(_, folder)| *folder)
}

/// The part of a version that cargo takes another version for.
fn minor(version: &str) -> Option<&str> {
    version.rsplit_once('.').map(|(minor, _)| minor)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.is_patched() {
            true => "patched\n",
            false => "NOT patched: the program would run without enforcement\n",
        })?;
        for finding in &self.findings {
            writeln!(f, "  {finding}")?;
        }
        let lines = self.lines();
        if !lines.is_empty() {
            writeln!(
                f,
                "the root Cargo.toml needs, in place of other lines for these crates:\n\n[patch.crates-io]"
            )?;
            for line in lines {
                writeln!(f, "{line}")?;
            }
            writeln!(
                f,
                "\nor, in place of git and version, the path of a copy of the repository:"
            )?;
            for (name, _, folder) in self.offered() {
                writeln!(f, "  {name}: path = \"…/{folder}/{name}\"")?;
            }
        }
        for step in self.other_versions() {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(version) = &self.version {
            write!(f, " {version}")?;
        }
        match &self.status {
            Status::Patched {
                source: Some(source),
            } => write!(f, ": patched, from {source}"),
            Status::Patched { source: None } => write!(f, ": patched, from a path"),
            Status::NotPatched(reason) => write!(f, ": not patched because {reason}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the lock file doesn't have the crate"),
            Self::NoLine => f.write_str(
                "no line below [patch.crates-io] in the root Cargo.toml names the crate",
            ),
            Self::OtherVersion { patches } => write!(
                f,
                "the patch is for {}, and cargo passes over a patch of another version",
                patches.join(" and ")
            ),
            Self::NoFork { patches } if patches.is_empty() => {
                f.write_str("there is no fork of this version")
            }
            Self::NoFork { patches } => write!(
                f,
                "there is no fork of this version; cargo passes over the patch for {}",
                patches.join(" and ")
            ),
            Self::AnotherFork {
                source: Some(source),
            } => write!(f, "the crate comes from {source}, which is another fork"),
            Self::AnotherFork { source: None } => {
                f.write_str("the crate comes from a path where another fork is")
            }
        }
    }
}
