//! Calls on descriptors.

use std::os::fd::BorrowedFd;

use anyhow::{Context, bail};
use rustix::fs::{
    Advice, FallocateFlags, OFlags, SeekFrom, fadvise, fallocate, fcntl_getfl, fcntl_setfl,
    fdatasync, fsync, ftruncate, seek, tell,
};
use rustix::io::{ioctl_fionread, pread, pwrite, read, write};

use super::path::{Answer, Refusal};
use super::{Native, meta};
use crate::outcome::{Clock, Kind, Outcome};

/// Makes a call on a descriptor.
///
/// # Errors
/// If the words are no call.
pub fn call(
    fd: Option<BorrowedFd<'_>>,
    clock: Clock,
    words: &[&str],
) -> anyhow::Result<Answer<Outcome>> {
    let Some(fd) = fd else {
        return Ok(Err(Refusal::Closed));
    };
    Ok(match *words {
        ["read", _, size] => {
            let mut bytes = vec![0; size.parse()?];
            received(read(fd, &mut bytes), &bytes)
        }
        ["pread", _, size, offset] => {
            let mut bytes = vec![0; size.parse()?];
            received(pread(fd, &mut bytes, offset.parse()?), &bytes)
        }
        ["write", _, text] => sent(write(fd, text.as_bytes())),
        ["pwrite", _, text, offset] => sent(pwrite(fd, text.as_bytes(), offset.parse()?)),
        ["seek", _, offset, whence] => {
            let to = match whence {
                "set" => match offset.parse() {
                    Ok(offset) => SeekFrom::Start(offset),
                    // The kernel is asked for what an unsigned number can't say.
                    Err(_) => SeekFrom::Start(offset.parse::<i64>()?.cast_unsigned()),
                },
                "cur" => SeekFrom::Current(offset.parse()?),
                _ => SeekFrom::End(offset.parse()?),
            };
            position(seek(fd, to))
        }
        ["tell", _] => position(tell(fd)),
        ["fstat", _] => meta::meta(fd).map(|meta| Outcome::ok().with_meta(&meta, clock)),
        ["fdstat", _] => status(fd),
        ["setflags", _, letters] => set_flags(fd, letters.contains('a')),
        ["truncate", _, size] => done(ftruncate(fd, size.parse()?)),
        ["allocate", _, offset, size] => done(fallocate(
            fd,
            FallocateFlags::empty(),
            offset.parse()?,
            size.parse()?,
        )),
        ["advise", _] => done(fadvise(fd, 0, None, Advice::WillNeed)),
        ["sync", _] => done(fsync(fd)),
        ["datasync", _] => done(fdatasync(fd)),
        ["ftimes", _, times] => {
            let times = meta::times(times)?;
            meta::set_times(fd, &times).map(|()| Outcome::ok())
        }
        ["list", _] => meta::list(fd).map(|entries| crate::composite::listing(&entries)),
        _ => bail!("no such call"),
    })
}

fn done(result: rustix::io::Result<()>) -> Answer<Outcome> {
    Ok(result.map(|()| Outcome::ok())?)
}

fn received(result: rustix::io::Result<usize>, bytes: &[u8]) -> Answer<Outcome> {
    let size = result?;
    Ok(Outcome::ok().with_bytes(&bytes[..size]))
}

fn sent(result: rustix::io::Result<usize>) -> Answer<Outcome> {
    Ok(Outcome::ok().with("size", result?))
}

fn position(result: rustix::io::Result<u64>) -> Answer<Outcome> {
    Ok(Outcome::ok().with("position", result?))
}

fn status(fd: BorrowedFd<'_>) -> Answer<Outcome> {
    let kind = meta::meta(fd)?.kind;
    let flags = fcntl_getfl(fd)?;
    let terminal = kind == Kind::Character && rustix::termios::isatty(fd);
    Ok(Outcome::ok()
        .with("type", kind.name())
        .with("append", flags.contains(OFlags::APPEND))
        .with("isatty", terminal))
}

fn set_flags(fd: BorrowedFd<'_>, append: bool) -> Answer<Outcome> {
    let mut flags = fcntl_getfl(fd)?;
    flags.set(OFlags::APPEND, append);
    done(fcntl_setfl(fd, flags))
}

/// Returns the result of `poll`, whose rule for files and pipes is simple: all is ready but an empty pipe.
///
/// # Errors
/// If an event is unknown.
pub fn poll(native: &Native, events: &[&str]) -> anyhow::Result<Answer<Outcome>> {
    let mut ready = Vec::new();
    for event in events {
        let (kind, slot) = event.split_once(':').context("no event")?;
        let fd = match native.fd(slot) {
            Ok(fd) => fd,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let pipe = meta::meta(fd).is_ok_and(|meta| meta.kind == Kind::Unknown);
        if kind == "w" || !pipe || ioctl_fionread(fd).is_ok_and(|size| size > 0) {
            ready.push(*event);
        }
    }
    if ready.is_empty() {
        ready.push("time");
    }
    Ok(Ok(Outcome::ok().with("ready", ready.join(" "))))
}
