//! The mounts of preopens in the virtual tree.
//!
//! The rights of a recorded preopen hold for every path to its files: its descriptor, the virtual root,
//! an absolute path, or a link.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtual_fs::FileSystem;
use virtual_fs::host_backing::HostAccess;
use virtual_fs::limited::Limited;
use wasix_landlock::{HostKind, OpenFilesLimit, PathError, PrepareError};
use wasix_landlock_profile::HostPreopen;

use super::preopen::guest_name;
#[cfg(feature = "host-fs")]
use super::preopen::mount_point;
use super::recorded::Recorded;
use crate::WasiStateCreationError;
use crate::fs::WasiFsRoot;
#[cfg(feature = "host-fs")]
use crate::landlock::backings::host_access;
use crate::landlock::error::BuildError;
use crate::state::PreopenedDir;

/// Mounts the recorded preopens with their rights, and each host preopen in the tree.
pub(crate) fn mount_all(
    recorded: &Recorded<'_>,
    host_preopens: &[HostPreopen],
) -> Result<(), BuildError> {
    narrow_recorded(recorded)?;
    for (mounted, preopen) in host_preopens.iter().enumerate() {
        mount(preopen, recorded)
            .map_err(|error| of_limit(error, preopen, &host_preopens[mounted..]))?;
    }
    Ok(())
}

/// The error, or the limit that is behind it: errors of virtual file systems have no form of it.
fn of_limit(
    error: WasiStateCreationError,
    preopen: &HostPreopen,
    not_mounted: &[HostPreopen],
) -> BuildError {
    let directories = not_mounted
        .iter()
        .filter(|left| left.kind != HostKind::File);
    match OpenFilesLimit::reached(directories.count()) {
        Some(limit) => BuildError::Prepare(PrepareError::Path {
            preopen: format!("preopen `{}`", guest_name(preopen)),
            path: preopen.host.clone(),
            problem: PathError::OpenFiles(limit),
        }),
        None => error.into(),
    }
}

/// Mounts each recorded preopen over itself, with its rights and with nothing around it. One that lies in
/// another one with the same rights is part of that: a mount more would only be in the way of renames.
fn narrow_recorded(recorded: &Recorded<'_>) -> Result<(), WasiStateCreationError> {
    let root = recorded.root.root();
    // A directory of the virtual tree whose preopens say nothing of rights is as it was.
    let named = recorded.vfs_preopens.iter().map(Path::new);
    let named: Vec<PathBuf> = named.map(|name| Path::new("/").join(name)).collect();
    let mounts: Vec<PathBuf> = root
        .mount_entries()
        .into_iter()
        .map(|mount| mount.path)
        .collect();
    // Where a preopen begins, and each file system that shows in one.
    let begins = |path: &PathBuf| {
        let preopened =
            |preopen: &PreopenedDir| path.starts_with(Path::new("/").join(&preopen.path));
        recorded.preopens.iter().any(preopened)
    };
    let preopened = recorded
        .preopens
        .iter()
        .map(|preopen| Path::new("/").join(&preopen.path));
    let mut places: Vec<(PathBuf, HostAccess)> = Vec::new();
    for path in preopened.chain(mounts.iter().filter(|path| begins(path)).cloned()) {
        if places.iter().all(|(known, _)| *known != path) {
            let access = access_at(&path, recorded.preopens);
            places.push((path, access));
        }
    }
    let found: Vec<_> = places
        .iter()
        .filter(|(path, access)| {
            let within = |(other, same): &(PathBuf, HostAccess)| {
                other != path && path.starts_with(other) && same == access
            };
            let is_part = !mounts.contains(path) && places.iter().any(within);
            !is_part && !named.iter().any(|name| path.starts_with(name))
        })
        .filter_map(|(path, access)| {
            let (inner, base) = behind(recorded, path)?;
            // All of a file system, with all rights, is what it is.
            let is_whole = base == Path::new("/") && *access == HostAccess::ALL;
            (!is_whole).then(|| (path, Limited::new(inner, base, *access)))
        })
        .collect();
    for (path, limited) in found {
        root.set_mount(path, Arc::new(limited))?;
    }
    Ok(())
}

