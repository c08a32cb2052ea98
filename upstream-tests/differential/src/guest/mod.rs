//! The module's side: the calls of [`crate::native`], as calls of WASI preview 1 that a module makes.

pub mod call;
mod io;
mod paths;
pub mod process;
pub mod text;
pub mod threads;

use std::collections::HashMap;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::case::Kind;
use crate::composite::{Program, Side};
use crate::native::STANDARD;
use crate::outcome::{Clock, Outcome};
use call::{Answer, Call};
use threads::Threads;

/// A directory as the module names it: a descriptor, and what goes before a path.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Directory {
    fd: u32,
    prefix: String,
}

/// The functions of a module, as calls are made of them.
pub trait Calls {
    /// Makes a call, and returns the bytes that it returned.
    ///
    /// # Errors
    /// The outer one if the call can't be put; the inner one is the call's.
    fn call(&mut self, call: Call) -> anyhow::Result<Answer<Vec<u8>>>;

    /// Has threads of the module make calls at the same time.
    ///
    /// # Errors
    /// If the calls can't be put.
    fn threads(&mut self, threads: Threads) -> anyhow::Result<Vec<Vec<Outcome>>>;

    /// Ends the module.
    ///
    /// # Errors
    /// If it ends otherwise than it should.
    fn end(self: Box<Self>) -> anyhow::Result<()>;
}

/// The module's side of a case.
pub struct Guest<'c> {
    calls: Box<dyn Calls + 'c>,
    room: u32,
    slots: HashMap<String, u32>,
    directories: HashMap<String, Directory>,
    clock: Clock,
}

impl Side for Guest<'_> {
    fn call(&mut self, words: &[&str]) -> anyhow::Result<Outcome> {
        Ok(match self.answer(words)? {
            Ok(outcome) => outcome,
            Err(outcome) => *outcome,
        })
    }

    fn end(self: Box<Self>) -> anyhow::Result<()> {
        self.calls.end()
    }

    fn threads(&mut self, kind: Kind, programs: &[Program]) -> anyhow::Result<Vec<Vec<Outcome>>> {
        self.calls.threads(Threads {
            programs: programs.to_vec(),
            slots: match kind.shares() {
                true => self.slots.clone(),
                false => HashMap::new(),
            },
            directories: self.directories.clone(),
            clock: self.clock,
        })
    }
}

impl<'c> Guest<'c> {
    /// Looks for `p`, `q` and `r` as the C library does: a preopen, or else a path below the preopen `/`.
    ///
    /// # Errors
    /// If the module is gone, or has no preopens.
    pub fn new(calls: Box<dyn Calls + 'c>, clock: Clock) -> anyhow::Result<Self> {
        let names = STANDARD.map(str::to_owned);
        let mut guest = Self {
            calls,
            room: 0,
            slots: names.into_iter().zip(0..).collect(),
            directories: HashMap::new(),
            clock,
        };
        let preopens = guest.preopens()?;
        let find = |name: &str| {
            let mut known = preopens.iter();
            known.find(|(_, preopen)| preopen.trim_start_matches('/') == name)
        };
        let root = find("").map(|(fd, _)| *fd);
        for name in ["p", "q"] {
            let directory = match (find(name), root) {
                (Some((fd, _)), _) => Directory {
                    fd: *fd,
                    prefix: String::new(),
                },
                (None, Some(fd)) => Directory {
                    fd,
                    prefix: format!("{name}/"),
                },
                (None, None) => bail!("no preopen leads to {name}: {preopens:?}"),
            };
            guest.directories.insert(name.to_owned(), directory);
        }
        if let Some(fd) = root {
            let prefix = String::new();
            guest
                .directories
                .insert("r".to_owned(), Directory { fd, prefix });
        }
        Ok(guest)
    }

    /// A thread of the module: it has what `threads` says.
    #[must_use]
    pub fn thread(calls: Box<dyn Calls + 'c>, threads: &Threads, number: u32) -> Self {
        Self {
            calls,
            room: number,
            slots: threads.slots.clone(),
            directories: threads.directories.clone(),
            clock: threads.clock,
        }
    }

    fn new_call(&self, function: &str) -> Call {
        Call::new(function, self.room)
    }

    fn preopens(&mut self) -> anyhow::Result<Vec<(u32, String)>> {
        let mut names = Vec::new();
        for fd in 3.. {
            let mut get = self.new_call("fd_prestat_get");
            get.number(fd).result(8);
            let Ok(bytes) = self.calls.call(get)? else {
                return Ok(names);
            };
            let size = word(&bytes, 4);
            let mut get = self.new_call("fd_prestat_dir_name");
            get.number(fd).result(size).number(size);
            if let Ok(name) = self.calls.call(get)? {
                let name = String::from_utf8_lossy(&name[..size as usize]);
                names.push((fd, name.trim_end_matches('\0').to_owned()));
            }
        }
        Ok(names)
    }

