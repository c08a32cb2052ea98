//! The native side: Linux system calls, with paths that stay beneath a directory and WASI's names for errors.
//!
//! The calls, of which [`crate::guest`] makes the same as a module. `D` is a directory (`p`, `q`, `r` or a
//! descriptor), `F` a descriptor by its name, where `stdin`, `stdout` and `stderr` are open from the start.
//!
//! | | |
//! |---|---|
//! | `open D PATH HOW as F` | `HOW` has `r`ead, `w`rite, `c`reate, e`x`clusive, `t`runcate, `d`irectory, `a`ppend, `n`ofollow, non`b`locking, `s`ync, `y` (data sync) |
//! | `close F`, `renumber F F` | the second descriptor becomes what the first one is, as after `dup2` and `close` |
//! | `read F N`, `write F TEXT`, `pread F N OFFSET`, `pwrite F TEXT OFFSET` | |
//! | `seek F OFFSET set/cur/end`, `tell F` | |
//! | `fstat F`, `fdstat F`, `setflags F a/-` | |
//! | `truncate F N`, `allocate F OFFSET N`, `advise F`, `sync F`, `datasync F` | |
//! | `ftimes F TIMES`, `times D PATH TIMES`, `ltimes …` | `TIMES` is two of `now`, `omit` or nanoseconds |
//! | `list F` | all names |
//! | `stat D PATH`, `lstat …`, `readlink D PATH N` | |
//! | `mkdir D PATH`, `rmdir`, `unlink`, `rename D PATH D PATH`, `link …`, `linkf …`, `symlink TARGET D PATH` | `linkf` follows a link |
//! | `poll N [r:F]…` | waits N milliseconds, or until a descriptor can be read |

mod descriptor;
mod meta;
pub mod path;
mod paths;
pub mod threads;

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{CWD, Mode, OFlags, openat};

pub use meta::{from_stat, keep_accessed, kind, list, meta};
use path::{Answer, Refusal};

use crate::case::Kind;
use crate::composite::{Program, Side, make};
use crate::outcome::{Clock, Outcome};

/// The descriptors that are open from the start, by their numbers.
pub const STANDARD: [&str; 3] = ["stdin", "stdout", "stderr"];

/// An open descriptor, and where it was opened.
#[derive(Debug)]
pub struct Opened {
    /// The descriptor.
    pub fd: OwnedFd,
    /// The directory and the path that it was opened by.
    pub from: Option<(String, String)>,
}

/// The native side of a case.
#[derive(Debug)]
pub struct Native {
    slots: HashMap<String, Opened>,
    directories: HashMap<String, OwnedFd>,
    clock: Clock,
    root: PathBuf,
}

impl Side for Native {
    fn call(&mut self, words: &[&str]) -> anyhow::Result<Outcome> {
        self.make(words)
    }

    fn threads(&mut self, kind: Kind, programs: &[Program]) -> anyhow::Result<Vec<Vec<Outcome>>> {
        threads::run(self, kind, programs, |side, root, program| {
            make(side, root, program)
        })
    }
}

impl Native {
    /// Opens the directories `p`, `q` and `r` of `root`.
    ///
    /// # Errors
    /// If one is missing.
    pub fn new(root: &Path, stdio: [OwnedFd; 3], clock: Clock) -> anyhow::Result<Self> {
        let mut directories = HashMap::new();
        for name in ["p", "q", "r"] {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = openat(CWD, root.join(name), flags, Mode::empty())
                .with_context(|| format!("{name} can't be opened"))?;
            directories.insert(name.to_owned(), fd);
        }
        let slots = STANDARD.into_iter().zip(stdio).map(|(name, fd)| {
            let opened = Opened { fd, from: None };
            (name.to_owned(), opened)
        });
        Ok(Self {
            slots: slots.collect(),
            directories,
            clock,
            root: root.to_owned(),
        })
    }

    /// A descriptor.
    ///
    /// # Errors
    /// If it isn't open.
    pub fn slot(&self, name: &str) -> Answer<&Opened> {
        self.slots.get(name).ok_or(Refusal::Closed)
    }

    fn fd(&self, name: &str) -> Answer<BorrowedFd<'_>> {
        self.slot(name).map(|opened| opened.fd.as_fd())
    }

    /// A directory, by its name or a descriptor's.
    ///
    /// # Errors
    /// If the descriptor isn't open.
    pub fn directory(&self, name: &str) -> Answer<BorrowedFd<'_>> {
        match self.directories.get(name) {
            Some(fd) => Ok(fd.as_fd()),
            None => self.fd(name),
        }
    }

    fn make(&mut self, words: &[&str]) -> anyhow::Result<Outcome> {
        let answer = match words {
            ["open", directory, path, how, "as", slot] => self.open(directory, path, how, slot),
            ["close", fd] => self.close(fd),
            ["renumber", from, to] => self.renumber(from, to),
            [
                "stat" | "lstat" | "readlink" | "mkdir" | "rmdir" | "unlink" | "times" | "ltimes"
                | "rename" | "link" | "linkf" | "symlink",
                ..,
            ] => paths::call(self, words)?,
            ["poll", _, events @ ..] => descriptor::poll(self, events)?,
            [_, fd, ..] if self.slots.contains_key(*fd) => {
                descriptor::call(self.fd(fd).ok(), self.clock, words)?
            }
            [_, fd, ..] if self.directories.contains_key(*fd) => {
                bail!("{fd} is a directory by name, not a descriptor")
            }
            [_, _, ..] => Err(Refusal::Closed),
            _ => bail!("no such call"),
        };
        Ok(answer.unwrap_or_else(|refusal| Outcome::of(&refusal.name())))
    }

    fn open(&mut self, directory: &str, path: &str, how: &str, slot: &str) -> Answer<Outcome> {
        let at = self.directory(directory)?;
        let fd = path::open(at, path, flags(how), rustix::fs::ResolveFlags::empty())?;
        let from = Some((directory.to_owned(), path.to_owned()));
        self.slots.insert(slot.to_owned(), Opened { fd, from });
        Ok(Outcome::ok())
    }

    fn close(&mut self, fd: &str) -> Answer<Outcome> {
        let opened = self.slots.remove(fd).ok_or(Refusal::Closed)?;
        drop(File::from(opened.fd));
        Ok(Outcome::ok())
    }

    fn renumber(&mut self, from: &str, to: &str) -> Answer<Outcome> {
        self.fd(from)?;
        // The number of a standard stream is known, open or not.
        if !STANDARD.contains(&to) {
            self.fd(to)?;
        }
        if from != to
            && let Some(opened) = self.slots.remove(from)
        {
            self.slots.insert(to.to_owned(), opened);
        }
        Ok(Outcome::ok())
    }
}

fn flags(how: &str) -> OFlags {
    let has = |letter| how.contains(letter);
    let mut flags = match (has('r'), has('w')) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        _ => OFlags::RDONLY,
    };
    let letters = [
        ('c', OFlags::CREATE),
        ('x', OFlags::EXCL),
        ('t', OFlags::TRUNC),
        ('d', OFlags::DIRECTORY),
        ('a', OFlags::APPEND),
        ('n', OFlags::NOFOLLOW),
        ('b', OFlags::NONBLOCK),
        ('s', OFlags::SYNC),
        ('y', OFlags::DSYNC),
    ];
    for (letter, flag) in letters {
        flags.set(flag, has(letter));
    }
    flags
}
