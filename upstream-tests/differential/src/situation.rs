//! The situation that a call is made in, as the kernel sees it: half of the key by which differences are known.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, ResolveFlags, fcntl_getfl};
use rustix::io::Errno;

use crate::native::path::{Answer, Refusal, look_up, open};
use crate::native::{Native, keep_accessed, meta};
use crate::outcome::Kind;

/// A call and its situation, such as `rename(file,dir)` or `write(file.r)`.
#[must_use]
pub fn situation(native: &Native, words: &[&str]) -> String {
    let path = |directory: &str, path: &str| of_path(native, directory, path);
    let inside = match words {
        ["open", directory, name, how, ..] | ["try", directory, name, how] => {
            format!("{},{how}", path(directory, name))
        }
        ["rename" | "link" | "linkf", from, old, to, new] => {
            let mut inside = format!("{},{}", path(from, old), path(to, new));
            if same(native, (from, old), (to, new)) {
                inside += ",same";
            }
            inside
        }
        ["symlink", target, directory, name] => {
            let target = if target.starts_with('/') {
                "absolute"
            } else if target.is_empty() {
                "empty"
            } else {
                "relative"
            };
            format!("{target},{}", path(directory, name))
        }
        ["renumber", from, to] => format!("{},{}", of_slot(native, from), of_slot(native, to)),
        ["poll", _, events @ ..] => {
            let kinds = events.iter().map(|event| {
                let slot = event.split_once(':').map_or(*event, |(_, slot)| slot);
                of_slot(native, slot)
            });
            kinds.collect::<Vec<_>>().join(",")
        }
        [
            "stat" | "lstat" | "readlink" | "mkdir" | "rmdir" | "unlink" | "get" | "put" | "add"
            | "ls" | "cut" | "clear" | "many",
            directory,
            name,
            ..,
        ] => path(directory, name),
        ["times" | "ltimes", directory, name, times] => {
            format!("{},{}", path(directory, name), shape(times))
        }
        ["ftimes", slot, times] => format!("{},{}", of_slot(native, slot), shape(times)),
        [_, slot, ..] => of_slot(native, slot),
        _ => String::new(),
    };
    format!("{}({inside})", words.first().unwrap_or(&""))
}

/// The root in the module's memory.
const MEMORY: &str = "r";

/// True if times are set to now.
fn shape(times: &str) -> &'static str {
    match times {
        _ if times.contains("now") => "now",
        "omit,omit" => "nothing",
        _ => "set",
    }
}

/// A path's object, and what is special about the path.
fn of_path(native: &Native, directory: &str, path: &str) -> String {
    let Ok(at) = native.directory(directory) else {
        return "closed".to_owned();
    };
    if path.is_empty() {
        return "empty".to_owned();
    }
    if path.starts_with('/') {
        return "absolute".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    let mut text = object(at, trimmed);
    if directory == MEMORY {
        text += ".memory";
    }
    if trimmed.len() < path.len() {
        text.push('/');
    }
    if [".", ".."].contains(&trimmed.rsplit('/').next().unwrap_or_default()) {
        text += ".dot";
    }
    if let Some((above, _)) = trimmed.rsplit_once('/') {
        let found = open(at, above, OFlags::PATH, ResolveFlags::NO_SYMLINKS);
        if found.is_err_and(|refusal| refusal == Refusal::Kernel(Errno::LOOP)) {
            text += ".via-link";
        }
    }
    text
}

fn object(at: BorrowedFd<'_>, path: &str) -> String {
    let kind = |fd: OwnedFd| meta(fd.as_fd()).map(|meta| meta.kind);
    let text = match look_up(at, path, false).and_then(kind) {
        Ok(Kind::Link) => match follow(at, path).and_then(kind) {
            Ok(kind) => return format!("link-{}", kind.name()),
            Err(Refusal::Leaves) => "link-out",
            Err(Refusal::Kernel(Errno::LOOP)) => "link-loop",
            Err(_) => "link-dangling",
        },
        Ok(kind) => kind.name(),
        Err(Refusal::Leaves) => "leaves",
        Err(Refusal::Kernel(Errno::NOENT)) => {
            let above = path.rsplit_once('/').map_or(".", |(above, _)| above);
            if look_up(at, above, true).is_ok() {
                "missing"
            } else {
                "missing-parent"
            }
        }
        Err(Refusal::Kernel(Errno::NOTDIR)) => "below-file",
        Err(Refusal::Kernel(Errno::LOOP)) => "loop",
        Err(Refusal::Kernel(Errno::ACCESS)) => "denied",
        Err(Refusal::Kernel(Errno::NAMETOOLONG)) => "long",
        Err(_) => "other",
    };
    text.to_owned()
}

/// Follows a link at the end of a path, and leaves its time of the last access as it was: the module's side isn't looked
/// at like this.
fn follow(at: BorrowedFd<'_>, path: &str) -> Answer<OwnedFd> {
    let link = look_up(at, path, false)?;
    keep_accessed(link.as_fd(), || look_up(at, path, true))?
}

fn same(native: &Native, first: (&str, &str), second: (&str, &str)) -> bool {
    let id = |(directory, path): (&str, &str)| {
        let fd = look_up(native.directory(directory).ok()?, path, false).ok()?;
        let meta = meta(fd.as_fd()).ok()?;
        Some((meta.device, meta.inode))
    };
    id(first).is_some_and(|found| id(second) == Some(found))
}

/// A descriptor's object, how it is open, and whether its name still leads to it.
fn of_slot(native: &Native, slot: &str) -> String {
    let Ok(opened) = native.slot(slot) else {
        return "closed".to_owned();
    };
    let Ok(here) = meta(opened.fd.as_fd()) else {
        return "other".to_owned();
    };
    let mut text = here.kind.name().to_owned();
    if let (Kind::File, Ok(flags)) = (here.kind, fcntl_getfl(&opened.fd)) {
        text += match flags & OFlags::RWMODE {
            OFlags::RDWR => ".rw",
            OFlags::WRONLY => ".w",
            _ => ".r",
        };
        if flags.contains(OFlags::APPEND) {
            text += "a";
        }
    }
    if matches!(&opened.from, Some((directory, _)) if directory == MEMORY) {
        text += ".memory";
    }
    if here.links == 0 {
        return text + ".unlinked";
    }
    if let Some((directory, path)) = &opened.from
        && let Ok(at) = native.directory(directory)
    {
        let now = follow(at, path).and_then(|fd| meta(fd.as_fd()));
        if !now.is_ok_and(|now| (now.device, now.inode) == (here.device, here.inode)) {
            text += ".moved";
        }
    }
    text
}
