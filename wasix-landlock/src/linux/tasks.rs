//! The threads of this process, as `/proc/self/task` shows them.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    os::{
        fd::AsFd,
        unix::fs::{FileExt, MetadataExt},
    },
    process,
};

use super::sys;

/// `/proc/self/task`, opened before anything is restricted: it can be listed through this
/// descriptor afterwards, and not opened any more.
#[derive(Debug)]
pub(crate) struct Tasks {
    directory: File,
    /// The leader's `stat`, unless it is the calling thread. The leader is the one thread that
    /// stays around when it has ended.
    leader: Option<File>,
}

/// The links of `/proc/self/task`: `.`, `..`, and one per thread.
const LINKS_WITHOUT_THREADS: u64 = 2;

/// One listing.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) threads: Vec<i32>,
    /// Whether it has as many entries as there are threads. A thread that ends meanwhile can cut a
    /// listing short.
    pub(crate) complete: bool,
}

/// What is known about a thread.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) name: Option<String>,
    /// `?` if unknown.
    pub(crate) state: char,
    /// The mask of blocked signals, the first signal in the lowest bit.
    pub(crate) blocked: Option<u64>,
}

impl Tasks {
    pub(crate) fn open() -> io::Result<Self> {
        let leader = if leads(sys::current_thread()) {
            None
        } else {
            Some(File::open(format!(
                "/proc/self/task/{}/stat",
                process::id()
            ))?)
        };
        Ok(Self {
            directory: File::open("/proc/self/task")?,
            leader,
        })
    }

    /// Whether the calling thread is the only one, so that nobody can start another. A leader that
    /// has ended is counted.
    pub(crate) fn is_alone() -> bool {
        fs::metadata("/proc/self/task")
            .is_ok_and(|found| found.nlink() == LINKS_WITHOUT_THREADS + 1)
    }

    /// Whether these are all the threads there are.
    ///
    /// Counted first, looked for afterwards: whoever is still there was there when it was counted,
    /// so that equal numbers leave room for nobody else at that moment.
    pub(crate) fn are_all(&self, known: &HashSet<i32>) -> bool {
        let Ok(found) = self.directory.metadata() else {
            return false;
        };
        let count = found.nlink().saturating_sub(LINKS_WITHOUT_THREADS);
        let alive = known.iter().filter(|tid| sys::thread_exists(**tid)).count();
        u64::try_from(alive).is_ok_and(|alive| alive == count)
    }

    pub(crate) fn list(&self) -> io::Result<Listing> {
        let threads: Vec<i32> = sys::list_directory(self.directory.as_fd())?
            .into_iter()
            .filter_map(|name| String::from_utf8(name).ok()?.parse().ok())
            .collect();
        let links = self.directory.metadata()?.nlink();
        let expected = links.saturating_sub(LINKS_WITHOUT_THREADS);
        let complete = u64::try_from(threads.len()).is_ok_and(|count| count == expected);
        Ok(Listing { threads, complete })
    }

    /// Whether a thread can still run. A leader that has ended stays until the others have.
    pub(crate) fn life(&self, tid: i32) -> Life {
        if !sys::thread_exists(tid) || (leads(tid) && self.leader_has_ended()) {
            return Life::Ended;
        }
        let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
        Life::Going {
            started: after_name(&stat)
                // The start is the 22nd field of proc_pid_stat(5), the state after the name the
                // third.
                .and_then(|fields| fields.split(' ').nth(19)?.parse().ok()),
        }
    }

    fn leader_has_ended(&self) -> bool {
        let mut buffer = [0; 512];
        let Some(leader) = &self.leader else {
            return false;
        };
        let Ok(read) = leader.read_at(&mut buffer, 0) else {
            return false;
        };
        let text = String::from_utf8_lossy(buffer.get(..read).unwrap_or_default());
        after_name(&text).is_some_and(|fields| fields.starts_with(['Z', 'X']))
    }
}

/// Whether it is the process's first thread.
fn leads(tid: i32) -> bool {
    u32::try_from(tid).is_ok_and(|tid| tid == process::id())
}

/// How a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It has ended.
    Ended,
    /// It can run. `started` tells it from another thread that has got its number since: clock
    /// ticks since boot, `None` where `/proc` can't be read any more.
    Going { started: Option<u64> },
}

/// The fields of a `stat` file after the name. That is in parentheses and may hold any character,
/// even one of those.
fn after_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ").map(|(_, fields)| fields)
}

/// What `/proc` says about a thread. A thread that is restricted itself can't ask.
pub(crate) fn describe(tid: i32) -> Description {
    let status = fs::read_to_string(format!("/proc/self/task/{tid}/status")).unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    Description {
        name: field("Name").map(str::to_owned),
        state: field("State")
            .and_then(|state| state.chars().next())
            .unwrap_or('?'),
        blocked: field("SigBlk").and_then(|mask| u64::from_str_radix(mask, 16).ok()),
    }
}
