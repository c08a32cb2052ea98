//! Metadata, listings and times.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Context;
use rustix::fs::{
    AtFlags, FileType, RawDir, SeekFrom, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, seek,
    statat, utimensat,
};

use super::path::Answer;
use crate::outcome::{Kind, Meta};

/// The metadata of an open object.
///
/// # Errors
/// If the kernel refuses.
pub fn meta(fd: BorrowedFd<'_>) -> Answer<Meta> {
    Ok(from_stat(&statat(fd, "", AtFlags::EMPTY_PATH)?))
}

/// The metadata in WASI's form.
#[must_use]
pub fn from_stat(stat: &Stat) -> Meta {
    let nanoseconds = |seconds: i64, rest: u64| {
        u64::try_from(seconds)
            .unwrap_or_default()
            .wrapping_mul(1_000_000_000)
            .wrapping_add(rest)
    };
    Meta {
        device: stat.st_dev,
        inode: stat.st_ino,
        kind: kind(FileType::from_raw_mode(stat.st_mode)),
        links: stat.st_nlink,
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        times: [
            nanoseconds(stat.st_atime, stat.st_atime_nsec),
            nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        ],
    }
}

/// A type in WASI's form.
#[must_use]
pub const fn kind(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::Character,
        FileType::BlockDevice => Kind::Block,
        FileType::Fifo | FileType::Unknown => Kind::Unknown,
    }
}

/// The names in a directory, with their types and inodes.
///
/// # Errors
/// If the kernel refuses.
pub fn list(fd: BorrowedFd<'_>) -> Answer<Vec<(String, Kind, u64)>> {
    // The position of a file is not to be moved before the kernel says that it is none.
    if meta(fd)?.kind == Kind::Directory {
        seek(fd, SeekFrom::Start(0))?;
    }
    let mut buffer = vec![MaybeUninit::uninit(); 8192];
    let mut directory = RawDir::new(fd, &mut buffer);
    let mut entries = Vec::new();
    while let Some(entry) = directory.next() {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push((name, kind(entry.file_type()), entry.ino()));
    }
    Ok(entries)
}

/// A pair of times: each `now`, `omit` or nanoseconds.
///
/// # Errors
/// If it is none of these.
pub fn times(words: &str) -> anyhow::Result<Timestamps> {
    let (access, modification) = words.split_once(',').context("two times")?;
    Ok(Timestamps {
        last_access: time(access)?,
        last_modification: time(modification)?,
    })
}

const fn special(tv_nsec: i64) -> Timespec {
    Timespec { tv_sec: 0, tv_nsec }
}

fn time(word: &str) -> anyhow::Result<Timespec> {
    Ok(match word {
        "now" => special(UTIME_NOW),
        "omit" => special(UTIME_OMIT),
        number => {
            let number: i64 = number.parse()?;
            Timespec {
                tv_sec: number / 1_000_000_000,
                tv_nsec: number % 1_000_000_000,
            }
        }
    })
}

/// Sets the times of an open object.
///
/// # Errors
/// If the kernel refuses.
pub fn set_times(fd: impl AsFd, times: &Timestamps) -> Answer {
    Ok(utimensat(fd, "", times, AtFlags::EMPTY_PATH)?)
}

/// Does something that may change the time of the last access of an object, and sets it back.
///
/// # Errors
/// If the kernel refuses to look at the object or to set the time.
pub fn keep_accessed<T>(object: BorrowedFd<'_>, act: impl FnOnce() -> T) -> Answer<T> {
    let before = statat(object, "", AtFlags::EMPTY_PATH)?;
    let done = act();
    let after = statat(object, "", AtFlags::EMPTY_PATH)?;
    let accessed = |stat: &Stat| (stat.st_atime, stat.st_atime_nsec);
    if accessed(&before) != accessed(&after) {
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: before.st_atime,
                tv_nsec: before.st_atime_nsec.cast_signed(),
            },
            last_modification: special(UTIME_OMIT),
        };
        set_times(object, &times)?;
    }
    Ok(done)
}
