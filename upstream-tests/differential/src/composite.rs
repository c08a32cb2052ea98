//! Calls that are made of others, the same on both sides.
//!
//! | | |
//! |---|---|
//! | `start` | nothing, after which the host changes things while the program runs |
//! | `get D PATH` | opens, reads, closes |
//! | `put D PATH TEXT`, `add D PATH TEXT` | opens to write anew or to append, writes, closes |
//! | `try D PATH HOW` | opens, closes |
//! | `ls D PATH` | opens, lists, closes |
//! | `clear D PATH` | removes all files of a directory while it is listed |
//! | `cut D PATH N` | opens, truncates, closes |
//! | `many D PATH N` | opens as often, until it is refused, and closes all |
//! | `race F N FILE` | writes N lines while the host appends as many to its file |

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::case::Kind;
use crate::host::try_host;
use crate::outcome::{self, Outcome};

/// The calls of a thread, in words.
pub type Program = Vec<Vec<String>>;

/// A side of the comparison.
pub trait Side {
    /// Makes a call.
    ///
    /// # Errors
    /// If the words are no call, or the side can't be asked.
    fn call(&mut self, words: &[&str]) -> anyhow::Result<Outcome>;

    /// Makes the calls of several threads at the same time. Each begins with the side's descriptors if `kind` says so.
    ///
    /// # Errors
    /// As [`Self::call`].
    fn threads(&mut self, kind: Kind, programs: &[Program]) -> anyhow::Result<Vec<Vec<Outcome>>>;

    /// Ends the side.
    ///
    /// # Errors
    /// If it ends otherwise than it should.
    fn end(self: Box<Self>) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The descriptor that calls made of others use.
const OWN: &str = "_";

/// Makes a call on a side whose directories are in `root`.
///
/// # Errors
/// If the words are no call, or the side can't be asked.
pub fn call(side: &mut dyn Side, root: &Path, words: &[&str]) -> anyhow::Result<Outcome> {
    match *words {
        ["start"] => Ok(Outcome::ok()),
        ["get", directory, path] => with(side, directory, path, "r", &["read", OWN, "9999"]),
        ["put", directory, path, text] => with(side, directory, path, "wct", &["write", OWN, text]),
        ["add", directory, path, text] => with(side, directory, path, "wca", &["write", OWN, text]),
        ["try", directory, path, how] => with(side, directory, path, how, &[]),
        ["ls", directory, path] => with(side, directory, path, "d", &["list", OWN]),
        ["cut", directory, path, size] => {
            with(side, directory, path, "w", &["truncate", OWN, size])
        }
        ["clear", directory, path] => clear(side, directory, path),
        ["many", directory, path, count] => many(side, directory, path, count.parse()?),
        ["race", fd, count, file] => race(side, &root.join(file), fd, count.parse()?),
        ["host", ..] => {
            let words: Vec<String> = words[1..].iter().map(ToString::to_string).collect();
            Ok(Outcome::of(try_host(root, &words)?))
        }
        _ => side.call(words),
    }
}

/// Makes the calls of a thread.
///
/// # Errors
/// As [`call`].
pub fn make(side: &mut dyn Side, root: &Path, program: &Program) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for words in program {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        outcomes.push(call(side, root, &words)?);
    }
    Ok(outcomes)
}

fn with(
    side: &mut dyn Side,
    directory: &str,
    path: &str,
    how: &str,
    call: &[&str],
) -> anyhow::Result<Outcome> {
    let opened = side.call(&["open", directory, path, how, "as", OWN])?;
    if !opened.is_ok() {
        return Ok(opened);
    }
    let outcome = match call {
        [] => Outcome::ok(),
        call => side.call(call)?,
    };
    if outcome.is_end() {
        return Ok(outcome);
    }
    let closed = side.call(&["close", OWN])?;
    Ok(if closed.is_ok() {
        outcome
    } else {
        outcome.with("close", closed.result)
    })
}

fn clear(side: &mut dyn Side, directory: &str, path: &str) -> anyhow::Result<Outcome> {
    let opened = side.call(&["open", directory, path, "d", "as", OWN])?;
    if !opened.is_ok() {
        return Ok(opened);
    }
    let listed = side.call(&["list", OWN])?;
    let mut failed = Vec::new();
    for (name, _) in &listed.inodes {
        if [".", ".."].contains(&&**name) {
            continue;
        }
        let removed = side.call(&["unlink", OWN, name])?;
        if !removed.is_ok() {
            failed.push(format!("{name}:{}", removed.result));
        }
    }
    failed.sort();
    let left = side.call(&["list", OWN])?;
    side.call(&["close", OWN])?;
    Ok(left.with("failed", failed.join(" ")))
}

fn many(side: &mut dyn Side, directory: &str, path: &str, count: usize) -> anyhow::Result<Outcome> {
    let names: Vec<String> = (0..count).map(|number| format!("_{number}")).collect();
    let mut outcome = Outcome::ok();
    let mut opened = Vec::new();
    for name in &names {
        outcome = side.call(&["open", directory, path, "r", "as", name])?;
        if !outcome.is_ok() {
            break;
        }
        opened.push(name);
    }
    if outcome.is_end() {
        return Ok(outcome);
    }
    for name in opened {
        side.call(&["close", name])?;
    }
    Ok(outcome)
}

fn race(side: &mut dyn Side, file: &Path, fd: &str, count: usize) -> anyhow::Result<Outcome> {
    let before = std::fs::metadata(file)?.len();
    let written = std::thread::scope(|scope| {
        let host = scope.spawn(|| -> anyhow::Result<()> {
            let mut file = OpenOptions::new().append(true).open(file)?;
            for _ in 0..count * 20 {
                file.write_all(b"host------------\n")?;
            }
            Ok(())
        });
        let mut outcome = Outcome::ok();
        for _ in 0..count {
            outcome = side.call(&["write", fd, "guest-----------"])?;
            if !outcome.is_ok() {
                break;
            }
        }
        host.join().ok().context("a thread panicked")??;
        anyhow::Ok(outcome)
    })?;
    if written.is_end() {
        return Ok(written);
    }
    let grown = std::fs::metadata(file)?.len() - before;
    // In which order the lines came is chance.
    OpenOptions::new().write(true).open(file)?.set_len(before)?;
    Ok(Outcome::of(&written.result).with("grown", grown))
}

/// A listing: the names with their types, sorted.
#[must_use]
pub fn listing(entries: &[(String, outcome::Kind, u64)]) -> Outcome {
    let mut names: Vec<String> = entries
        .iter()
        .map(|(name, kind, _)| match kind {
            outcome::Kind::File => name.clone(),
            kind => format!("{name}:{}", kind.name()),
        })
        .collect();
    names.sort();
    let mut outcome = Outcome::ok().with("names", names.join(" "));
    outcome.inodes = entries
        .iter()
        .map(|(name, _, inode)| (name.clone(), *inode))
        .collect();
    outcome.inodes.sort();
    outcome
}
