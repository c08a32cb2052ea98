//! Opens a path that stays beneath a directory: by `openat2(2)`, or component by component where that is refused.
//!
//! A container's seccomp profile may answer `openat2` with ENOSYS or EPERM. Then each component is opened by itself
//! and links are followed here: every step starts from an open descriptor, and `..` goes back to the one before, so
//! that nothing that somebody renames meanwhile leads out of the root.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// The number of times that a resolution is tried again that something else renamed at the same time has disturbed: the
/// kernel then can't say whether the path has left the directory.
const TRIES: usize = 64;

/// As many links as the kernel follows.
const LINKS: usize = 40;

/// Opens `path` from `root`, and fails with `EXDEV` if it leads out of it. Without `confined`, it may.
pub(crate) fn open(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    confined: bool,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    if !confined {
        return rustix::fs::openat(root, path, flags, mode);
    }
    if !has_openat2() {
        return walk(root, path, flags, mode);
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES {
        match rustix::fs::openat2(root, path, flags, mode, resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

/// True if the kernel opens by `openat2`, found out once.
fn has_openat2() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let opened = rustix::fs::openat2(CWD, "/", flags, Mode::empty(), ResolveFlags::empty());
        !matches!(opened, Err(Errno::NOSYS | Errno::PERM))
    })
}

/// The rest of a path: its names, and whether the last one has to be a directory.
struct Rest {
    names: VecDeque<OsString>,
    directory: bool,
}

impl Rest {
    /// The names of `path`; `EXDEV` if it begins at the host's root.
    fn of(path: &OsStr) -> Result<Self, Errno> {
        let bytes = path.as_bytes();
        if bytes.is_empty() {
            return Err(Errno::NOENT);
        }
        if bytes.starts_with(b"/") {
            return Err(Errno::XDEV);
        }
        let names = bytes.split(|byte| *byte == b'/');
        let names = names.filter(|name| !name.is_empty());
        Ok(Self {
            names: names
                .map(|name| OsString::from_vec(name.to_vec()))
                .collect(),
            directory: bytes.ends_with(b"/"),
        })
    }

    /// Puts the target of a link in the place of its name.
    fn follow(&mut self, target: &OsStr) -> Result<(), Errno> {
        let target = Self::of(target)?;
        if self.names.is_empty() {
            self.directory |= target.directory;
        }
        for name in target.names.into_iter().rev() {
            self.names.push_front(name);
        }
        Ok(())
    }
}

fn walk(root: BorrowedFd<'_>, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let mut rest = Rest::of(path.as_os_str())?;
    let mut opened: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(name) = rest.names.pop_front() {
        let here = opened.last().map_or(root, AsFd::as_fd);
        let last = rest.names.is_empty();
        if name == ".." {
            if opened.pop().is_none() {
                return Err(Errno::XDEV);
            }
        } else if name != "." && last {
            match open_last(here, &name, flags, mode, rest.directory)? {
                Found::File(file) => return Ok(file),
                Found::Link(target) => {
                    count(&mut links)?;
                    rest.follow(&target)?;
                }
            }
            continue;
        } else if name != "." {
            match open_directory(here, &name)? {
                Found::File(directory) => opened.push(directory),
                Found::Link(target) => {
                    count(&mut links)?;
                    rest.follow(&target)?;
                }
            }
        }
        if last {
            let here = opened.last().map_or(root, AsFd::as_fd);
            return rustix::fs::openat(here, ".", flags, mode);
        }
    }
    rustix::fs::openat(opened.last().map_or(root, AsFd::as_fd), ".", flags, mode)
}

fn count(links: &mut usize) -> Result<(), Errno> {
    *links += 1;
    if *links > LINKS {
        return Err(Errno::LOOP);
    }
    Ok(())
}

enum Found {
    File(OwnedFd),
    Link(OsString),
}

/// Opens a directory on the way.
fn open_directory(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Found, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    match FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode) {
        FileType::Directory => Ok(Found::File(found)),
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(&found, "", Vec::new())?;
            Ok(Found::Link(OsString::from_vec(target.into_bytes())))
        }
        _ => Err(Errno::NOTDIR),
    }
}

/// Opens what the path names, or says where it leads if it is a link that is to be followed.
fn open_last(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    flags: OFlags,
    mode: Mode,
    directory: bool,
) -> Result<Found, Errno> {
    let exclusive = flags.contains(OFlags::CREATE | OFlags::EXCL);
    let follows = directory || (!flags.contains(OFlags::NOFOLLOW) && !exclusive);
    if follows && let Ok(target) = rustix::fs::readlinkat(parent, name, Vec::new()) {
        return Ok(Found::Link(OsString::from_vec(target.into_bytes())));
    }
    let directory = if directory && flags.contains(OFlags::CREATE) {
        return Err(Errno::ISDIR);
    } else if directory {
        OFlags::DIRECTORY
    } else {
        OFlags::empty()
    };
    let flags = flags | directory | OFlags::NOFOLLOW;
    rustix::fs::openat(parent, name, flags, mode).map(Found::File)
}

/// The directory that `path` is in, if that isn't the root itself, and the name there, with its slash at the end.
pub(crate) fn parent<'p>(
    root: BorrowedFd<'_>,
    path: &'p Path,
    confined: bool,
) -> Result<(Option<OwnedFd>, &'p OsStr), Errno> {
    let (directory, name) = split(path);
    let Some(directory) = directory else {
        return Ok((None, name));
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let directory = open(root, directory, flags, Mode::empty(), confined)?;
    Ok((Some(directory), name))
}

/// The path before the last name, if there is one, and the last name, with its slash at the end.
pub(crate) fn split(path: &Path) -> (Option<&Path>, &OsStr) {
    let bytes = path.as_os_str().as_bytes();
    let name_end = bytes.iter().rposition(|byte| *byte != b'/');
    let end = name_end.map_or(0, |last| last + 1);
    let Some(slash) = bytes[..end].iter().rposition(|byte| *byte == b'/') else {
        return (None, path.as_os_str());
    };
    let (directory, name) = (&bytes[..=slash], &bytes[slash + 1..]);
    let directory = Path::new(OsStr::from_bytes(directory));
    (Some(directory), OsStr::from_bytes(name))
}

/// True if the path has a slash at its end, so that it names a directory.
pub(crate) fn ends_with_slash(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/")
}
