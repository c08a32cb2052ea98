//! The places that denials pass: the calls by path, from begin to end, and the root of the file systems below them.
//!
//! A call may ask the root more than once, and one refusal of the root need not be one of the call: a file is opened
//! for reading and writing first, and then for what was asked. So what the root refuses during a call is kept until
//! the call ends. What fails before the root is asked is the WASI layer's own refusal.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtual_fs::{FileOpener, FileSystem, FsError, OpenOptions, OpenOptionsConfig, VirtualFile};
use wasix_landlock::Access;
use wasmer_wasix_types::wasi::{Errno, Fd as WasiFd, Fdflags, Oflags, Rights};

use super::backings::absolute_path;
use super::denial::denials::Cause;
use super::denial::examine::Refusal;
use super::learn::learning::Learning;
use super::learn::seen::Used;
use super::operation::Operation;
use crate::WasiEnv;
use crate::fs::{Fd, WasiFsRoot};
use crate::state::WasiState;

thread_local! {
    /// The root's denials to the call of this thread; nothing outside of a call.
    static REFUSED: RefCell<Option<Vec<Refusal>>> = const { RefCell::new(None) };
}

/// A call by path.
pub(crate) struct Call<'p> {
    state: Arc<WasiState>,
    operation: Operation,
    access: Access,
    fd: WasiFd,
    path: &'p str,
    /// The other path, of a call on two.
    from: Option<(WasiFd, &'p str)>,
    /// True if the file was there before, which learning has to know.
    was_there: bool,
    exclusive: bool,
}

impl<'p> Call<'p> {
    /// Begins a call on `path`, seen from `fd`.
    pub(crate) fn begin(env: &WasiEnv, operation: Operation, fd: WasiFd, path: &'p str) -> Self {
        REFUSED.set(Some(Vec::new()));
        Self {
            state: env.state.clone(),
            operation,
            access: operation.needs().0,
            fd,
            path,
            from: None,
            was_there: false,
            exclusive: false,
        }
    }

    /// Begins to open.
    pub(crate) fn open(
        env: &WasiEnv,
        fd: WasiFd,
        path: &'p str,
        how: Oflags,
        rights: Rights,
        flags: Fdflags,
    ) -> Self {
        let writing = Rights::FD_WRITE | Rights::FD_ALLOCATE | Rights::FD_FILESTAT_SET_SIZE;
        let directory = how.contains(Oflags::DIRECTORY);
        let access = Access {
            read: rights.contains(Rights::FD_READ),
            write: !directory
                && (rights.intersects(writing)
                    || how.contains(Oflags::TRUNC)
                    || flags.contains(Fdflags::APPEND)),
            create: how.contains(Oflags::CREATE),
        };
        let mut call = Self::begin(env, Operation::Open, fd, path);
        call.access = access;
        call.exclusive = how.contains(Oflags::EXCL);
        let fs = &call.state.fs;
        if fs.root_fs.observer.learning.get().is_some() {
            let guest = call.guest_of(fd, path);
            call.was_there =
                guest.is_some_and(|(_, guest)| fs.root_fs.symlink_metadata(&guest).is_ok());
        }
        call
    }

    /// A call on two paths: the other one.
    pub(crate) fn from(mut self, fd: WasiFd, path: &'p str) -> Self {
        self.from = Some((fd, path));
        self
    }

    /// Ends the call with what came of it.
    pub(crate) fn end<T>(self, result: Result<T, Errno>) -> Result<T, Errno> {
        match &result {
            Ok(_) => {
                if let Some(learning) = self.state.fs.root_fs.observer.learning.get() {
                    self.learned(learning);
                }
            }
            Err(errno) => self.refused(*errno),
        }
        result
    }

    /// As [`Self::end`].
    pub(crate) fn ended(self, errno: Errno) -> Errno {
        let result = match errno {
            Errno::Success => Ok(()),
            errno => Err(errno),
        };
        let _ = self.end(result);
        errno
    }

