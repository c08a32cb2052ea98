//! Calls by path.

use std::io;
use std::path::Path;

use virtual_fs::host_directory::HostPlace;
use wasmer_wasix_types::wasi::{Errno, Fd as WasiFd, Filestat, Fstflags};

use super::{OnHost, filestat_of, times_of};
use crate::fs::{Fd, WasiFs, WasiInodes};
use crate::landlock::Operation;

impl WasiFs {
    /// Does something at the place that a path names.
    fn at_place<T>(
        &self,
        inodes: &WasiInodes,
        operation: Operation,
        (base, path, follow): (&Fd, &str, bool),
        act: impl FnOnce(&HostPlace) -> io::Result<T>,
    ) -> OnHost<T> {
        let place = match self.host_place(inodes, base, path, follow)? {
            Ok(place) => place,
            Err(errno) => return Some(Err(errno)),
        };
        let done = act(&place);
        Some(done.map_err(|error| self.host_error(operation, (base, path), error)))
    }

    pub(crate) fn host_make_directory(
        &self,
        inodes: &WasiInodes,
        fd: WasiFd,
        path: &str,
    ) -> OnHost<()> {
        let base = self.get_fd(fd).ok()?;
        let at = (&base, path, false);
        self.at_place(inodes, Operation::MakeDirectory, at, |place| {
            place.directory.make_directory(&place.path)
        })
    }

    pub(crate) fn host_remove_directory(
        &self,
        inodes: &WasiInodes,
        fd: WasiFd,
        path: &str,
    ) -> OnHost<()> {
        let base = self.get_fd(fd).ok()?;
        let at = (&base, path, false);
        self.at_place(inodes, Operation::RemoveDirectory, at, |place| {
            place.directory.remove_directory(&place.path)
        })
    }

    pub(crate) fn host_remove_file(
        &self,
        inodes: &WasiInodes,
        fd: WasiFd,
        path: &str,
    ) -> OnHost<()> {
        let base = self.get_fd(fd).ok()?;
        let at = (&base, path, false);
        self.at_place(inodes, Operation::Unlink, at, |place| {
            place.directory.remove_file(&place.path)
        })
    }

    /// An absolute target is refused: it would lead out of the preopen for everybody else on the host.
    pub(crate) fn host_make_symlink(
        &self,
        inodes: &WasiInodes,
        target: &str,
        fd: WasiFd,
        path: &str,
    ) -> OnHost<()> {
        let base = self.get_fd(fd).ok()?;
        let place = match self.host_place(inodes, &base, path, false)? {
            Ok(place) => place,
            Err(errno) => return Some(Err(errno)),
        };
        if target.starts_with('/') {
            return Some(Err(Errno::Notcapable));
        }
        let made = place.directory.make_symlink(Path::new(target), &place.path);
        Some(made.map_err(|error| self.host_error(Operation::Symlink, (&base, path), error)))
    }

    pub(crate) fn host_read_link(
        &self,
        inodes: &WasiInodes,
        base: &Fd,
        path: &str,
    ) -> OnHost<Vec<u8>> {
        let at = (base, path, false);
        self.at_place(inodes, Operation::ReadLink, at, |place| {
            let target = place.directory.read_link(&place.path)?;
            Ok(std::os::unix::ffi::OsStringExt::into_vec(target))
        })
    }

    pub(crate) fn host_stat(
        &self,
        inodes: &WasiInodes,
        base: &Fd,
        path: &str,
        follow: bool,
    ) -> OnHost<Filestat> {
        let at = (base, path, follow);
        self.at_place(inodes, Operation::Look, at, |place| {
            let stat = place.directory.stat(&place.path, follow)?;
            Ok(filestat_of(&stat))
        })
    }

    pub(crate) fn host_set_times(
        &self,
        inodes: &WasiInodes,
        at: (&Fd, &str, bool),
        (atime, mtime): (u64, u64),
        flags: Fstflags,
    ) -> OnHost<()> {
        let times = times_of(atime, mtime, flags);
        self.at_place(inodes, Operation::SetTimes, at, |place| {
            place.directory.set_times(&place.path, at.2, times)
        })
    }

