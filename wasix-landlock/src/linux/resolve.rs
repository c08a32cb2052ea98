//! From a path to the object that a rule goes on.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt},
        },
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::retry_on_intr,
};

use wasix_landlock_threads as threads;

use crate::{Access, HostKind, HostTarget, Object, PathError};

/// An object that was found, held by an `O_PATH` descriptor: whatever happens to its name from now
/// on, the rule goes on what was checked.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) resolved: PathBuf,
    pub(crate) inode: (u64, u64),
    pub(crate) object: Object,
    /// The kind in words, if neither a regular file nor a directory.
    pub(crate) special: Option<&'static str>,
}

/// A file that is to be created.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    /// The directory, without symbolic links.
    pub(crate) parent: PathBuf,
    pub(crate) name: OsString,
}

impl Missing {
    pub(crate) fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }
}

/// The object at a preopen's host path.
#[derive(Debug)]
pub(crate) enum Found {
    There(Opened),
    ToCreate(Missing),
}

/// Refuses a path that the kernel can't take. Nothing is asked of the file system.
pub(crate) fn check_syntax(path: &Path) -> Result<(), PathError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(PathError::EmptyPath);
    }
    if bytes.contains(&0) {
        return Err(PathError::NulByte);
    }
    Ok(())
}

/// Finds and checks a preopen's host path. `access` is the access of its rule.
pub(crate) fn find(target: &HostTarget, access: Access) -> Result<Found, PathError> {
    let path = target.path.as_path();
    check_syntax(path)?;
    if access.is_empty() {
        return Err(PathError::NoRight);
    }
    let opened = match open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return find_missing(target, access).map(Found::ToCreate);
        }
        Err(error) => return Err(refused(error)),
    };
    if let Some(found) = opened.special {
        return Err(PathError::NotAFileOrDirectory { found });
    }
    let found = opened.object;
    let asked = match target.kind {
        HostKind::File => Object::File,
        HostKind::Directory => Object::Directory,
        HostKind::Either => found,
    };
    if asked != found {
        return Err(PathError::WrongKind { asked, found });
    }
    if access.rights(found).is_empty() {
        return Err(PathError::NoRight);
    }
    Ok(Found::There(opened))
}

/// True if the permission bits let this user read an object.
pub(crate) fn may_read(opened: &Opened) -> bool {
    let directory = opened.object == Object::Directory;
    // A filter that hides the call says nothing about the file, hence only EACCES counts.
    threads::may_read(opened.file.as_fd(), directory) != Err(libc::EACCES)
}

/// Finds the object at a path.
pub(crate) fn open(path: &Path) -> io::Result<Opened> {
    if let Some(file) = open_without_links(path) {
        return describe(file.into(), path.to_owned());
    }
    let resolved = fs::canonicalize(path)?;
    describe(open_name(&resolved, OFlags::NOFOLLOW)?.into(), resolved)
}

/// Opens a path in one step if it is canonical as it is; `None` if it isn't, or if that can't be
/// found out this way.
fn open_without_links(path: &Path) -> Option<OwnedFd> {
    let bytes = path.as_os_str().as_bytes();
    let mut names = bytes.strip_prefix(b"/")?.split(|byte| *byte == b'/');
    if names.any(|name| matches!(name, b"" | b"." | b"..")) {
        return None;
    }
    // With `O_NOFOLLOW`, a link at the end would be opened itself.
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let links = ResolveFlags::NO_SYMLINKS;
    openat2(CWD, path, flags, Mode::empty(), links).ok()
}

/// Opens a path for neither reading nor writing.
pub(crate) fn open_name(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | flags;
    Ok(retry_on_intr(|| {
        rustix::fs::open(path, flags, Mode::empty())
    })?)
}

/// Describes the object of a descriptor.
pub(crate) fn describe(file: File, resolved: PathBuf) -> io::Result<Opened> {
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    let special = if kind.is_file() || kind.is_dir() {
        None
    } else if kind.is_symlink() {
        Some("symbolic link")
    } else if kind.is_fifo() {
        Some("fifo")
    } else if kind.is_socket() {
        Some("socket")
    } else if kind.is_char_device() {
        Some(CHARACTER_DEVICE)
    } else {
        Some("block device")
    };
    Ok(Opened {
        file,
        resolved,
        inode: (metadata.dev(), metadata.ino()),
        object: Object::of(kind.is_dir()),
        special,
    })
}

/// The value of [`Opened::special`] for a character device.
pub(crate) const CHARACTER_DEVICE: &str = "character device";

/// Returns the place of a missing file, if it may be created.
fn find_missing(target: &HostTarget, access: Access) -> Result<Missing, PathError> {
    let path = target.path.as_path();
    if fs::symlink_metadata(path).is_ok() {
        return Err(PathError::DanglingSymlink);
    }
    // A slash at the end names a directory, and `file_name` doesn't show it.
    let names_a_file = !path.as_os_str().as_bytes().ends_with(b"/");
    if target.kind != HostKind::File || !access.create || !names_a_file {
        return Err(PathError::Missing);
    }
    if access.rights(Object::File).is_empty() {
        return Err(PathError::NoRight);
    }
    let name = path.file_name().ok_or(PathError::Missing)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match fs::canonicalize(parent) {
        Ok(parent) => Ok(Missing {
            parent,
            name: name.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PathError::MissingParent {
            parent: parent.to_owned(),
        }),
        Err(error) => Err(refused(error)),
    }
}

/// The problem of a path that has to be there.
pub(crate) fn absent_or_refused(error: io::Error) -> PathError {
    match error.kind() {
        io::ErrorKind::NotFound => PathError::Missing,
        _ => refused(error),
    }
}

fn refused(error: io::Error) -> PathError {
    match error.raw_os_error() {
        Some(libc::EACCES) => PathError::NoPermission { right: "reach" },
        _ => PathError::Open(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_is_resolved_alike_with_links_and_without() {
        let directory = tempfile::tempdir().unwrap();
        // The directory for temporary files may be behind a link itself.
        let root = fs::canonicalize(directory.path()).unwrap();
        let real = root.join("real");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("file"), "").unwrap();
        symlink("real", root.join("link")).unwrap();
        let path = |end: &str| PathBuf::from(format!("{}/{end}", root.display()));

        for end in ["real", "real/file"] {
            assert!(open_without_links(&path(end)).is_some(), "{end}");
        }
        let others = [
            "link",
            "link/file",
            "real/",
            "real/.",
            "real//file",
            "real/../real/file",
            "link/../real",
        ];
        for end in others {
            assert!(open_without_links(&path(end)).is_none(), "{end}");
        }
        for end in ["real", "real/file"].iter().chain(&others) {
            let opened = open(&path(end)).unwrap();
            assert_eq!(opened.resolved, fs::canonicalize(path(end)).unwrap());
            let metadata = fs::metadata(path(end)).unwrap();
            assert_eq!(opened.inode, (metadata.dev(), metadata.ino()), "{end}");
            assert_eq!(opened.special, None, "{end}");
        }
        assert_eq!(open(Path::new("/")).unwrap().resolved, Path::new("/"));
        let error = open(&path("missing")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
