//! The threads of this process, as `/proc/self/task` shows them.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read},
    os::{
        fd::AsFd,
        unix::fs::{FileExt, MetadataExt},
    },
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, openat, statat},
    io::Errno,
};

use crate::{procfs, sys};

/// `/proc/self/task`, opened before anything is restricted: a descriptor from before can be listed
/// afterwards, and the path can't be opened any more.
#[derive(Debug)]
pub(crate) struct Tasks {
    directory: File,
    /// The number of this process, and of its first thread.
    process: i32,
    /// The `stat` of the process's first thread, unless that is the calling one. The first thread
    /// is the one that stays listed when it has ended.
    leader: Option<File>,
    /// For each thread, its number in the PID namespace of the mounted `/proc`. `None` where that is
    /// the namespace of this process.
    elsewhere: Option<RefCell<HashMap<i32, i32>>>,
}

/// The links of `/proc/self/task`: `.`, `..`, and one per thread.
const LINKS_WITHOUT_THREADS: u64 = 2;

/// One listing.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The threads' numbers, as this process knows them.
    pub(crate) threads: Vec<i32>,
    /// True if these were all the threads at one moment, the calling one among them. A thread that
    /// ends meanwhile can cut a listing short.
    pub(crate) complete: bool,
}

/// A thread's `status` and signal wait.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) name: Option<String>,
    /// `?` if unknown.
    pub(crate) state: char,
    /// The mask of blocked signals, the first signal in the lowest bit.
    pub(crate) blocked: Option<u64>,
}

/// A thread's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// The thread has ended.
    Ended,
    /// The thread can run. `started` tells it from another thread that has got its number since:
    /// clock ticks since boot, `None` where `/proc` can't be read any more.
    Going { started: Option<u64> },
}

impl Tasks {
    pub(crate) fn open() -> io::Result<Self> {
        let directory = File::open("/proc/self/task")?;
        if !procfs::is_on(directory.as_fd()) {
            return Err(io::Error::other("no proc file system is mounted there"));
        }
        let status = File::open(format!("{}/status", procfs::of_this_thread()))?;
        let numbers = numbers(&read_text(status)?).unwrap_or_default();
        let this = sys::current_thread();
        if numbers.last() != Some(&this) {
            return Err(io::Error::other(format!(
                "the calling thread is {this}, and /proc shows it as {numbers:?}"
            )));
        }
        let process = sys::own_process();
        let leader = if this == process {
            None
        } else {
            // The process's own state is that of its first thread.
            Some(File::open("/proc/self/stat")?)
        };
        Ok(Self {
            directory,
            process,
            leader,
            // One number for each PID namespace, from the one of the mounted /proc down to this
            // process's.
            elsewhere: (numbers.len() > 1).then(RefCell::default),
        })
    }

    /// True if the calling thread is the only one, so that nobody can start another. A first thread
    /// that has ended counts.
    ///
    /// The kernel is asked without `/proc`, unless a seccomp filter refuses the call.
    pub(crate) fn is_alone() -> bool {
        sys::is_only_thread().unwrap_or_else(|| {
            Self::open().is_ok_and(|tasks| tasks.count().is_ok_and(|count| count == 1))
        })
    }

