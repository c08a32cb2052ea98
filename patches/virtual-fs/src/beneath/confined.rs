//! With Linux: every path is resolved from a descriptor of the directory.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, Dir, DirEntry, FileType as HostType, Mode, OFlags, ResolveFlags, Timespec,
    Timestamps,
};
use rustix::io::Errno;

use crate::{FileType, OpenOptionsConfig};

/// How often a resolution is tried again that something else renamed at the same time has disturbed: the
/// kernel then can't say whether the path has left the directory.
const TRIES: usize = 64;

/// A directory of the host, and what is beneath it.
#[derive(Debug, Clone)]
pub(crate) struct Beneath(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    directory: OwnedFd,
    resolve: ResolveFlags,
}

impl Beneath {
    /// The directory `root`, which is absolute.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, root, flags, Mode::empty())?;
        // Nothing lies outside of the host's root, and links that begin there are all fine.
        let resolve = if root == Path::new("/") {
            ResolveFlags::empty()
        } else {
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS
        };
        let root = root.to_owned();
        Ok(Self(Arc::new(Inner {
            root,
            directory,
            resolve,
        })))
    }

    /// `path` as seen from the directory.
    fn inside<'a>(&self, path: &'a Path) -> io::Result<&'a Path> {
        let inside = path
            .strip_prefix(&self.0.root)
            .map_err(|_| io::Error::from(io::ErrorKind::PermissionDenied))?;
        Ok(if inside == Path::new("") {
            Path::new(".")
        } else {
            inside
        })
    }

    fn open_at(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let path = self.inside(path)?;
        let flags = flags | OFlags::CLOEXEC;
        for _ in 0..TRIES {
            let opened = rustix::fs::openat2(&self.0.directory, path, flags, mode, self.0.resolve);
            match opened {
                Err(Errno::AGAIN | Errno::INTR) => {}
                // It would have led out.
                Err(Errno::XDEV) => return Err(io::ErrorKind::PermissionDenied.into()),
                opened => return Ok(opened?),
            }
        }
        Err(io::ErrorKind::PermissionDenied.into())
    }

    /// The directory that `path` is in, and its name there. The root is not looked at from outside.
    fn parent<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a OsStr)> {
        if path == self.0.root {
            return Ok((self.0.directory.try_clone()?, OsStr::new(".")));
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Errno::BUSY.into());
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        Ok((self.open_at(parent, flags, Mode::empty())?, name))
    }

    pub(crate) fn metadata(&self, path: &Path) -> io::Result<fs::Metadata> {
        let file = self.open_at(path, OFlags::PATH, Mode::empty())?;
        fs::File::from(file).metadata()
    }

    pub(crate) fn symlink_metadata(&self, path: &Path) -> io::Result<fs::Metadata> {
        let file = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
        fs::File::from(file).metadata()
    }

    pub(crate) fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let (parent, name) = self.parent(path)?;
        let target = rustix::fs::readlinkat(parent, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    /// The names in a directory, in the host's order, each with what `look` says of it.
    fn entries<T>(
        &self,
        path: &Path,
        look: impl Fn(&OwnedFd, &DirEntry) -> io::Result<T>,
    ) -> io::Result<Vec<(OsString, T)>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = self.open_at(path, flags, Mode::empty())?;
        let mut found = Vec::new();
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let seen = look(&directory, &entry)?;
            found.push((OsStr::from_bytes(name.to_bytes()).to_owned(), seen));
        }
        Ok(found)
    }

    /// The names in a directory, with what they are; links aren't followed.
    pub(crate) fn read_dir(&self, path: &Path) -> io::Result<Vec<(OsString, fs::Metadata)>> {
        self.entries(path, |directory, entry| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(directory, entry.file_name(), flags, Mode::empty())?;
            fs::File::from(file).metadata()
        })
    }

    /// The names in a directory, in the host's order, and what each is: all that a listing shows. An entry is
    /// only looked at where the file system doesn't keep its type in the directory.
    pub(crate) fn list_dir(&self, path: &Path) -> io::Result<Vec<(OsString, FileType)>> {
        self.entries(path, |directory, entry| {
            let kind = match entry.file_type() {
                HostType::Unknown => {
                    let name = entry.file_name();
                    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    HostType::from_raw_mode(stat.st_mode)
                }
                known => known,
            };
            Ok(kind_of(kind))
        })
    }

    pub(crate) fn create_dir(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        Ok(rustix::fs::mkdirat(
            parent,
            name,
            Mode::from_raw_mode(0o777),
        )?)
    }

    pub(crate) fn hard_link(&self, source: &Path, target: &Path) -> io::Result<()> {
        let (from, old) = self.parent(source)?;
        let (to, new) = self.parent(target)?;
        Ok(rustix::fs::linkat(from, old, to, new, AtFlags::empty())?)
    }

    pub(crate) fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
    }

    pub(crate) fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?)
    }

    /// Renames, and sets the time of what was renamed, also if that is a link.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (old_parent, old) = self.parent(from)?;
        let (new_parent, new) = self.parent(to)?;
        match rustix::fs::renameat(&old_parent, old, &new_parent, new) {
            Err(Errno::XDEV) => self.move_file_across_devices(from, to)?,
            renamed => renamed?,
        }
        let time = |nanoseconds| Timespec {
            tv_sec: 0,
            tv_nsec: nanoseconds,
        };
        let times = Timestamps {
            last_access: time(rustix::fs::UTIME_OMIT),
            last_modification: time(rustix::fs::UTIME_NOW),
        };
        // It was renamed, whatever becomes of this.
        let _ = rustix::fs::utimensat(&new_parent, new, &times, AtFlags::SYMLINK_NOFOLLOW);
        Ok(())
    }

    /// Moves a file by copying it, following no link at either end. Anything else can't be moved across devices.
    fn move_file_across_devices(&self, from: &Path, to: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        if !self.symlink_metadata(from)?.is_file() {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        let mut source = fs::File::from(self.open_at(from, flags, Mode::empty())?);
        match self.remove_file(to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let target = self.open_at(to, flags, Mode::from_raw_mode(0o600))?;
        let mut target = fs::File::from(target);
        io::copy(&mut source, &mut target)?;
        target.set_permissions(source.metadata()?.permissions())?;
        self.remove_file(from)
    }

    /// Opens a file as std's `OpenOptions` do with the same settings.
    pub(crate) fn open(&self, path: &Path, conf: &OpenOptionsConfig) -> io::Result<fs::File> {
        let append = conf.append() && !conf.truncate();
        let mut flags = match (conf.read(), conf.write(), append) {
            (true, false, false) => OFlags::RDONLY,
            (false, true, false) => OFlags::WRONLY,
            (true, true, false) => OFlags::RDWR,
            (false, _, true) => OFlags::WRONLY | OFlags::APPEND,
            (true, _, true) => OFlags::RDWR | OFlags::APPEND,
            (false, false, false) => return Err(Errno::INVAL.into()),
        };
        let changes = conf.truncate() || conf.create() || conf.create_new();
        if changes && !conf.write() && !append {
            return Err(Errno::INVAL.into());
        }
        flags |= match (conf.create(), conf.truncate(), conf.create_new()) {
            (_, _, true) => OFlags::CREATE | OFlags::EXCL,
            (false, false, false) => OFlags::empty(),
            (true, false, false) => OFlags::CREATE,
            (false, true, false) => OFlags::TRUNC,
            (true, true, false) => OFlags::CREATE | OFlags::TRUNC,
        };
        // The kernel takes no mode where nothing is made.
        let mode = if flags.contains(OFlags::CREATE) {
            Mode::from_raw_mode(0o666)
        } else {
            Mode::empty()
        };
        Ok(self.open_at(path, flags, mode)?.into())
    }
}

fn kind_of(host: HostType) -> FileType {
    FileType {
        dir: host == HostType::Directory,
        file: host == HostType::RegularFile,
        symlink: host == HostType::Symlink,
        char_device: host == HostType::CharacterDevice,
        block_device: host == HostType::BlockDevice,
        socket: host == HostType::Socket,
        fifo: host == HostType::Fifo,
    }
}
