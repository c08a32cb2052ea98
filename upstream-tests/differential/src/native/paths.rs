//! Calls on paths.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use anyhow::bail;
use rustix::fs::{AtFlags, CWD, Mode, linkat, mkdirat, readlinkat, renameat, symlinkat, unlinkat};
use rustix::io::Errno;

use super::path::{Answer, Place, look_up};
use super::{Native, meta};
use crate::outcome::Outcome;

/// Makes a call on one path or two.
///
/// # Errors
/// If the words are no call.
pub fn call(native: &Native, words: &[&str]) -> anyhow::Result<Answer<Outcome>> {
    let one = |directory: &str, call: &dyn Fn(BorrowedFd<'_>) -> Answer<Outcome>| {
        native.directory(directory).and_then(call)
    };
    Ok(match *words {
        ["stat", directory, path] => one(directory, &|at| stat(native, at, path, true)),
        ["lstat", directory, path] => one(directory, &|at| stat(native, at, path, false)),
        ["readlink", directory, path, size] => {
            let size: usize = size.parse()?;
            one(directory, &|at| read_link(at, path, size))
        }
        ["times", directory, path, times] => {
            let times = meta::times(times)?;
            one(directory, &|at| {
                meta::set_times(look_up(at, path, true)?, &times)?;
                Ok(Outcome::ok())
            })
        }
        ["ltimes", directory, path, times] => {
            let times = meta::times(times)?;
            one(directory, &|at| {
                meta::set_times(look_up(at, path, false)?, &times)?;
                Ok(Outcome::ok())
            })
        }
        ["mkdir", directory, path] => one(directory, &|at| {
            let place = Place::find(at, path)?;
            let mode = Mode::from_raw_mode(0o777);
            done(mkdirat(place.parent(), &*place.name, mode))
        }),
        ["rmdir", directory, path] => one(directory, &|at| remove(at, path, AtFlags::REMOVEDIR)),
        ["unlink", directory, path] => one(directory, &|at| remove(at, path, AtFlags::empty())),
        ["symlink", target, directory, path] => one(directory, &|at| {
            let place = Place::find(at, path)?;
            done(symlinkat(target, place.parent(), &*place.name))
        }),
        [name @ ("rename" | "link" | "linkf"), from, old, to, new] => {
            two(native, name, (from, old), (to, new))
        }
        _ => bail!("no such call"),
    })
}

fn done(result: rustix::io::Result<()>) -> Answer<Outcome> {
    Ok(result.map(|()| Outcome::ok())?)
}

fn stat(native: &Native, at: BorrowedFd<'_>, path: &str, follow: bool) -> Answer<Outcome> {
    let found = look_up(at, path, follow)?;
    Ok(Outcome::ok().with_meta(&meta(found.as_fd())?, native.clock))
}

fn read_link(at: BorrowedFd<'_>, path: &str, size: usize) -> Answer<Outcome> {
    let place = Place::find(at, path)?;
    let target = readlinkat(place.parent(), &*place.name, Vec::new())?;
    let bytes = target.as_bytes();
    // WASI cuts off, as the kernel does.
    Ok(Outcome::ok().with_bytes(&bytes[..size.min(bytes.len())]))
}

fn remove(at: BorrowedFd<'_>, path: &str, flags: AtFlags) -> Answer<Outcome> {
    let place = Place::find(at, path)?;
    done(unlinkat(place.parent(), &*place.name, flags))
}

fn two(native: &Native, name: &str, old: (&str, &str), new: (&str, &str)) -> Answer<Outcome> {
    let (from, to) = (native.directory(old.0)?, native.directory(new.0)?);
    // The kernel takes both paths before it looks at one.
    if old.1.is_empty() || new.1.is_empty() {
        return Err(Errno::NOENT.into());
    }
    let source = Place::find(from, old.1)?;
    if name != "rename" {
        // The kernel looks at what is linked before the new name.
        drop(look_up(from, old.1, name == "linkf")?);
    }
    let target = Place::find(to, new.1)?;
    let (source_at, target_at) = (source.parent(), target.parent());
    match name {
        "rename" => done(renameat(source_at, &*source.name, target_at, &*target.name)),
        "link" => done(linkat(
            source_at,
            &*source.name,
            target_at,
            &*target.name,
            AtFlags::empty(),
        )),
        _ => {
            let found = look_up(from, old.1, true)?;
            let path = format!("/proc/self/fd/{}", found.as_raw_fd());
            let follow = AtFlags::SYMLINK_FOLLOW;
            match linkat(CWD, &*path, target_at, &*target.name, follow) {
                // A directory, which the link in /proc hides.
                Err(Errno::XDEV) => Err(Errno::PERM.into()),
                result => done(result),
            }
        }
    }
}
