//! The preopen that comes nearest to a path.

use std::fmt;
use std::path::{Path, PathBuf};

use virtual_fs::HostBacking;
use wasix_landlock::Access;

use crate::landlock::backings::{access_of, innermost};

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

/// The preopen that has the most names in common with a path.
pub(crate) fn nearest(backings: &[HostBacking], guest: &Path) -> Option<NearestPreopen> {
    let common = |backing: &&HostBacking| {
        let names = backing.guest.components().zip(guest.components());
        names.take_while(|(a, b)| a == b).count()
    };
    let nearest = innermost(backings, guest).or_else(|| backings.iter().max_by_key(common))?;
    Some(NearestPreopen {
        guest: nearest.guest.clone(),
        host: nearest.host.clone(),
        access: access_of(nearest),
    })
}
