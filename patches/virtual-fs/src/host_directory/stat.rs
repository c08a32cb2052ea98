//! Metadata as the host has it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType as HostType, Stat, Timespec, Timestamps};

use crate::FileType;

/// The metadata of a file on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStat {
    /// The device.
    pub device: u64,
    /// The inode's number there.
    pub inode: u64,
    /// The number of names that the file has.
    pub links: u64,
    /// The kind of file.
    pub file_type: FileType,
    /// The size in bytes.
    pub size: u64,
    /// The last access, in nanoseconds since 1970.
    pub accessed: u64,
    /// The last change of the contents.
    pub modified: u64,
    /// The last change of the contents or the metadata.
    pub changed: u64,
}

impl HostStat {
    /// The metadata of an open file or stream.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn of(stream: impl AsFd) -> io::Result<Self> {
        of_open(stream.as_fd())
    }

    /// True if both are the same file.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// True if each write to an open file or stream goes to its end.
///
/// # Errors
/// The kernel's error.
pub fn appends(stream: impl AsFd) -> io::Result<bool> {
    let flags = rustix::fs::fcntl_getfl(stream)?;
    Ok(flags.contains(rustix::fs::OFlags::APPEND))
}

/// A time to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostTime {
    /// The time stays as before.
    Keep,
    /// The host's own time.
    Now,
    /// Nanoseconds since 1970.
    At(u64),
}

impl From<HostTime> for Timespec {
    fn from(time: HostTime) -> Self {
        let (seconds, nanoseconds) = match time {
            HostTime::Keep => (0, rustix::fs::UTIME_OMIT),
            HostTime::Now => (0, rustix::fs::UTIME_NOW),
            HostTime::At(time) => ((time / 1_000_000_000) as i64, (time % 1_000_000_000) as _),
        };
        Self {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        }
    }
}

/// Sets the times of a descriptor: of an open file, or, by `EMPTY_PATH`, of what it is a path to.
pub(super) fn set_times(
    file: impl AsFd,
    [accessed, modified]: [HostTime; 2],
    flags: AtFlags,
) -> io::Result<()> {
    let times = Timestamps {
        last_access: accessed.into(),
        last_modification: modified.into(),
    };
    Ok(match flags.contains(AtFlags::EMPTY_PATH) {
        true => rustix::fs::utimensat(file, "", &times, flags),
        false => rustix::fs::futimens(file, &times),
    }?)
}

/// The metadata of an open file. `fstat` takes a fifth of the time of `statx` with an empty path.
pub(super) fn of_open(file: BorrowedFd<'_>) -> io::Result<HostStat> {
    Ok(rustix::fs::fstat(file)?.into())
}

pub(super) fn of(
    directory: BorrowedFd<'_>,
    path: impl rustix::path::Arg,
    flags: AtFlags,
) -> io::Result<HostStat> {
    Ok(rustix::fs::statat(directory, path, flags)?.into())
}

impl From<Stat> for HostStat {
    // The types of the fields differ by architecture.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)]
    fn from(stat: Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            links: stat.st_nlink as u64,
            file_type: kind_of(HostType::from_raw_mode(stat.st_mode)),
            size: stat.st_size as u64,
            accessed: nanoseconds(stat.st_atime as i64, stat.st_atime_nsec as u64),
            modified: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        }
    }
}

/// A time in nanoseconds since 1970. WASI has no earlier one.
fn nanoseconds(seconds: i64, nanoseconds: u64) -> u64 {
    u64::try_from(seconds)
        .unwrap_or(0)
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

pub(crate) fn kind_of(host: HostType) -> FileType {
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
