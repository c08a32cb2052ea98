//! The difference of two profiles, in terms of what they allow.

use std::{fmt, path::PathBuf};

use serde::Serialize;
use wasix_landlock::{Access, HostKind, Level, Protection};

use crate::{Group, HostPreopen, Limit, Profile, UnsavedWrites, ceiling::resolve};

/// Two profiles' permissions that the other one doesn't have. As text, one line each with `-` or `+`.
///
/// Host paths are compared by what they lead to: a grant within a wider one is no difference. Arguments, streams and
/// names inside aren't looked at.
///
/// ```
/// use wasix_landlock_profile::{Access, Profile, diff};
///
/// let old = Profile::new()
///     .preopen(|p| p.directory("/srv/data").read(true))?
///     .limits(|l| l.threads(4));
/// let new = Profile::new()
///     .preopen(|p| p.directory("/srv/data").read(true).write(true))?
///     .preopen(|p| p.directory("/srv/data/part").read(true))?
///     .limits(|l| l.threads(2));
/// let difference = diff(&old, &new);
/// assert_eq!(difference.right.paths[0].access, Access::WRITE);
/// assert_eq!(difference.to_string(), "- limit threads: 4, not 2\n+ directory /srv/data: write\n");
/// # Ok::<(), wasix_landlock_profile::PreopenError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The permissions of the first one alone.
    pub left: Beyond,
    /// The permissions of the second one alone.
    pub right: Beyond,
}

/// One profile's permissions that the other one of a [`Difference`] doesn't have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Beyond {
    /// Host paths.
    pub paths: Vec<PathBeyond>,
    /// Ports.
    pub ports: Vec<PortBeyond>,
    /// Limits that are higher, or aren't there.
    pub limits: Vec<LimitBeyond>,
    /// Groups of functions, by name.
    pub groups: Vec<&'static str>,
    /// Protections of the process that are weaker.
    pub protections: Vec<LevelBeyond>,
    /// Variables of the host, by name.
    pub environment_from_host: Vec<String>,
    /// True if writes where nothing is preopened are kept in memory only here.
    pub unsaved_writes: bool,
}

/// A host path with more access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PathBeyond {
    /// The host path as it was given.
    pub host: PathBuf,
    /// The kind of the path.
    pub kind: HostKind,
    /// The access that only this profile allows.
    pub access: Access,
}

/// A port that may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PortBeyond {
    /// The operation: `bind tcp`, `connect tcp`, `bind udp` or `send udp`.
    pub operation: &'static str,
    /// The number.
    pub port: u16,
}

/// A limit that is higher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LimitBeyond {
    /// The name.
    pub limit: &'static str,
    /// The value here; `None` if there is no limit.
    pub most: Option<u64>,
    /// The value there.
    pub other: u64,
}

/// A protection that is weaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LevelBeyond {
    /// The protection.
    pub protection: Protection,
    /// The level here.
    pub level: Level,
    /// The level there.
    pub other: Level,
}

/// Compares two profiles.
///
/// [Example](Difference).
#[must_use]
pub fn diff(left: &Profile, right: &Profile) -> Difference {
    Difference {
        left: Beyond::of(left, right),
        right: Beyond::of(right, left),
    }
}

impl Difference {
    /// True if both profiles allow the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Beyond {
    /// Returns the things that `this` allows and `other` doesn't.
    fn of(this: &Profile, other: &Profile) -> Self {
        let (groups, other_groups) = (this.effective_groups(), other.effective_groups());
        let groups = Group::ALL
            .iter()
            .copied()
            .filter(|group| groups.allows(*group) && !other_groups.allows(*group));
        let variables = this.environment_from_host.iter();
        Self {
            paths: paths(this, other),
            ports: ports(this, other),
            limits: Limit::ALL
                .iter()
                .filter_map(|limit| higher(*limit, this, other))
                .collect(),
            groups: groups.map(Group::name).collect(),
            protections: Protection::ALL
                .iter()
                .filter_map(|protection| weaker(*protection, this, other))
                .collect(),
            environment_from_host: variables
                .filter(|name| !other.environment_from_host.contains(*name))
                .cloned()
                .collect(),
            unsaved_writes: this.unsaved_writes == UnsavedWrites::Report
                && other.unsaved_writes == UnsavedWrites::Refuse,
        }
    }

