//! With Linux: every path is resolved from a descriptor of the directory.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, Dir, DirEntry, FileType as HostType, Mode, OFlags, StatxFlags, StatxTimestamp,
    Timespec, Timestamps,
};
use rustix::io::Errno;

use super::resolve;
use crate::{FileType, Metadata, OpenOptionsConfig, plain_path};

/// A directory of the host, and what is beneath it.
#[derive(Debug, Clone)]
pub(crate) struct Beneath(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    directory: Arc<OwnedFd>,
    confined: bool,
}

/// The directory that a path is in.
enum Parent<'a> {
    Root(BorrowedFd<'a>),
    Opened(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(root) => *root,
            Self::Opened(directory) => directory.as_fd(),
        }
    }
}

impl Beneath {
    /// The directory `root`, which is absolute.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, root, flags, Mode::empty())?;
        // Nothing lies outside of the host's root, and links that begin there are all fine.
        let confined = root != Path::new("/");
        let root = root.to_owned();
        Ok(Self(Arc::new(Inner {
            root,
            directory: Arc::new(directory),
            confined,
        })))
    }

    /// The descriptor of the directory, for other calls from there: a process has few descriptors.
    pub(crate) fn descriptor(&self) -> Option<Arc<OwnedFd>> {
        Some(Arc::clone(&self.0.directory))
    }

    /// `path` as seen from the directory.
    fn inside<'a>(&self, path: &'a Path) -> io::Result<&'a Path> {
        let inside = match plain_path::strip(path, &self.0.root) {
            Some(inside) => inside,
            None => path
                .strip_prefix(&self.0.root)
                .map_err(|_| io::Error::from(io::ErrorKind::PermissionDenied))?,
        };
        Ok(if inside == Path::new("") {
            Path::new(".")
        } else {
            inside
        })
    }

    fn open_at(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let path = self.inside(path)?;
        let root = self.0.directory.as_fd();
        match resolve::open(root, path, flags, mode, self.0.confined) {
            // It would have led out, or something was renamed all the time.
            Err(Errno::XDEV | Errno::AGAIN) => Err(io::ErrorKind::PermissionDenied.into()),
            opened => Ok(opened?),
        }
    }

    /// The directory that `path` is in, and its name there. The root is not looked at from outside.
    fn parent<'a>(&self, path: &'a Path) -> io::Result<(Parent<'_>, &'a OsStr)> {
        let root = Parent::Root(self.0.directory.as_fd());
        if path == self.0.root {
            return Ok((root, OsStr::new(".")));
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Errno::BUSY.into());
        };
        if parent == self.0.root {
            return Ok((root, name));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let parent = self.open_at(parent, flags, Mode::empty())?;
        Ok((Parent::Opened(parent), name))
    }

    pub(crate) fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        match self.metadata_in_root(path)? {
            Some(found) if !found.file_type().is_symlink() => Ok(found),
            _ => look_at(&self.open_at(path, OFlags::PATH, Mode::empty())?),
        }
    }

    pub(crate) fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        if let Some(found) = self.metadata_in_root(path)? {
            return Ok(found);
        }
        look_at(&self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?)
    }

    /// By one call, what is directly in the root, if `path` is that: a name by itself leads nowhere else as
    /// long as no link is followed.
    fn metadata_in_root(&self, path: &Path) -> io::Result<Option<Metadata>> {
        let name = self.inside(path)?;
        let is_name = !name.as_os_str().as_bytes().contains(&b'/') && name != Path::new("..");
        if !is_name {
            return Ok(None);
        }
        look(&self.0.directory, name, AtFlags::SYMLINK_NOFOLLOW).map(Some)
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
    pub(crate) fn read_dir(&self, path: &Path) -> io::Result<Vec<(OsString, Metadata)>> {
        self.entries(path, |directory, entry| {
            look(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
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
        let other_parent;
        let (new_parent, new) = match (from.parent(), to.parent(), to.file_name()) {
            (Some(one), Some(same), Some(new)) if one == same => (&old_parent, new),
            _ => {
                let (parent, new) = self.parent(to)?;
                other_parent = parent;
                (&other_parent, new)
            }
        };
        match rustix::fs::renameat(&old_parent, old, new_parent, new) {
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
        let _ = rustix::fs::utimensat(new_parent, new, &times, AtFlags::SYMLINK_NOFOLLOW);
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

/// Returns the host's metadata of an open file.
fn look_at(file: &OwnedFd) -> io::Result<Metadata> {
    look(file, "", AtFlags::EMPTY_PATH)
}

/// Returns the host's metadata of `name` in a directory.
fn look(directory: &OwnedFd, name: impl rustix::path::Arg, flags: AtFlags) -> io::Result<Metadata> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let told = rustix::fs::statx(directory, name, flags, wanted)?;
    // A time before 1970 is none, as it is where std tells it.
    let nanoseconds = |time: StatxTimestamp| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds * 1_000_000_000 + u64::from(time.tv_nsec)
    };
    let knows_creation = StatxFlags::from_bits_retain(told.stx_mask).contains(StatxFlags::BTIME);
    Ok(Metadata {
        ft: kind_of(HostType::from_raw_mode(told.stx_mode.into())),
        accessed: nanoseconds(told.stx_atime),
        created: if knows_creation {
            nanoseconds(told.stx_btime)
        } else {
            0
        },
        modified: nanoseconds(told.stx_mtime),
        len: told.stx_size,
    })
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