    /// The directory that a path is seen from, and the path inside.
    fn guest_of(&self, fd: WasiFd, path: &str) -> Option<(PathBuf, PathBuf)> {
        let base = if path.starts_with('/') {
            PathBuf::from("/")
        } else {
            path_of(&self.state.fs.get_fd(fd).ok()?)?
        };
        let guest = absolute_path(&base, path);
        Some((base, guest))
    }

    #[cold]
    fn learned(&self, learning: &Learning) {
        let Some((_, guest)) = self.guest_of(self.fd, self.path) else {
            return;
        };
        let other = self.from.and_then(|(fd, path)| self.guest_of(fd, path));
        let used = Used {
            operation: self.operation,
            guest: &guest,
            other: other.as_ref().map(|(_, guest)| guest.as_path()),
            access: self.access,
            was_there: self.was_there || self.operation != Operation::Open,
            exclusive: self.exclusive,
        };
        learning.note(&self.state.fs.root_fs, &used);
    }

    #[cold]
    fn refused(&self, errno: Errno) {
        let mut by_root = REFUSED.take().unwrap_or_default();
        let denials = &self.state.fs.root_fs.observer.denials;
        if !by_root.is_empty() {
            for refusal in &mut by_root {
                // What the module asked for, not what was tried first.
                if refusal.operation == Operation::Open && !self.access.is_empty() {
                    refusal.access = self.access;
                }
            }
            return denials.note(&self.state.fs.root_fs, by_root);
        }
        let may_be = matches!(
            errno,
            Errno::Noent | Errno::Notcapable | Errno::Perm | Errno::Access
        );
        if !may_be || !denials.may_examine() {
            return;
        }
        if let Some(refused) = self.by_wasi(errno) {
            denials.note_caused(&self.state.fs.root_fs, refused);
        }
    }

    /// Returns the WASI layer's denial, and its cause.
    fn by_wasi(&self, errno: Errno) -> Option<(Refusal, Option<Cause>)> {
        let fs = &self.state.fs;
        let absolute = self.path.starts_with('/');
        let (base, guest) = self.guest_of(self.fd, self.path)?;
        let refusal = Refusal {
            access: self.access,
            ..Refusal::of(self.operation, guest)
        };
        let covered = fs.root_fs.observer.covers(&fs.root_fs, &refusal.guest);
        let leads_out = !refusal.guest.starts_with(&base);
        let refusal = Refusal {
            host: match leads_out {
                true => fs.root_fs.observer.outside(&base, self.path),
                false => None,
            },
            ..refusal
        };
        if fs.is_confined() && (absolute || leads_out) {
            return Some((refusal, Some(Cause::Escape)));
        }
        if !covered {
            let cause = if leads_out {
                Cause::Escape
            } else {
                Cause::NoPreopen
            };
            return Some((refusal, Some(cause)));
        };
        // That there is nothing isn't a refusal.
        if errno == Errno::Noent {
            return None;
        }
        Some((refusal.by_descriptor(), None))
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        REFUSED.set(None);
    }
}

/// Returns the path inside of a descriptor's file or directory.
fn path_of(fd: &Fd) -> Option<PathBuf> {
    match &*fd.inode.read() {
        crate::fs::Kind::Dir { path, .. } | crate::fs::Kind::File { path, .. } => {
            Some(absolute_path(Path::new("/"), path))
        }
        crate::fs::Kind::Root { .. } => Some(PathBuf::from("/")),
        _ => None,
    }
}
/// The error of reading or writing by a descriptor that lacks the right, which is noted.
#[cold]
pub(crate) fn no_right(env: &WasiEnv, operation: Operation, fd: &Fd) -> Errno {
    let fs = &env.state.fs;
    let observer = &fs.root_fs.observer;
    if observer.denials.may_examine()
        && let Some(guest) = path_of(fd)
        && observer.covers(&fs.root_fs, &guest)
    {
        let refusal = Refusal::of(operation, guest);
        observer
            .denials
            .note_caused(&fs.root_fs, (refusal.by_descriptor(), None));
    }
    fs.missing_data_right()
}

