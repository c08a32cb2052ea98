//! A running module, in a process of its own, and the calls that it is told to do.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::errno::Errno;
use crate::guest::{ANSWER, ANSWER_SIZE, ARGUMENTS, DATA, HEAD_SIZE, number};
use crate::worker::{MODE_VARIABLE, Request, WORKER};

/// The result of a call.
pub type Outcome<T = ()> = Result<T, Errno>;

/// The size of one read or listing.
const CHUNK: u32 = ANSWER_SIZE / 2;

/// All rights but those of sockets, as preview 1 numbers them.
const ALL_RIGHTS: u64 = 0x0fff_ffff;
const FD_READ: u64 = 1 << 1;
const FD_WRITE: u64 = 1 << 6;
/// The further rights that the C library asks for: seek, tell, stat, and, to list, readdir.
const USUAL: u64 = 1 << 2 | 1 << 5 | 1 << 21 | 1 << 14;
/// Allocate, size, times, sync.
const USUAL_FOR_WRITING: u64 = 1 << 8 | 1 << 22 | 1 << 23 | 1 << 4;

/// The time after which a call counts as one that never returns. None waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The module, which waits for calls.
pub struct Module {
    child: Child,
    calls: ChildStdin,
    answers: Receiver<Vec<u8>>,
    /// The bytes that have come and were not taken.
    rest: Vec<u8>,
    /// All bytes that calls have handed to the module.
    pub seen: Vec<u8>,
}