    /// A descriptor's number; one that is not open, for a name without one.
    fn fd(&self, slot: &str) -> u32 {
        if let Some(number) = self.slots.get(slot) {
            return *number;
        }
        let standard = STANDARD.iter().zip(0_u32..);
        standard
            .filter(|(name, number)| **name == slot && !self.slots.values().any(|fd| fd == number))
            .map(|(_, number)| number)
            .next()
            .unwrap_or(4_000)
    }

    /// A directory's descriptor, and a path from there.
    fn path(&self, directory: &str, path: &str) -> (u32, String) {
        match self.directories.get(directory) {
            Some(Directory { fd, prefix }) if !path.is_empty() && !path.starts_with('/') => {
                (*fd, format!("{prefix}{path}"))
            }
            Some(Directory { fd, .. }) => (*fd, path.to_owned()),
            None => (self.fd(directory), path.to_owned()),
        }
    }

    fn answer(&mut self, words: &[&str]) -> anyhow::Result<Answer> {
        match words {
            ["open", directory, path, how, "as", slot] => self.open(directory, path, how, slot),
            ["close", slot] => {
                let mut close = self.new_call("fd_close");
                close.number(self.fd(slot));
                let closed = self.plain(close)?;
                self.slots.remove(*slot);
                Ok(closed)
            }
            ["renumber", from, to] => self.renumber(from, to),
            [
                "stat" | "lstat" | "readlink" | "mkdir" | "rmdir" | "unlink" | "times" | "ltimes"
                | "rename" | "link" | "linkf" | "symlink",
                ..,
            ] => paths::call(self, words),
            _ => io::call(self, words),
        }
    }

    /// Makes a call that returns nothing.
    fn plain(&mut self, call: Call) -> anyhow::Result<Answer> {
        let answer = self.calls.call(call)?;
        Ok(answer.map(|_| Outcome::ok()))
    }

    /// Opens with the rights that the C library asks for.
    fn open(
        &mut self,
        directory: &str,
        path: &str,
        how: &str,
        slot: &str,
    ) -> anyhow::Result<Answer> {
        let has = |letter| how.contains(letter);
        let bit = |letter, bit: u32| u32::from(has(letter)) << bit;
        let (fd, path) = self.path(directory, path);
        let mut get = self.new_call("fd_fdstat_get");
        get.number(fd).result(24);
        let inheriting = match self.calls.call(get)? {
            Ok(bytes) => long(&bytes, 16),
            Err(outcome) => return Ok(Err(outcome)),
        };
        const READING: u64 = 1 << 1 | 1 << 14;
        const WRITING: u64 = 1 | 1 << 6 | 1 << 8 | 1 << 22;
        let mut rights = !(READING | WRITING);
        if has('r') || !has('w') {
            rights |= READING;
        }
        if has('w') {
            rights |= WRITING;
        }
        let mut open = self.new_call("path_open");
        open.number(fd)
            .number(!has('n'))
            .text(&path)
            .number(bit('c', 0) | bit('d', 1) | bit('x', 2) | bit('t', 3))
            .long(rights & inheriting)
            .long(inheriting)
            .number(bit('a', 0) | bit('y', 1) | bit('b', 2) | bit('s', 4))
            .result(4);
        let answer = self.calls.call(open)?;
        let fd = match answer {
            Ok(bytes) => word(&bytes, 0),
            Err(outcome) => return Ok(Err(outcome)),
        };
        let before = self.slots.remove(slot);
        // A number that something else has already would mix them up.
        let mut outcome = Outcome::ok();
        if let Some((other, _)) = self.slots.iter().find(|(_, number)| **number == fd) {
            outcome = outcome.with("number", format!("that of {other}"));
        }
        if let Some(before) = before
            && before != fd
        {
            let mut close = self.new_call("fd_close");
            close.number(before);
            self.calls.call(close)?.ok();
        }
        self.slots.insert(slot.to_owned(), fd);
        Ok(Ok(outcome))
    }

    fn renumber(&mut self, from: &str, to: &str) -> anyhow::Result<Answer> {
        let (from_fd, to_fd) = (self.fd(from), self.fd(to));
        let mut renumber = self.new_call("fd_renumber");
        renumber.number(from_fd).number(to_fd);
        let answer = self.plain(renumber)?;
        if answer.is_ok() && from != to {
            self.slots.remove(from);
            self.slots.insert(to.to_owned(), to_fd);
        }
        Ok(answer)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default())
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default())
}

/// The number of a function of [`text::FUNCTIONS`] that the process may be asked for.
///
/// # Errors
/// If there is none.
pub fn check_function(name: &str) -> anyhow::Result<()> {
    text::FUNCTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .map(drop)
        .with_context(|| format!("no function is called {name}"))
}
