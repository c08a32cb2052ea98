//! Choosing what shows that a thread is restricted.

use std::{
    collections::HashMap,
    env,
    ffi::CString,
    fs::{self, OpenOptions},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::Path,
    process,
};

use super::{process::Grant, sys::Attempt};
use crate::{Right, rights::Rights};

/// Where to look for something to open, directories first: opening one touches no data.
const CANDIDATES: &[(&str, Right)] = &[
    ("/", Right::ReadDir),
    ("/proc", Right::ReadDir),
    ("/etc", Right::ReadDir),
    ("/usr", Right::ReadDir),
    ("/dev", Right::ReadDir),
    ("/tmp", Right::ReadDir),
    ("/proc/self/status", Right::ReadFile),
    ("/etc/passwd", Right::ReadFile),
];

/// Finds something that is allowed now and won't be under these grants; `None` if there is nothing.
pub(crate) fn choose(grants: &[Grant]) -> Option<Attempt> {
    let mut granted: HashMap<(u64, u64), Rights> = HashMap::new();
    for grant in grants {
        if let Some(inode) = grant.inode {
            let rights = granted.entry(inode).or_default();
            *rights = rights.union(grant.rights);
        }
    }
    CANDIDATES
        .iter()
        .filter(|(path, right)| !is_granted(Path::new(path), *right, &granted))
        .find_map(|(path, right)| open(path, *right))
        .or_else(make_fifo)
}

/// Whether a grant covers it. Asked by inode, as the kernel does, since a bind mount gives a
/// directory a second name.
fn is_granted(path: &Path, right: Right, granted: &HashMap<(u64, u64), Rights>) -> bool {
    let Ok(resolved) = fs::canonicalize(path) else {
        return true;
    };
    resolved.ancestors().any(|path| {
        fs::metadata(path).is_ok_and(|found| {
            granted
                .get(&(found.dev(), found.ino()))
                .is_some_and(|rights| rights.contains(right))
        })
    })
}

fn open(path: &str, right: Right) -> Option<Attempt> {
    let directory = if right == Right::ReadDir {
        libc::O_DIRECTORY
    } else {
        0
    };
    let attempt = Attempt::Open {
        path: CString::new(path).ok()?,
        flags: libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | directory,
    };
    attempt.run().is_ok().then_some(attempt)
}

/// Making a fifo is never granted, wherever. The name is this process's own, and the fifo is gone
/// again at once.
fn make_fifo() -> Option<Attempt> {
    let mut places = vec![env::temp_dir(), env::current_dir().unwrap_or_default()];
    places.push("/dev/shm".into());
    places.into_iter().find_map(|place| {
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(&place)
            .ok()?;
        let name = format!(".wasix-landlock-probe-{}", process::id());
        let attempt = Attempt::MakeFifo {
            directory: directory.into(),
            name: CString::new(Path::new(&name).as_os_str().as_bytes()).ok()?,
        };
        attempt.run().is_ok().then_some(attempt)
    })
}