impl Module {
    /// Starts `program`, which is one that has [`crate::worker`], on `request`.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(program: &Path, request: &Request, mode: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .arg(WORKER)
            .arg(serde_json::to_string(request)?)
            .env(MODE_VARIABLE, mode)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self {
            calls: child.stdin.take().context("a pipe")?,
            answers: read(child.stdout.take().context("a pipe")?),
            child,
            rest: Vec::new(),
            seen: Vec::new(),
        })
    }

    /// Ends the module.
    ///
    /// # Errors
    /// If it did not end by itself as it should, with what it said.
    pub fn end(self) -> anyhow::Result<()> {
        let Self { child, calls, .. } = self;
        drop(calls);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let said: Vec<&str> = said
                .lines()
                .filter(|line| !line.trim().is_empty())
                .take(4)
                .collect();
            bail!("{}: {}", output.status, said.join(" | "));
        }
        Ok(())
    }

    /// Calls a function of preview 1 with `arguments`, after `data` was put to [`DATA`], and hands over
    /// `answer` bytes from [`ANSWER`].
    ///
    /// # Errors
    /// The outer one if the module is gone; the inner one is the call's.
    pub fn call(
        &mut self,
        name: &str,
        data: &[u8],
        answer: u32,
        arguments: &[u64],
    ) -> anyhow::Result<Outcome<Vec<u8>>> {
        let function = number(name).with_context(|| format!("no function is called {name}"))?;
        let mut request = Vec::with_capacity(HEAD_SIZE + data.len());
        for word in [function, u32::try_from(data.len())?, ANSWER, answer] {
            request.extend(word.to_le_bytes());
        }
        let mut padded = [0_u64; ARGUMENTS];
        padded[..arguments.len()].copy_from_slice(arguments);
        request.extend(padded.iter().flat_map(|argument| argument.to_le_bytes()));
        request.extend(data);
        self.calls
            .write_all(&request)
            .context("the module is gone")?;
        let length = answer as usize;
        let answer = self.answer(4 + length).with_context(|| name.to_owned())?;
        let (error, bytes) = answer.split_at(4);
        let (error, bytes) = (error.try_into().unwrap_or_default(), bytes.to_vec());
        Ok(match u32::from_le_bytes(error) {
            0 => Ok(bytes),
            error => Err(Errno::from_number(error)),
        })
    }

    fn word(outcome: Outcome<Vec<u8>>, at: usize) -> Outcome<u32> {
        outcome.map(|bytes| {
            let word = bytes[at..at + 4].try_into().unwrap_or_default();
            u32::from_le_bytes(word)
        })
    }

    /// The preopens' names, by descriptor.
    ///
    /// # Errors
    /// If the module is gone.
    pub fn preopens(&mut self) -> anyhow::Result<Vec<(u32, String)>> {
        let mut names = Vec::new();
        for fd in 3.. {
            let outcome = self.call("fd_prestat_get", &[], 8, &[fd.into(), ANSWER.into()])?;
            let Ok(size) = Self::word(outcome, 4) else {
                break;
            };
            let arguments = [fd.into(), ANSWER.into(), size.into()];
            if let Ok(name) = self.call("fd_prestat_dir_name", &[], size, &arguments)? {
                let name = String::from_utf8_lossy(&name);
                names.push((fd, name.trim_end_matches('\0').to_owned()));
            }
        }
        Ok(names)
    }

    /// Opens a path. `how` has a letter for each flag: `r`ead, `w`rite, `c`reate, e`x`clusive, `t`runcate,
    /// `d`irectory, `a`ppend, `n`o link followed.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn open(&mut self, directory: u32, path: &str, how: &str) -> anyhow::Result<Outcome<u32>> {
        let has = |letter| how.contains(letter);
        let bit = |letter, bit: u32| u64::from(has(letter)) << bit;
        let flags = bit('c', 0) | bit('d', 1) | bit('x', 2) | bit('t', 3);
        let mut rights = USUAL;
        if has('r') {
            rights |= FD_READ;
        }
        if has('w') {
            rights |= FD_WRITE | USUAL_FOR_WRITING;
        }
        let (rights, inherited) = if has('d') {
            (ALL_RIGHTS & !FD_WRITE & !FD_READ, ALL_RIGHTS)
        } else {
            (rights, rights)
        };
        let arguments = [
            directory.into(),
            u64::from(!has('n')),
            DATA.into(),
            path.len() as u64,
            flags,
            rights,
            inherited,
            bit('a', 0),
            ANSWER.into(),
        ];
        let outcome = self.call("path_open", path.as_bytes(), 4, &arguments)?;
        Ok(Self::word(outcome, 0))
    }

    /// Calls a function on a descriptor alone, with `rest` behind it.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn on(&mut self, name: &str, fd: u32, rest: &[u64]) -> anyhow::Result<Outcome> {
        let arguments: Vec<u64> = [u64::from(fd)]
            .into_iter()
            .chain(rest.iter().copied())
            .collect();
        Ok(self.call(name, &[], 0, &arguments)?.map(drop))
    }

    /// Reads a descriptor's file from its start.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn read(&mut self, fd: u32) -> anyhow::Result<Outcome<Vec<u8>>> {
        let vector: Vec<u8> = [ANSWER + 4, CHUNK]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect();
        let arguments = [fd.into(), DATA.into(), 1, 0, ANSWER.into()];
        let outcome = self.call("fd_pread", &vector, CHUNK + 4, &arguments)?;
        Ok(outcome.map(|bytes| self.hand_over(bytes)))
    }

    /// Writes to a descriptor's file at its start.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn write(&mut self, fd: u32, bytes: &[u8]) -> anyhow::Result<Outcome> {
        let size = u32::try_from(bytes.len())?;
        let mut data: Vec<u8> = [DATA + 8, size]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect();
        data.extend(bytes);
        let arguments = [fd.into(), DATA.into(), 1, 0, ANSWER.into()];
        Ok(self.call("fd_pwrite", &data, 4, &arguments)?.map(drop))
    }

    /// Lists a directory from `cookie` on, raw.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn list(&mut self, fd: u32, cookie: u64) -> anyhow::Result<Outcome<Vec<u8>>> {
        let arguments = [
            fd.into(),
            u64::from(ANSWER) + 4,
            CHUNK.into(),
            cookie,
            ANSWER.into(),
        ];
        let outcome = self.call("fd_readdir", &[], CHUNK + 4, &arguments)?;
        Ok(outcome.map(|bytes| self.hand_over(bytes)))
    }

    fn answer(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        while self.rest.len() < length {
            match self.answers.recv_timeout(PATIENCE) {
                Ok(bytes) => self.rest.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => bail!("the module is gone"),
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill()?;
                    bail!("the call has not returned in {PATIENCE:?}");
                }
            }
        }
        let after = self.rest.split_off(length);
        Ok(std::mem::replace(&mut self.rest, after))
    }

    /// Returns the bytes that a call handed over: a size, and that many bytes.
    fn hand_over(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let (size, bytes) = bytes.split_at(4);
        let size = u32::from_le_bytes(size.try_into().unwrap_or_default()) as usize;
        let bytes = bytes[..size.min(bytes.len())].to_vec();
        self.seen.extend(&bytes);
        bytes
    }

    /// The size of what a path names.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn stat(
        &mut self,
        directory: u32,
        path: &str,
        follow: bool,
    ) -> anyhow::Result<Outcome<u64>> {
        let arguments = [
            directory.into(),
            follow.into(),
            DATA.into(),
            path.len() as u64,
            ANSWER.into(),
        ];
        let outcome = self.call("path_filestat_get", path.as_bytes(), 64, &arguments)?;
        Ok(outcome.map(|bytes| u64::from_le_bytes(bytes[32..40].try_into().unwrap_or_default())))
    }

    /// Returns the target of a link, which is no content of anything.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn readlink(&mut self, directory: u32, path: &str) -> anyhow::Result<Outcome> {
        let arguments = [
            directory.into(),
            DATA.into(),
            path.len() as u64,
            u64::from(ANSWER) + 4,
            CHUNK.into(),
            ANSWER.into(),
        ];
        let outcome = self.call("path_readlink", path.as_bytes(), CHUNK + 4, &arguments)?;
        Ok(outcome.map(drop))
    }

    /// Sets the times of what a path names.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn times(&mut self, directory: u32, path: &str) -> anyhow::Result<Outcome> {
        let (second, both) = (1_000_000_000, 1 | 1 << 2);
        let length = path.len() as u64;
        let arguments = [
            directory.into(),
            1,
            DATA.into(),
            length,
            second,
            second,
            both,
        ];
        Ok(self
            .call("path_filestat_set_times", path.as_bytes(), 0, &arguments)?
            .map(drop))
    }

    /// Calls a function that takes a directory and a path.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn at(&mut self, name: &str, directory: u32, path: &str) -> anyhow::Result<Outcome> {
        let arguments = [directory.into(), DATA.into(), path.len() as u64];
        Ok(self.call(name, path.as_bytes(), 0, &arguments)?.map(drop))
    }

    /// Renames, or links if `link` says whether a link at the old path is followed.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn move_or_link(
        &mut self,
        link: Option<bool>,
        (from, old): (u32, &str),
        (to, new): (u32, &str),
    ) -> anyhow::Result<Outcome> {
        let data = format!("{old}{new}");
        let (old_size, new_size) = (old.len() as u64, new.len() as u64);
        let new_at = u64::from(DATA) + old_size;
        let (from, to, at) = (u64::from(from), u64::from(to), u64::from(DATA));
        let outcome = match link {
            None => {
                let arguments = [from, at, old_size, to, new_at, new_size];
                self.call("path_rename", data.as_bytes(), 0, &arguments)
            }
            Some(follow) => {
                let arguments = [from, follow.into(), at, old_size, to, new_at, new_size];
                self.call("path_link", data.as_bytes(), 0, &arguments)
            }
        };
        Ok(outcome?.map(drop))
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// If the module is gone; within, the call's.
    pub fn symlink(&mut self, target: &str, directory: u32, path: &str) -> anyhow::Result<Outcome> {
        let data = format!("{target}{path}");
        let path_at = u64::from(DATA) + target.len() as u64;
        let arguments = [
            DATA.into(),
            target.len() as u64,
            directory.into(),
            path_at,
            path.len() as u64,
        ];
        Ok(self
            .call("path_symlink", data.as_bytes(), 0, &arguments)?
            .map(drop))
    }
}

/// Reads in a thread of its own, so that it can be waited for a time.
fn read(mut pipe: ChildStdout) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(length @ 1..) = pipe.read(&mut bytes) {
            if send.send(bytes[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receive
}
