//! The system calls that the fork makes for each operation, made by a loop without a module: the part of the cost that
//! no runtime avoids that resolves paths beneath a directory and has the kernel enforce the grants.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, ResolveFlags};
use rustix::io::{pread, pwrite};
use wasix_landlock::{Access, HostKind, HostTarget, Policy, RecordedPreopen};

use super::plan::{BLOCK, Needs, Operation, PIECE, PREOPEN, block, numbered, piece, second};

/// Does the operations in a process that is restricted to the directory, and gives each the microseconds that it took.
///
/// # Errors
/// An operation that failed, and a restriction that can't be enforced.
pub fn measure(
    operations: &[Operation],
    directory: &Path,
    mut took: impl FnMut(&Operation, f64),
) -> anyhow::Result<()> {
    // As in each process of a runtime: alone, a thread uses descriptors for less.
    thread::spawn(|| {
        loop {
            thread::park();
        }
    });
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, directory, flags, Mode::empty())?;
    Policy::default()
        .preopen(RecordedPreopen {
            guest: PREOPEN.into(),
            origin: "benchmark",
            access: Access::ALL,
            targets: vec![HostTarget {
                path: directory.to_owned(),
                kind: HostKind::Directory,
                access: Access::ALL,
            }],
        })
        .enforce()?;
    let calls = Calls { root };
    for operation in operations {
        let begun = Instant::now();
        calls
            .repeat(operation)
            .with_context(|| operation.name.clone())?;
        let elapsed = begun.elapsed();
        took(
            operation,
            elapsed.as_secs_f64() * 1e6 / f64::from(operation.count),
        );
    }
    Ok(())
}

/// The system calls beneath a directory.
struct Calls {
    root: OwnedFd,
}

impl Calls {
    fn repeat(&self, operation: &Operation) -> anyhow::Result<()> {
        let path = operation.path.as_str();
        let mut buffer = vec![0; 32 * 1024];
        let numbers = 0..operation.count;
        match operation.call.as_str() {
            "clock" => {
                for _ in numbers {
                    std::hint::black_box(Instant::now());
                }
            }
            "create" => {
                for number in numbers {
                    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
                    let file = self.open_file(&numbered(path, number), flags)?;
                    pwrite(&file, &buffer[..100], 0)?;
                }
            }
            "open" => {
                for _ in numbers {
                    self.open_file(path, OFlags::RDONLY)?;
                }
            }
            "stat" => {
                for _ in numbers {
                    self.stat(path)?;
                }
            }
            "read" | "write" | "pread" | "pwrite" => {
                let reads = matches!(&*operation.call, "read" | "pread");
                let flags = if reads { OFlags::RDONLY } else { OFlags::RDWR };
                let file = self.open_file(path, flags)?;
                let in_turn = matches!(&*operation.call, "read" | "write");
                for number in numbers {
                    let (offset, length) = match in_turn {
                        true => (block(number) * BLOCK, BLOCK as usize),
                        false => (piece(number), PIECE),
                    };
                    match reads {
                        true => pread(&file, &mut buffer[..length], offset.into())?,
                        false => pwrite(&file, &buffer[..length], offset.into())?,
                    };
                }
            }
            "list" => {
                let Needs::Entries(entries) = operation.needs else {
                    bail!("no number of entries");
                };
                for _ in numbers {
                    let found = self.list(path, &mut buffer)?;
                    // With `.` and `..`.
                    ensure!(found == entries + 2, "{found} of {entries} entries");
                }
            }
            "unlink" => {
                for number in numbers {
                    self.in_parent(&numbered(path, number), |parent, name| {
                        rustix::fs::unlinkat(parent, name, AtFlags::empty())
                    })?;
                }
            }
            "rename" => {
                for number in numbers {
                    let target = numbered(&second(path), number);
                    let (_, new) = split(&target);
                    self.in_parent(&numbered(path, number), |parent, name| {
                        rustix::fs::renameat(parent, name, parent, new)
                    })?;
                }
            }
            "mkdir" => {
                for number in numbers {
                    self.in_parent(&numbered(path, number), |parent, name| {
                        rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777))
                    })?;
                }
            }
            call => bail!("no operation is called {call}"),
        }
        Ok(())
    }

    fn open(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let mode = match flags.contains(OFlags::CREATE) {
            true => Mode::from_raw_mode(0o666),
            false => Mode::empty(),
        };
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        Ok(rustix::fs::openat2(&self.root, path, flags, mode, resolve)?)
    }

    /// Opens, and asks for the kind of file. The standard library closes it, as in the fork.
    fn open_file(&self, path: &str, flags: OFlags) -> io::Result<File> {
        let file = self.open(path, flags | OFlags::NOCTTY | OFlags::NONBLOCK)?;
        std::hint::black_box(rustix::fs::fstat(&file)?);
        Ok(file.into())
    }

    fn stat(&self, path: &str) -> io::Result<()> {
        std::hint::black_box(match split(path) {
            (None, name) => rustix::fs::statat(&self.root, name, AtFlags::SYMLINK_NOFOLLOW)?,
            (Some(_), _) => rustix::fs::fstat(self.open(path, OFlags::PATH)?)?,
        });
        Ok(())
    }

    fn list(&self, path: &str, buffer: &mut Vec<u8>) -> io::Result<u32> {
        buffer.clear();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = self.open_file(path, flags)?;
        // Each listing begins at the start, whatever else is done with the descriptor.
        let listed = rustix::fs::openat2(
            &opened,
            ".",
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        )?;
        let mut entries = RawDir::new(&listed, buffer.spare_capacity_mut());
        let mut found = 0;
        while let Some(entry) = entries.next() {
            std::hint::black_box(entry?.file_type());
            found += 1;
        }
        Ok(found)
    }

    /// Does something with the last name of a path, in the directory before.
    fn in_parent(
        &self,
        path: &str,
        call: impl FnOnce(BorrowedFd<'_>, &str) -> rustix::io::Result<()>,
    ) -> io::Result<()> {
        match split(path) {
            (None, name) => call(self.root.as_fd(), name)?,
            (Some(before), name) => {
                let parent = self.open(before, OFlags::PATH | OFlags::DIRECTORY)?;
                call(parent.as_fd(), name)?;
            }
        }
        Ok(())
    }
}

/// The path before the last name, and the last name.
fn split(path: &str) -> (Option<&str>, &str) {
    match path.rsplit_once('/') {
        Some((before, name)) => (Some(before), name),
        None => (None, path),
    }
}