    /// Each permission in words.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for PathBeyond { host, kind, access } in &self.paths {
            lines.push(format!("{} {}: {access}", kind_name(*kind), host.display()));
        }
        for PortBeyond { operation, port } in &self.ports {
            lines.push(format!("port {operation} {port}"));
        }
        for LimitBeyond { limit, most, other } in &self.limits {
            let most = most.map_or_else(|| "none".to_owned(), |most| most.to_string());
            lines.push(format!("limit {limit}: {most}, not {other}"));
        }
        for group in &self.groups {
            lines.push(format!("group {group}"));
        }
        for LevelBeyond {
            protection,
            level,
            other,
        } in &self.protections
        {
            lines.push(format!("protection {protection}: {level}, not {other}"));
        }
        for name in &self.environment_from_host {
            lines.push(format!("variable {name} of the host"));
        }
        if self.unsaved_writes {
            lines.push("writes where nothing is preopened, kept in memory".to_owned());
        }
        lines
    }
}

const fn kind_name(kind: HostKind) -> &'static str {
    match kind {
        HostKind::File => "file",
        HostKind::Directory => "directory",
        HostKind::Either => "path",
    }
}

/// The grants that aren't within the other profile's.
fn paths(this: &Profile, other: &Profile) -> Vec<PathBeyond> {
    let place =
        |preopen: &HostPreopen| resolve(&preopen.host).unwrap_or_else(|| preopen.host.clone());
    let others: Vec<_> = other
        .preopens
        .iter()
        .map(|other| (place(other), other))
        .collect();
    let mut paths = Vec::new();
    for preopen in &this.preopens {
        let own = place(preopen);
        let around = others.iter().filter(|(place, other)| match other.kind {
            HostKind::File => preopen.kind == HostKind::File && own == *place,
            HostKind::Directory | HostKind::Either => own.starts_with(place),
        });
        let there = around.fold(Access::NONE, |access, (_, other)| {
            access.union(other.access)
        });
        let beyond = PathBeyond {
            host: preopen.host.clone(),
            kind: preopen.kind,
            access: preopen.access.difference(there),
        };
        if !beyond.access.is_empty() && !paths.contains(&beyond) {
            paths.push(beyond);
        }
    }
    paths
}

fn ports(this: &Profile, other: &Profile) -> Vec<PortBeyond> {
    let pairs = this.network.ports().into_iter().zip(other.network.ports());
    pairs
        .flat_map(|((operation, these), (_, those))| {
            let ports = these.difference(those).copied();
            ports.map(move |port| PortBeyond { operation, port })
        })
        .collect()
}

fn higher(limit: Limit, this: &Profile, other: &Profile) -> Option<LimitBeyond> {
    let (most, other) = (this.limits.of(limit), other.limits.of(limit)?);
    most.is_none_or(|most| most > other).then(|| LimitBeyond {
        limit: limit.name(),
        most,
        other,
    })
}

fn weaker(protection: Protection, this: &Profile, other: &Profile) -> Option<LevelBeyond> {
    let (level, other) = (this.level(protection), other.level(protection));
    (level > other).then_some(LevelBeyond {
        protection,
        level,
        other,
    })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sign, beyond) in [('-', &self.left), ('+', &self.right)] {
            for line in beyond.lines() {
                // A path may be anybody's.
                let line: String = line
                    .chars()
                    .flat_map(|c| {
                        if c.is_control() {
                            c.escape_default().collect()
                        } else {
                            vec![c]
                        }
                    })
                    .collect();
                writeln!(f, "{sign} {line}")?;
            }
        }
        Ok(())
    }
}
