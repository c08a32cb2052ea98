//! The meaning of a denial: the missing access, its object, and the grant that would allow it.

use std::path::{Component, Path, PathBuf};

use virtual_fs::{FileSystem, HostBacking};
use wasix_landlock::{Access, HostKind, Verdict, explain};

use super::denials::{Cause, Denial, NearestPreopen, Operation};
use super::suggestion::Suggestion;
use crate::fs::WasiFsRoot;

/// A denied access.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) operation: Operation,
    pub(super) guest: PathBuf,
    pub(super) access: Access,
    /// True if the access is to the directory of the path.
    pub(super) in_directory: bool,
    /// The host path to which a path that leads out would lead.
    pub(super) host: Option<PathBuf>,
    /// If nothing else refuses it, the descriptor does.
    pub(super) by_descriptor: bool,
}

impl Refusal {
    pub(super) fn by_descriptor(self) -> Self {
        Self {
            by_descriptor: true,
            ..self
        }
    }

    pub(super) fn of(operation: Operation, guest: PathBuf) -> Self {
        let (access, in_directory) = operation.needs();
        Self {
            operation,
            guest,
            access,
            in_directory,
            host: None,
            by_descriptor: false,
        }
    }

    pub(super) fn open(guest: &Path, access: Access) -> Self {
        Self {
            access,
            ..Self::of(Operation::Open, guest.to_owned())
        }
    }
}

/// `path` seen from `base`, without `.` and `..`.
pub(super) fn absolute_path(base: &Path, path: impl AsRef<Path>) -> PathBuf {
    let joined = base.join(path);
    if is_plain(&joined) {
        return joined;
    }
    let mut absolute = PathBuf::from("/");
    for part in joined.components() {
        match part {
            Component::Normal(part) => absolute.push(part),
            Component::ParentDir => {
                absolute.pop();
            }
            _ => {}
        }
    }
    absolute
}

/// True if the path is absolute and made of nothing but names.
fn is_plain(path: &Path) -> bool {
    let names = path.to_str().and_then(|path| path.strip_prefix('/'));
    names.is_some_and(|names| {
        names
            .split('/')
            .all(|name| !matches!(name, "" | "." | ".."))
    })
}

pub(super) fn access_of(place: &HostBacking) -> Access {
    Access {
        read: place.access.read,
        write: place.access.write,
        create: place.access.create,
    }
}

/// Finds the innermost of these backings behind a path.
pub(super) fn innermost<'b>(backings: &'b [HostBacking], guest: &Path) -> Option<&'b HostBacking> {
    let around = backings.iter().filter(|b| guest.starts_with(&b.guest));
    around.max_by_key(|backing| backing.guest.components().count())
}

/// The preopen that has the most names in common with a path.
pub(super) fn nearest(backings: &[HostBacking], guest: &Path) -> Option<NearestPreopen> {
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

/// Finds the host path of the same name, where nothing is preopened: from the root, or from the program's current
/// directory. It has to be there, or what it would be made in.
fn namesake(refusal: &Refusal) -> Option<PathBuf> {
    let below = refusal.guest.strip_prefix("/").ok()?;
    let there = |path: &PathBuf| {
        let makes = refusal.access.create || refusal.in_directory;
        let parent = || path.parent().is_some_and(Path::is_dir);
        path.symlink_metadata().is_ok() || (makes && parent())
    };
    [refusal.guest.clone(), below.to_owned()]
        .into_iter()
        .find(|path| path.components().count() > 0 && there(path))
}

/// All about a refusal; nothing if it is none.
pub(super) fn examine(
    backings: &[HostBacking],
    refusal: Refusal,
    known: Option<Cause>,
) -> Option<Denial> {
    let behind = innermost(backings, &refusal.guest).and_then(|b| b.below(&refusal.guest));
    let host = match (behind, &refusal.host) {
        (Some(behind), _) => behind.host,
        (None, Some(outside)) => outside.clone(),
        (None, None) => namesake(&refusal)?,
    };
    let Refusal {
        operation,
        guest,
        access,
        in_directory,
        by_descriptor,
        ..
    } = refusal;
    let above = (guest.parent(), host.parent());
    let (needed_guest, needed_host) = match above {
        (Some(guest), Some(host)) if in_directory && host == Path::new("") => {
            (guest, Path::new("."))
        }
        (Some(guest), Some(host)) if in_directory => (guest, host),
        _ => (guest.as_path(), host.as_path()),
    };
    let explanation = explain(needed_host, access);
    let holder = innermost(backings, needed_guest);
    let cause = known.or_else(|| {
        let allowed = holder.is_some_and(|holder| access_of(holder).contains(access));
        Some(match &explanation.verdict {
            Verdict::Replaced { .. } => Cause::Replaced,
            _ if holder.is_none() => Cause::NoPreopen,
            _ if !allowed => Cause::Preopen,
            _ if holder.is_some_and(|holder| leads_out(holder, needed_host)) => Cause::Escape,
            Verdict::NotGranted { .. } => Cause::Kernel,
            _ if by_descriptor => Cause::Descriptor,
            _ => Cause::Host,
        })
    })?;
    // What is found from the program's current directory is asked for from there.
    let needed_guest = if host.is_relative() {
        needed_host
    } else {
        needed_guest
    };
    let suggestion = suggest(
        cause,
        holder,
        (needed_guest, needed_host),
        access,
        in_directory,
    );
    let nearest = nearest(backings, &guest);
    Some(Denial {
        operation,
        access,
        cause,
        nearest,
        explanation,
        suggestion,
        guest,
    })
}

/// True if a link leads out of the host directory.
fn leads_out(place: &HostBacking, host: &Path) -> bool {
    let target = host.ancestors().find_map(|path| path.canonicalize().ok());
    match (target, place.host.canonicalize()) {
        (Some(target), Ok(root)) => !target.starts_with(root),
        _ => false,
    }
}

fn suggest(
    cause: Cause,
    holder: Option<&HostBacking>,
    (guest, host): (&Path, &Path),
    access: Access,
    in_directory: bool,
) -> Option<Suggestion> {
    match cause {
        // Another preopen would show it under another name, or give what is there already.
        Cause::Escape | Cause::Descriptor | Cause::Host => None,
        // The file that was put there has no rule; its directory can have one.
        Cause::Replaced => {
            let access = holder.map_or(access, access_of).union(access);
            Some(Suggestion::new(
                host.parent()?,
                guest.parent()?,
                HostKind::Directory,
                access,
            ))
        }
        Cause::NoPreopen | Cause::Preopen | Cause::Kernel => {
            let kind = if in_directory || host.is_dir() {
                HostKind::Directory
            } else {
                HostKind::File
            };
            // It takes the place of the one around it, if that is granted.
            let access = match holder {
                Some(holder) if cause != Cause::Kernel => access_of(holder).union(access),
                _ => access,
            };
            Some(Suggestion::new(host, guest, kind, access))
        }
    }
}

/// See [`WasiEnv::landlock_explain`].
pub(super) fn explain_guest(root: &WasiFsRoot, guest: &Path, access: Access) -> Option<Denial> {
    let guest = absolute_path(Path::new("/"), guest);
    let backings = root.host_backing();
    let Some(place) = innermost(&backings, &guest) else {
        // What is only virtual is the module's own.
        return examine(
            &backings,
            Refusal::open(&guest, access),
            Some(Cause::NoPreopen),
        );
    };
    let host = place.below(&guest)?.host;
    let allowed = access_of(place).contains(access) && !leads_out(place, &host);
    if allowed && !explain(&host, access).is_denied() {
        return None;
    }
    examine(&backings, Refusal::open(&guest, access), None)
}