/// Returns the access that the preopens at `path` and around it allow together, as the kernel adds them up.
fn access_at(path: &Path, preopens: &[PreopenedDir]) -> HostAccess {
    let around = preopens
        .iter()
        .filter(|preopen| path.starts_with(Path::new("/").join(&preopen.path)));
    let mut access = HostAccess {
        read: false,
        write: false,
        create: false,
    };
    for preopen in around {
        access.read |= preopen.read;
        access.write |= preopen.write;
        access.create |= preopen.create;
    }
    access
}

/// The file system that shows the directory `path`, and its path there, if something of the host is behind it.
fn behind(
    recorded: &Recorded<'_>,
    path: &Path,
) -> Option<(Arc<dyn FileSystem + Send + Sync>, PathBuf)> {
    let (file_system, base) = shown_at(recorded.root, path)?;
    let on_host = file_system.host_backing();
    let is_on_host = on_host.iter().any(|part| part.below(&base).is_some());
    is_on_host.then_some((file_system, base))
}

/// The file system that shows the directory `path` of the tree, and its path there.
pub(crate) fn shown_at(
    root: &WasiFsRoot,
    path: &Path,
) -> Option<(Arc<dyn FileSystem + Send + Sync>, PathBuf)> {
    let root = root.root();
    if !root.metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return None;
    }
    let mounts = root.mount_entries().into_iter();
    let mount = mounts
        .filter(|mount| path.starts_with(&mount.path))
        .max_by_key(|mount| mount.path.components().count())?;
    let inside = path.strip_prefix(&mount.path).ok()?;
    // Joining an empty path would add a slash at the end.
    let base = if inside == Path::new("") {
        mount.source_path
    } else {
        mount.source_path.join(inside)
    };
    Some((mount.fs, base))
}

/// A file system that shows one host file.
#[cfg(feature = "host-fs")]
pub(crate) fn host_file(
    host: &Path,
    access: HostAccess,
) -> Result<Arc<dyn FileSystem + Send + Sync>, WasiStateCreationError> {
    let handle = tokio::runtime::Handle::current();
    let file = virtual_fs::host_preopen::HostFile::new(handle, absolute(host)?, access);
    Ok(Arc::new(file))
}

#[cfg(not(feature = "host-fs"))]
pub(crate) fn host_file(
    host: &Path,
    _access: HostAccess,
) -> Result<Arc<dyn FileSystem + Send + Sync>, WasiStateCreationError> {
    Err(without_host_files(host))
}

#[cfg(not(feature = "host-fs"))]
fn without_host_files(host: &Path) -> WasiStateCreationError {
    WasiStateCreationError::PreopenedDirectoryError(format!(
        "`{}` can't be preopened: this build has no host file system (feature `host-fs`)",
        host.display()
    ))
}

#[cfg(feature = "host-fs")]
fn mount(preopen: &HostPreopen, recorded: &Recorded<'_>) -> Result<(), WasiStateCreationError> {
    use virtual_fs::host_fs;

    let access = host_access(preopen.access);
    let file_system: Arc<dyn FileSystem + Send + Sync> = match preopen.kind {
        HostKind::File => host_file(&preopen.host, access)?,
        _ => {
            let handle = tokio::runtime::Handle::current();
            let directory = Arc::new(host_fs::FileSystem::new(handle, &preopen.host)?);
            Arc::new(Limited::new(directory, "/", access))
        }
    };
    let point = mount_point(preopen, recorded.current_dir);
    let root = recorded.root.root();
    if point == Path::new("/") && preopen.kind != HostKind::File {
        return Ok(root.set_mount(&point, file_system)?);
    }
    root.mount(&point, file_system).map_err(|_| {
        WasiStateCreationError::PreopenedDirectoryError(format!(
            "`{}` can't show as `{}`: something else is there",
            preopen.host.display(),
            point.display()
        ))
    })
}

/// The host's current directory may change; the file's place must not.
#[cfg(feature = "host-fs")]
fn absolute(host: &Path) -> Result<std::path::PathBuf, WasiStateCreationError> {
    std::path::absolute(host).map_err(|error| {
        WasiStateCreationError::PreopenedDirectoryError(format!("{}: {error}", host.display()))
    })
}

#[cfg(not(feature = "host-fs"))]
fn mount(preopen: &HostPreopen, _recorded: &Recorded<'_>) -> Result<(), WasiStateCreationError> {
    Err(without_host_files(&preopen.host))
}
