//! Where refusals pass: the calls by path, from begin to end, and the root of the file systems below them.
//!
//! A call may ask the root more than once, and one refusal of the root need not be one of the call: a file is opened
//! for reading and writing first, and then for what was asked. So what the root refuses during a call is kept until
//! the call ends. What fails before the root is asked is the WASI layer's own refusal.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use virtual_fs::{
    FileOpener, FileSystem, FsError, HostBacking, OpenOptions, OpenOptionsConfig, VirtualFile,
};
use wasix_landlock::{Access, Kind, Verdict, explain};
use wasmer_wasix_types::wasi::{Errno, Fd as WasiFd, Fdflags, Oflags, Rights};

use super::denials::{Cause, Denial, NearestPreopen, Operation};
use super::suggestion::Suggestion;
use crate::WasiEnv;
use crate::fs::{Fd, WasiFsRoot};
use crate::state::WasiState;

/// What is refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) operation: Operation,
    pub(super) guest: PathBuf,
    pub(super) access: Access,
    /// It is the directory that it takes the access to.
    pub(super) in_directory: bool,
    /// Where a path that leads out would lead on the host.
    host: Option<PathBuf>,
    /// If nothing else refuses it, the descriptor does.
    by_descriptor: bool,
}

impl Refusal {
    fn by_descriptor(self) -> Self {
        Self {
            by_descriptor: true,
            ..self
        }
    }

    fn of(operation: Operation, guest: PathBuf) -> Self {
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

    fn open(guest: &Path, access: Access) -> Self {
        Self {
            access,
            ..Self::of(Operation::Open, guest.to_owned())
        }
    }
}

thread_local! {
    /// What the root has refused to the call of this thread; nothing outside of a call.
    static REFUSED: RefCell<Option<Vec<Refusal>>> = const { RefCell::new(None) };
}

/// A call by path.
pub(crate) struct Call<'p> {
    state: Arc<WasiState>,
    operation: Operation,
    access: Access,
    fd: WasiFd,
    path: &'p str,
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
        call
    }

    /// A call on two paths: the other one.
    pub(crate) fn from(self, _env: &WasiEnv, _fd: WasiFd, _path: &str) -> Self {
        self
    }

    /// Ends the call with what came of it.
    pub(crate) fn end<T>(self, result: Result<T, Errno>) -> Result<T, Errno> {
        if let Err(errno) = &result {
            self.refused(*errno);
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

    #[cold]
    fn refused(&self, errno: Errno) {
        let mut by_root = REFUSED.take().unwrap_or_default();
        let denials = &self.state.fs.root_fs.denials;
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

    /// Why the WASI layer has refused, if it has.
    fn by_wasi(&self, errno: Errno) -> Option<(Refusal, Option<Cause>)> {
        let fs = &self.state.fs;
        let absolute = self.path.starts_with('/');
        let directory = fs.get_fd(self.fd).ok();
        let base = match &directory {
            _ if absolute => PathBuf::from("/"),
            Some(fd) => path_of(fd)?,
            None => return None,
        };
        let guest = absolute_path(&base, self.path);
        let refusal = Refusal {
            access: self.access,
            ..Refusal::of(self.operation, guest)
        };
        let covered = fs.root_fs.denials.covers(&fs.root_fs, &refusal.guest);
        let leads_out = !refusal.guest.starts_with(&base);
        let refusal = Refusal {
            host: match leads_out {
                true => fs.root_fs.denials.outside(&base, self.path),
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

/// Where a descriptor's file or directory is inside.
fn path_of(fd: &Fd) -> Option<PathBuf> {
    match &*fd.inode.read() {
        crate::fs::Kind::Dir { path, .. } | crate::fs::Kind::File { path, .. } => {
            Some(absolute_path(Path::new("/"), path))
        }
        crate::fs::Kind::Root { .. } => Some(PathBuf::from("/")),
        _ => None,
    }
}

/// `path` seen from `base`, without `.` and `..`.
pub(super) fn absolute_path(base: &Path, path: impl AsRef<Path>) -> PathBuf {
    let mut absolute = PathBuf::from("/");
    for part in base.join(path).components() {
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

/// The error of reading or writing by a descriptor that lacks the right, which is noted.
#[cold]
pub(crate) fn no_right(env: &WasiEnv, operation: Operation, fd: &Fd) -> Errno {
    let fs = &env.state.fs;
    let denials = &fs.root_fs.denials;
    if denials.may_examine()
        && let Some(guest) = path_of(fd)
        && denials.covers(&fs.root_fs, &guest)
    {
        let refusal = Refusal::of(operation, guest);
        denials.note_caused(&fs.root_fs, (refusal.by_descriptor(), None));
    }
    fs.missing_data_right()
}

pub(super) fn access_of(place: &HostBacking) -> Access {
    Access {
        read: place.access.read,
        write: place.access.write,
        create: place.access.create,
    }
}

/// What stands behind a path, of these: the innermost.
pub(super) fn innermost<'b>(backings: &'b [HostBacking], guest: &Path) -> Option<&'b HostBacking> {
    let around = backings.iter().filter(|b| guest.starts_with(&b.guest));
    around.max_by_key(|backing| backing.guest.components().count())
}

/// The preopen that has the most names in common with a path.
fn nearest(backings: &[HostBacking], guest: &Path) -> Option<NearestPreopen> {
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

/// What is called the same on the host, where nothing is preopened: from the root, or from the current directory of the
/// program. It has to be there, or what it would be made in.
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

/// Whether a link leads out of the host directory.
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
                Kind::Directory,
                access,
            ))
        }
        Cause::NoPreopen | Cause::Preopen | Cause::Kernel => {
            let kind = if in_directory || host.is_dir() {
                Kind::Directory
            } else {
                Kind::File
            };
            // It takes the place of the one around it.
            let access = holder.map_or(access, |holder| access_of(holder).union(access));
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
        result
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
            self.denials.note(self, vec![refusal]);
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
        let opened = self
            .root()
            .new_open_options()
            .options(conf.clone())
            .open(path);
        if let Err(FsError::PermissionDenied) = &opened {
            self.refused(Refusal::open(path, access));
        }
        opened
    }
}

/// For upstream's `new_open_options`.
pub(crate) fn open_options(root: &WasiFsRoot) -> OpenOptions<'_> {
    OpenOptions::new(root)
}