    /// If only one of the two is on the host, the file systems copy as before.
    pub(crate) fn host_rename(
        &self,
        inodes: &WasiInodes,
        (from_fd, from): (WasiFd, &str),
        (to_fd, to): (WasiFd, &str),
    ) -> OnHost<()> {
        let (old, new) = (self.get_fd(from_fd).ok()?, self.get_fd(to_fd).ok()?);
        if from.is_empty() || to.is_empty() {
            // The kernel takes both paths before it looks at one.
            return Some(Err(Errno::Noent));
        }
        let source = self.host_place(inodes, &old, from, false)?;
        let target = self.host_place(inodes, &new, to, false);
        let looks = (HostPlace::look_for_parent, HostPlace::look_for_renamed);
        let (source, target) = match both(source, target, looks) {
            Ok(places) => places,
            Err(answer) => return answer,
        };
        Some(source.rename(&target).map_err(|error| {
            let errno = self.host_error(Operation::Rename, (&old, from), error);
            self.note_other(errno, Operation::Rename, (&new, to));
            errno
        }))
    }

    pub(crate) fn host_link(
        &self,
        inodes: &WasiInodes,
        (from_fd, from, follow): (WasiFd, &str, bool),
        (to_fd, to): (WasiFd, &str),
    ) -> OnHost<()> {
        let (old, new) = (self.get_fd(from_fd).ok()?, self.get_fd(to_fd).ok()?);
        if from.is_empty() || to.is_empty() {
            // The kernel takes both paths before it looks at one.
            return Some(Err(Errno::Noent));
        }
        let source = self.host_place(inodes, &old, from, follow)?;
        let target = self.host_place(inodes, &new, to, false);
        let look = |source: &HostPlace| source.directory.stat(&source.path, follow);
        let before = |source: &HostPlace| look(source).map(drop);
        let whole = |source: &HostPlace| match look(source)?.file_type.is_dir() {
            true => Err(io::Error::from_raw_os_error(libc::EPERM)),
            false => Ok(()),
        };
        let (source, target) = match both(source, target, (before, whole)) {
            Ok(places) => places,
            Err(answer) => return answer,
        };
        let made = source.link(follow, &target);
        Some(made.map_err(|error| self.host_error(Operation::Link, (&new, to), error)))
    }

    /// Notes the other path of a refused call too: either may be the reason.
    fn note_other(&self, errno: Errno, operation: Operation, (base, path): (&Fd, &str)) {
        if matches!(errno, Errno::Access | Errno::Perm | Errno::Xdev) {
            self.root_fs.note_refused(operation, base, Path::new(path));
        }
    }
}

/// Both places of a call on two paths, or its outcome if one of them isn't on the host or can't be resolved. The looks
/// are for what the kernel looks at before it resolves the second path, and for all that it looks at in the first.
fn both(
    source: Result<HostPlace, Errno>,
    target: OnHost<HostPlace>,
    (before, whole): (
        impl FnOnce(&HostPlace) -> io::Result<()>,
        impl FnOnce(&HostPlace) -> io::Result<()>,
    ),
) -> Result<(HostPlace, HostPlace), OnHost<()>> {
    match (source, target) {
        (Ok(source), Some(Ok(target))) => Ok((source, target)),
        (Err(errno), _) => Err(Some(Err(errno))),
        (Ok(source), Some(Err(errno))) => Err(Some(Err(first(before(&source), errno)))),
        // Other file systems take each path that they can't resolve for a missing one, and may refuse the second first.
        (Ok(source), None) => {
            let wrong = whole(&source).err();
            Err(wrong.map(|error| Err(crate::host_errno::of_files(error))))
        }
    }
}

/// The error of a call on two paths: the kernel looks at the first one before it refuses the second.
fn first(looked: io::Result<()>, second: Errno) -> Errno {
    looked.map_or_else(crate::host_errno::of_files, |()| second)
}