    /// True if the mounted `/proc` belongs to another PID namespace, so that a new thread's number
    /// has to be read from its `status`.
    pub(crate) const fn is_of_other_namespace(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// The number of threads.
    fn count(&self) -> io::Result<usize> {
        let links = self.directory.metadata()?.nlink();
        let threads = usize::try_from(links.saturating_sub(LINKS_WITHOUT_THREADS));
        threads.map_err(io::Error::other)
    }

    /// True if these are all the threads there are.
    ///
    /// The threads are counted first and looked for afterwards: whoever is still there was there
    /// when they were counted, so that equal numbers leave room for nobody else at that moment.
    pub(crate) fn are_all(&self, known: &HashSet<i32>) -> bool {
        let Ok(count) = self.count() else {
            return false;
        };
        known.iter().filter(|tid| self.is_there(**tid)).count() == count
    }

    pub(crate) fn list(&self) -> io::Result<Listing> {
        if let Some(threads) = self.list_neighbours()? {
            let complete = true;
            return Ok(Listing { threads, complete });
        }
        let listed = procfs::numbers_in(self.directory.as_fd())?;
        let threads = self.own_numbers(listed)?;
        let complete = threads.contains(&sys::current_thread()) && self.were_all(&threads)?;
        Ok(Listing { threads, complete })
    }

    /// As [`Self::are_all`], by `/proc` alone: also where a filter refuses the other question.
    fn were_all(&self, listed: &[i32]) -> io::Result<bool> {
        let count = self.count()?;
        Ok(listed.iter().filter(|tid| self.is_listed(**tid)).count() == count)
    }

    /// True if the kernel says that there is a thread. Where a filter refuses the question, none counts,
    /// so that the threads are listed.
    fn is_there(&self, tid: i32) -> bool {
        sys::has_thread(self.process, tid) == Some(true)
    }

    /// Looks for the threads among the numbers after the process's own; `None` if these aren't all,
    /// as on a machine that has started many others in between. The kernel makes an inode for each
    /// thread that it lists, which takes ten times as long as asking for a number.
    fn list_neighbours(&self) -> io::Result<Option<Vec<i32>>> {
        if self.is_of_other_namespace() {
            return Ok(None);
        }
        let count = self.count()?;
        let range = i32::try_from(2 * count + 32).unwrap_or(i32::MAX);
        let near = self.process..=self.process.saturating_add(range);
        let found = near.filter(|tid| self.is_there(*tid));
        let threads: HashSet<i32> = found.take(count).collect();
        // This thread is missing from no complete listing.
        let complete = threads.contains(&sys::current_thread()) && self.are_all(&threads);
        Ok(complete.then(|| threads.into_iter().collect()))
    }

    /// Translates numbers of the mounted `/proc` into those that this process uses. A thread that
    /// has ended meanwhile is left out.
    fn own_numbers(&self, listed: Vec<i32>) -> io::Result<Vec<i32>> {
        let Some(elsewhere) = &self.elsewhere else {
            return Ok(listed);
        };
        let mut known = HashMap::new();
        for number in listed {
            if let Some(status) = self.read(number, "status")? {
                let own = numbers(&status)
                    .and_then(|numbers| numbers.last().copied())
                    .ok_or_else(|| io::Error::other("no NSpid in a thread's status"))?;
                known.insert(own, number);
            }
        }
        let threads = known.keys().copied().collect();
        elsewhere.replace(known);
        Ok(threads)
    }

    /// A thread's number in the mounted `/proc`.
    fn listed_number(&self, tid: i32) -> i32 {
        match &self.elsewhere {
            // One that was never listed has no entry there.
            Some(elsewhere) => elsewhere.borrow().get(&tid).copied().unwrap_or(0),
            None => tid,
        }
    }

    /// Reads a file of a thread by its number in the mounted `/proc`; `None` if the thread has
    /// ended.
    fn read(&self, listed: i32, file: &str) -> io::Result<Option<String>> {
        let path = format!("{listed}/{file}");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let read = openat(&self.directory, path, flags, Mode::empty())
            .map_err(io::Error::from)
            .and_then(|file| read_text(file.into()));
        match read {
            Ok(text) => Ok(Some(text)),
            Err(error) if ended(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// True if the thread is still listed. Landlock doesn't mediate this question, so that a
    /// restricted thread may ask as well.
    pub(crate) fn is_listed(&self, tid: i32) -> bool {
        let name = self.listed_number(tid).to_string();
        statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).err() != Some(Errno::NOENT)
    }

    /// True if a thread can still run. A first thread that has ended stays until the others have.
    pub(crate) fn life(&self, tid: i32) -> Life {
        if !(sys::has_thread(self.process, tid).unwrap_or(true) || self.is_listed(tid))
            || (tid == self.process && self.leader_has_ended())
        {
            return Life::Ended;
        }
        Life::Going {
            // The start is the 22nd field of proc_pid_stat(5).
            started: self.stat_field(tid, 22),
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

    /// A field of a thread's `stat`, numbered as in proc_pid_stat(5), from the third on.
    fn stat_field(&self, tid: i32, field: usize) -> Option<u64> {
        let stat = self.read(self.listed_number(tid), "stat").ok()??;
        after_name(&stat)?
            .split(' ')
            .nth(field.checked_sub(3)?)?
            .parse()
            .ok()
    }

    /// True if a thread is the kernel's own, in this process for an io_uring instance: it runs no
    /// code of this process, and takes no signal.
    pub(crate) fn is_kernel_worker(&self, tid: i32) -> bool {
        /// `PF_IO_WORKER` and `PF_USER_WORKER` in `linux/sched.h`.
        const WORKER: u64 = 0x10 | 0x4000;
        self.stat_field(tid, 9)
            .is_some_and(|flags| flags & WORKER != 0)
    }

    /// The signals that a thread waits for in `sigwait(3)` or the like, the first signal in the
    /// lowest bit. Such a thread takes a signal without running its handler.
    ///
    /// While it waits, its mask in `status` lacks them.
    pub(crate) fn awaited(&self, tid: i32) -> Option<u64> {
        let text = self.read(self.listed_number(tid), "syscall").ok()??;
        let mut words = text.split_ascii_whitespace();
        let number: i64 = words.next()?.parse().ok()?;
        if number != libc::SYS_rt_sigtimedwait {
            return None;
        }
        let set = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
        let mut mask = [0; size_of::<u64>()];
        File::open("/proc/self/mem")
            .and_then(|memory| memory.read_exact_at(&mut mask, set))
            .ok()?;
        Some(u64::from_ne_bytes(mask))
    }

    /// Describes a thread. A caller that is restricted itself can't ask, and gets an empty
    /// description.
    pub(crate) fn describe(&self, tid: i32) -> Description {
        let status = self
            .read(self.listed_number(tid), "status")
            .ok()
            .flatten()
            .unwrap_or_default();
        Description {
            name: field(&status, "Name").map(str::to_owned),
            state: field(&status, "State")
                .and_then(|state| state.chars().next())
                .unwrap_or('?'),
            blocked: field(&status, "SigBlk").and_then(|mask| u64::from_str_radix(mask, 16).ok()),
        }
    }
}

/// Reads a file of `/proc`, most of which fit into one call.
fn read_text(file: File) -> io::Result<String> {
    let mut text = Vec::with_capacity(4096);
    // A file by itself is asked for its size first, and these have none.
    file.take(u64::MAX).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// True if the error means that a thread has ended.
fn ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// A field of a `status` file.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// A thread's numbers in a `status` file: in the PID namespace of the mounted `/proc`, and in each
/// one beneath that down to the thread's own.
fn numbers(status: &str) -> Option<Vec<i32>> {
    // A kernel without PID namespaces has no NSpid.
    field(status, "NSpid")
        .or_else(|| field(status, "Pid"))?
        .split_ascii_whitespace()
        .map(|number| number.parse().ok())
        .collect()
}

/// The fields of a `stat` file after the name, which is in parentheses and may hold any character,
/// even a parenthesis.
fn after_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ").map(|(_, fields)| fields)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// A thread that goes on until the sender is dropped.
    fn start() -> (mpsc::Sender<()>, thread::JoinHandle<()>) {
        let (end, ended) = mpsc::channel::<()>();
        (
            end,
            thread::spawn(move || {
                let _ended = ended.recv();
            }),
        )
    }

    #[test]
    fn a_thread_that_ended_is_not_made_up_for_by_one_that_started() {
        let tasks = Tasks::open().expect("/proc is mounted");
        let (end, thread) = start();
        // Other tests start and end threads as well: one listing may see that.
        let listed = (0..1000)
            .map(|_| procfs::numbers_in(tasks.directory.as_fd()).expect("a listing"))
            .find(|listed| tasks.were_all(listed).expect("a count"))
            .expect("a listing of all threads");
        let threads = listed.len();
        drop(end);
        thread.join().expect("the thread ended");
        // The other tests' threads end as well.
        let mut started = Vec::new();
        loop {
            match tasks.count().expect("a count").cmp(&threads) {
                Ordering::Less => started.push(start()),
                Ordering::Equal if !started.is_empty() => break,
                _ => thread::yield_now(),
            }
        }

        assert!(!tasks.were_all(&listed).expect("a count"));
    }
}
