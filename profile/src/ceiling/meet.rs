//! The parts of a granted path that stay below a ceiling.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use wasix_landlock::{Access, HostKind};

use super::{place::resolve, table::Grant};
use crate::HostPreopen;

/// A granted host path, and the parts of the grant that a [`Ceiling`](crate::Ceiling) leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Narrowed {
    /// The path as granted.
    pub host: PathBuf,
    /// The access that was granted.
    pub access: Access,
    /// The parts that stay. Where two of them cover a path, both hold.
    pub parts: Vec<Part>,
}

/// A part of a granted path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// The host path: the granted one as it was given, or a path below it.
    pub host: PathBuf,
    /// The path from the granted one to this one; empty for the granted one itself.
    pub inside: PathBuf,
    /// The kind of the path.
    pub kind: HostKind,
    /// The access that stays: a part of what was granted.
    pub access: Access,
    /// The resolved path.
    place: PathBuf,
}

impl Narrowed {
    /// All of a grant.
    pub(super) fn whole(host: &Path, kind: HostKind, access: Access) -> Self {
        let parts = resolve(host).map(|place| Part {
            host: host.to_owned(),
            inside: PathBuf::new(),
            kind: match kind {
                HostKind::Either if place.is_dir() => HostKind::Directory,
                kind => kind,
            },
            access,
            place,
        });
        Self {
            host: host.to_owned(),
            access,
            parts: parts.into_iter().collect(),
        }
    }

    /// Leaves what these grants allow too; all, if there is no list of them.
    pub(super) fn limit_to(&mut self, grants: Option<&[Grant]>) {
        if let Some(grants) = grants {
            let parts = std::mem::take(&mut self.parts);
            self.parts = parts
                .iter()
                .flat_map(|part| part.limited_to(grants))
                .collect();
        }
    }

    /// The parts as preopens, where `granted` is the whole. Each part shows at its old place.
    #[must_use]
    pub fn preopens(self, granted: &HostPreopen) -> Vec<HostPreopen> {
        let guest = |part: &Part| {
            if part.is_whole() {
                return granted.guest.clone();
            }
            let guest = Path::new(granted.guest_name().ok()?).join(&part.inside);
            guest.to_str().map(str::to_owned)
        };
        let parts = self.parts.into_iter();
        parts
            .map(|part| HostPreopen {
                guest: guest(&part),
                host: part.host,
                kind: part.kind,
                access: part.access,
            })
            .collect()
    }

    /// The access that stays to all of the granted path.
    #[must_use]
    pub fn whole_access(&self) -> Access {
        let whole = self.parts.iter().filter(|part| part.is_whole());
        whole.fold(Access::NONE, |access, part| access.union(part.access))
    }

    /// True if nothing of the grant was taken away.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole_access().contains(self.access)
    }
}

/// The part that was taken away: `` `/srv`: write, but for `/srv/data`: read ``.
impl fmt::Display for Narrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = self.access.difference(self.whole_access());
        write!(f, "`{}`: {taken}", self.host.display())?;
        let mut separator = ", but for ";
        for part in self.parts.iter().filter(|part| !part.is_whole()) {
            write!(f, "{separator}`{}`: {}", part.host.display(), part.access)?;
            separator = ", ";
        }
        Ok(())
    }
}

impl Part {
    /// True if this is the granted path itself.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.inside.as_os_str().is_empty()
    }

    /// The path with its kind and the access that stays.
    #[must_use]
    pub fn into_path(self) -> (PathBuf, HostKind, Access) {
        (self.host, self.kind, self.access)
    }

    /// The parts of this one that the grants allow too: the whole with less access, and what lies below with more.
    fn limited_to(&self, grants: &[Grant]) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        let mut add = |part: Self| {
            let covers = |wider: &Self| {
                wider.access.contains(part.access) && covers(&wider.place, wider.kind, &part)
            };
            if !part.access.is_empty() && !parts.iter().any(covers) {
                parts.push(part);
            }
        };
        add(self.with_access_of(grants));
        let mut below: Vec<&Grant> = grants.iter().collect();
        below.retain(|grant| {
            grant
                .place
                .as_ref()
                .is_some_and(|place| self.contains(place))
        });
        // The wider ones first, so that a part of them isn't there twice.
        below.sort_by(|one, two| (&one.place, one.kind as u8).cmp(&(&two.place, two.kind as u8)));
        for grant in below {
            if let Some(part) = self.at(grant) {
                add(part.with_access_of(grants));
            }
        }
        parts
    }

    /// True if the path lies below this one.
    fn contains(&self, place: &Path) -> bool {
        self.kind != HostKind::File && place != self.place && place.starts_with(&self.place)
    }

    /// The part of this one at the grant's path.
    fn at(&self, grant: &Grant) -> Option<Self> {
        let place = grant.place.clone()?;
        let below = place.strip_prefix(&self.place).ok()?;
        Some(Self {
            host: place.clone(),
            inside: self.inside.join(below),
            kind: grant.kind,
            access: self.access,
            place,
        })
    }

    /// The same with the access that the grants around it allow together.
    fn with_access_of(&self, grants: &[Grant]) -> Self {
        let around = grants.iter().filter(|grant| {
            let place = grant.place.as_ref();
            place.is_some_and(|place| covers(place, grant.kind, self))
        });
        let allowed = around.fold(Access::NONE, |access, grant| access.union(grant.access));
        Self {
            access: self.access.intersection(allowed),
            ..self.clone()
        }
    }
}

/// True if a grant of `place` holds for all of the part.
fn covers(place: &Path, kind: HostKind, part: &Part) -> bool {
    match kind {
        HostKind::File => part.kind != HostKind::Directory && part.place == place,
        HostKind::Directory | HostKind::Either => part.place.starts_with(place),
    }
}