impl WasiFsRoot {
    /// Passes on `result`, and notes it where the host or the rights of a mount refused.
    pub(crate) fn noting<T>(
        &self,
        operation: Operation,
        path: &Path,
        result: virtual_fs::Result<T>,
    ) -> virtual_fs::Result<T> {
        // A refused move to another directory is EXDEV.
        if let Err(FsError::PermissionDenied | FsError::NoDevice) = &result {
            self.refused(Refusal::of(operation, path.to_owned()));
        }
        if operation == Operation::List
            && result.is_ok()
            && let Some(learning) = self.observer.learning.get()
        {
            let used = Used {
                operation,
                guest: path,
                other: None,
                access: Access::READ,
                was_there: true,
                exclusive: false,
            };
            learning.note(self, &used);
        }
        result
    }

    /// Fails if the module may not write a path, since nothing is preopened there.
    ///
    /// # Errors
    /// [`FsError::PermissionDenied`], if such writes are refused.
    pub(crate) fn may_write(&self, path: &Path) -> virtual_fs::Result<()> {
        self.observer.may_write(self, path)
    }

    /// Keeps a refusal for the end of the call; without a call, it is one by itself.
    #[cold]
    fn refused(&self, refusal: Refusal) {
        let left = REFUSED.with_borrow_mut(|refused| match refused {
            Some(refused) => {
                // What is asked for again with less is asked for anew.
                refused.retain(|before| before.guest != refusal.guest);
                refused.push(refusal);
                None
            }
            None => Some(refusal),
        });
        if let Some(refusal) = left {
            self.observer.denials.note(self, vec![refusal]);
        }
    }
}

#[cfg(all(target_os = "linux", feature = "host-fs"))]
impl WasiFsRoot {
    /// Notes a call that the host refuses, on what a path names from a descriptor.
    #[cold]
    pub(crate) fn note_refused(&self, operation: Operation, base: &Fd, path: &Path) {
        if let Some(base) = path_of(base) {
            let guest = absolute_path(&base, path);
            self.refused(Refusal::of(operation, guest));
        }
    }

    /// Notes for whoever learns that a directory was listed.
    pub(crate) fn note_listed(&self, directory: &Fd) {
        if self.observer.learning.get().is_some()
            && let Some(guest) = path_of(directory)
        {
            let _ = self.noting(Operation::List, &guest, Ok(()));
        }
    }
}

#[cfg(all(target_os = "linux", feature = "host-fs"))]
impl crate::fs::WasiFs {
    /// The path inside that a path from a descriptor is.
    pub(crate) fn guest_path(&self, base: &Fd, path: &str) -> PathBuf {
        super::backings::absolute(self.guest_text(base, path))
    }

    /// The path inside that a path from a descriptor is, as its text has it: with `.` and `..`, and not always from the
    /// root.
    pub(crate) fn guest_text(&self, base: &Fd, path: &str) -> PathBuf {
        match &*base.inode.read() {
            crate::fs::Kind::Dir { path: base, .. } | crate::fs::Kind::File { path: base, .. } => {
                let length = base.as_os_str().len() + "/".len() + path.len();
                let mut joined = PathBuf::with_capacity(length);
                joined.push(base);
                joined.push(path);
                joined
            }
            _ => PathBuf::from(path),
        }
    }
}

/// Opens as the root does, and notes what is refused.
impl FileOpener for WasiFsRoot {
    fn open(
        &self,
        path: &Path,
        conf: &OpenOptionsConfig,
    ) -> virtual_fs::Result<Box<dyn VirtualFile + Send + Sync + 'static>> {
        let access = Access {
            read: conf.read,
            write: conf.write || conf.append || conf.truncate,
            create: conf.create || conf.create_new,
        };
        let mut options = self.root().new_open_options();
        let opened = match access.write || access.create {
            true => self.may_write(path),
            false => Ok(()),
        };
        let opened = opened.and_then(|()| options.options(conf.clone()).open(path));
        match &opened {
            Err(FsError::PermissionDenied) => self.refused(Refusal::open(path, access)),
            Ok(_) if access.write || access.create => self.observer.note_written(self, path),
            _ => {}
        }
        opened
    }
}

/// For upstream's `new_open_options`.
pub(crate) fn open_options(root: &WasiFsRoot) -> OpenOptions<'_> {
    OpenOptions::new(root)
}
