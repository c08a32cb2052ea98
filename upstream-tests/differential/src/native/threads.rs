//! Threads of the native side.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Barrier;

use anyhow::Context;
use rustix::io::fcntl_dupfd_cloexec;

use super::{Native, Opened};
use crate::case::Kind;
use crate::composite::{Program, call};
use crate::outcome::Outcome;
use crate::situation::situation;

/// Runs something in a thread for each program, all at the same time, each with a side of its own.
///
/// # Errors
/// If one fails.
pub fn run<T: Send>(
    native: &Native,
    kind: Kind,
    programs: &[Program],
    make: impl Fn(&mut Native, &Path, &Program) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let begin = Barrier::new(programs.len());
    let sides: Vec<Native> = programs
        .iter()
        .map(|_| native.thread(kind))
        .collect::<anyhow::Result<_>>()?;
    std::thread::scope(|scope| {
        let (begin, make) = (&begin, &make);
        let threads: Vec<_> = programs
            .iter()
            .zip(sides)
            .map(|(program, mut side)| {
                scope.spawn(move || {
                    begin.wait();
                    make(&mut side, &native.root, program)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a thread panicked")?)
            .collect()
    })
}

/// Makes the calls of threads, and says in which situation each was made.
///
/// # Errors
/// If one can't be made.
pub fn describe(
    native: &Native,
    programs: &[Program],
) -> anyhow::Result<Vec<Vec<(String, Outcome)>>> {
    run(native, Kind::Apart, programs, |side, root, program| {
        let one = |words: &Vec<String>| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let situation = situation(side, &words);
            Ok((situation, call(side, root, &words)?))
        };
        program.iter().map(one).collect()
    })
}

impl Native {
    /// The side of a thread, with the same open files unless it is to have its own.
    fn thread(&self, kind: Kind) -> anyhow::Result<Self> {
        let mut slots = HashMap::new();
        for (name, opened) in self.slots.iter().filter(|_| kind.shares()) {
            let fd = fcntl_dupfd_cloexec(&opened.fd, 3)?;
            let from = opened.from.clone();
            slots.insert(name.clone(), Opened { fd, from });
        }
        let mut directories = HashMap::new();
        for (name, fd) in &self.directories {
            directories.insert(name.clone(), fcntl_dupfd_cloexec(fd, 3)?);
        }
        Ok(Self {
            slots,
            directories,
            clock: self.clock,
            root: self.root.clone(),
        })
    }
}
