//! The meaning of a denial: the missing access, its object, and the grant that would allow it.

use std::path::{Path, PathBuf};

use virtual_fs::{FileSystem, HostBacking};
use wasix_landlock::{Access, HostKind, Verdict, explain};

use super::denials::{Cause, Denial};
use super::nearest::nearest;
use super::suggestion::Suggestion;
use crate::fs::WasiFsRoot;
use crate::landlock::backings::{absolute_path, access_of, innermost};
use crate::landlock::operation::Operation;

/// A denied access.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) operation: Operation,
    pub(crate) guest: PathBuf,
    pub(crate) access: Access,
    /// True if the access is to the directory of the path.
    pub(crate) in_directory: bool,
    /// The host path to which a path that leads out would lead.
    pub(crate) host: Option<PathBuf>,
    /// If nothing else refuses it, the descriptor does.
    pub(crate) by_descriptor: bool,
}

impl Refusal {
    pub(crate) fn by_descriptor(self) -> Self {
        Self {
            by_descriptor: true,
            ..self
        }
    }

    pub(crate) fn of(operation: Operation, guest: PathBuf) -> Self {
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

    pub(crate) fn open(guest: &Path, access: Access) -> Self {
        Self {
            access,
            ..Self::of(Operation::Open, guest.to_owned())
        }
    }
}

/// Finds the host path of the same name, where nothing is preopened: from the root, or from the program's current
/// directory. It has to be there, or what it would be made in; then the current directory comes first, since a module
/// that makes `new` without a directory asks for `/new`.
fn namesake(refusal: &Refusal) -> Option<PathBuf> {
    let below = refusal.guest.strip_prefix("/").ok()?;
    let [root, current] = [refusal.guest.clone(), below.to_owned()];
    let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
    let makes = refusal.access.create || refusal.in_directory;
    let can_be_made = |path: &PathBuf| {
        let parent = match path.parent() {
            Some(parent) if parent == Path::new("") => Path::new("."),
            Some(parent) => parent,
            None => return false,
        };
        makes && parent.is_dir()
    };
    let named = [root.clone(), current.clone()].into_iter();
    named
        .filter(|path| path.components().count() > 0)
        .find(is_there)
        .or_else(|| [current, root].into_iter().find(can_be_made))
}

/// All about a refusal; nothing if it is none.
pub(crate) fn examine(
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
        Cause::Escape | Cause::Outside | Cause::Descriptor | Cause::Host => None,
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
pub(crate) fn explain_guest(root: &WasiFsRoot, guest: &Path, access: Access) -> Option<Denial> {
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
