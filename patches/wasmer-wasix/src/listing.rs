//! The entries that a directory's descriptor lists: taken once, and kept until the module has read them.
//!
//! A module reads a directory in pieces, each from a cookie on. The first piece takes the whole listing; the
//! others come from the same one, so that an entry that stays there is listed exactly once, whatever is made or
//! removed meanwhile, and the directory is not read again for each piece. Beginning anew takes a new listing.
//! Where none is kept any more, the names are in the same order as before.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, Weak};

use virtual_fs::FileType;
use wasmer_wasix_types::wasi::Filetype;

use crate::fs::{InodeGuard, virtual_file_type_to_wasi_file_type};

/// One entry: its name, what it is, and its inode number.
pub(crate) type Entry = (String, Filetype, u64);

/// The most listings that are kept.
const LISTINGS: usize = 64;
/// The most entries of all listings together, but for the newest.
const ENTRIES: usize = 1 << 18;

/// The listings that modules are reading.
#[derive(Debug, Default)]
pub(crate) struct Listings(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    /// The offset that all descriptors of one open directory share, and nothing else does.
    description: Weak<AtomicU64>,
    entries: Arc<Vec<Entry>>,
}

impl Listings {
    /// The listing that this open directory has begun, to go on from `cookie`.
    pub(crate) fn begun(
        &self,
        description: &Arc<AtomicU64>,
        cookie: u64,
    ) -> Option<Arc<Vec<Entry>>> {
        let kept = self.0.lock().ok()?;
        let found = kept.iter().find(|kept| kept.is_of(description));
        found
            .filter(|_| cookie != 0)
            .map(|kept| kept.entries.clone())
    }

    /// Keeps the listing of this open directory, instead of the one that it had.
    pub(crate) fn keep(&self, description: &Arc<AtomicU64>, entries: &Arc<Vec<Entry>>) {
        let Ok(mut kept) = self.0.lock() else { return };
        kept.retain(|kept| !kept.is_of(description) && kept.description.strong_count() > 0);
        kept.push_back(Kept {
            description: Arc::downgrade(description),
            entries: entries.clone(),
        });
        let all = |kept: &VecDeque<Kept>| kept.iter().map(|kept| kept.entries.len()).sum::<usize>();
        while kept.len() > 1 && (kept.len() > LISTINGS || all(&kept) > ENTRIES) {
            kept.pop_front();
        }
    }

    /// Forgets the listing of this open directory, which was read to the end, and those of closed ones.
    pub(crate) fn forget(&self, description: &Arc<AtomicU64>) {
        if let Ok(mut kept) = self.0.lock() {
            kept.retain(|kept| !kept.is_of(description) && kept.description.strong_count() > 0);
        }
    }
}

impl Kept {
    fn is_of(&self, description: &Arc<AtomicU64>) -> bool {
        std::ptr::eq(self.description.as_ptr(), Arc::as_ptr(description))
    }
}

/// The listing of a directory, sorted by name: what the file system has, what only the directory cache has, and
/// the two entries for the directory itself and the one above.
pub(crate) fn of_directory(
    listed: Vec<(OsString, FileType)>,
    cached: &HashMap<String, InodeGuard>,
    ino_of: impl Fn(&str) -> u64,
    own: u64,
    parent: u64,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::with_capacity(listed.len() + 2);
    entries.push((".".to_owned(), Filetype::Directory, own));
    entries.push(("..".to_owned(), Filetype::Directory, parent));
    for (name, kind) in listed {
        let name = match name.into_string() {
            Ok(name) => name,
            Err(name) => name.to_string_lossy().into_owned(),
        };
        let ino = ino_of(&name);
        entries.push((name, virtual_file_type_to_wasi_file_type(kind), ino));
    }
    let by_name = |a: &Entry, b: &Entry| a.0.cmp(&b.0);
    entries.sort_unstable_by(by_name);
    let on_host = entries.len();
    for (name, inode) in cached {
        let known = entries[..on_host].binary_search_by(|entry| entry.0.as_str().cmp(name));
        if known.is_err() {
            let stat = inode
                .stat
                .read()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            entries.push((name.clone(), stat.st_filetype, stat.st_ino));
        }
    }
    if entries.len() > on_host {
        entries.sort_unstable_by(by_name);
    }
    entries
}

/// The entries from `cookie` on, as the module reads them: as many as `space` takes, the last one cut off.
pub(crate) fn to_bytes(entries: &[Entry], cookie: u64, space: u64) -> Vec<u8> {
    let space = usize::try_from(space).unwrap_or(usize::MAX);
    let first = usize::try_from(cookie).map_or(entries.len(), |first| first.min(entries.len()));
    let mut bytes = Vec::new();
    for ((name, kind, ino), next) in entries[first..].iter().zip(cookie + 1..) {
        if bytes.len() >= space {
            break;
        }
        bytes.extend(next.to_le_bytes());
        bytes.extend(ino.to_le_bytes());
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend([*kind as u8, 0, 0, 0]);
        bytes.extend(name.as_bytes());
    }
    bytes.truncate(space);
    bytes
}
