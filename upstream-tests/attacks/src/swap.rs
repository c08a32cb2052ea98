//! A host that swaps files, directories and links under a module, all the time: what is looked at may be
//! something else when it is used.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, ensure};
use fastrand::Rng;

use crate::module::{Module, Outcome};
use crate::tree::{Reached, Tree};
use crate::worker::{Grant, Request, Way};

/// The names that are swapped, in each granted directory. The host itself must not follow what it has put
/// there, so it swaps nothing below them.
const NAMES: [&str; 5] = ["a", "b", "c", "sub", "file"];
/// The number of calls that a module does before another one takes its place.
const CALLS: u64 = 10_000;

/// The outcomes.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// The contents reached outside, and their numbers; changes are seen at the end of each module.
    pub reached: BTreeMap<Reached, u64>,
    /// The number of calls that succeeded.
    pub succeeded: u64,
    /// The number of swaps by the host.
    pub swapped: u64,
}

/// Lets modules of `program` do `calls` calls, chosen by `seed`, while the host swaps.
///
/// # Errors
/// If a module can't be run, or ends before its time.
pub fn swap(
    program: &Path,
    way: Way,
    enforced: bool,
    calls: u64,
    seed: u64,
) -> anyhow::Result<Outcomes> {
    let mut outcomes = Outcomes::default();
    let mut rng = Rng::with_seed(seed);
    let mut remaining = calls;
    while remaining > 0 {
        let now = remaining.min(CALLS);
        one(program, way, enforced, now, &mut rng, &mut outcomes)
            .with_context(|| format!("{way:?}, seed {seed}"))?;
        remaining -= now;
    }
    ensure!(
        outcomes.succeeded > 0 && outcomes.swapped > 0,
        "nothing was done, so nothing was shown"
    );
    Ok(outcomes)
}

fn one(
    program: &Path,
    way: Way,
    enforced: bool,
    calls: u64,
    rng: &mut Rng,
    outcomes: &mut Outcomes,
) -> anyhow::Result<()> {
    let mut tree = Tree::new()?;
    let grant = |guest: &str, place| Grant {
        guest: guest.to_owned(),
        host: tree.path(place),
        read: true,
        write: true,
        create: true,
    };
    let grants = vec![grant("data", "granted"), grant("other", "also")];
    tree.remember()?;
    let request = Request {
        way,
        grants: grants.clone(),
        forbidden: tree.path("outside/file"),
        enforced,
    };
    let mode = if enforced { "enforce" } else { "off" };
    let mut module = Module::start(program, &request, mode)?;
    let directories = directories(&mut module, &grants)?;
    let (stop, swapped) = (AtomicBool::new(false), AtomicU64::new(0));
    let done = std::thread::scope(|scope| {
        let mut host = rng.fork();
        let (root, stop_host, swapped) = (tree.root().to_owned(), &stop, &swapped);
        scope.spawn(move || {
            while !stop_host.load(Ordering::Relaxed) {
                if replace(&root, &mut host).is_ok() {
                    swapped.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let done = (|| -> anyhow::Result<()> {
            for _ in 0..calls {
                if call(&mut module, &directories, rng, outcomes)?.is_ok() {
                    outcomes.succeeded += 1;
                }
                let seen = std::mem::take(&mut module.seen);
                for (marker, kind) in [
                    ("content-of-outside", Reached::Read),
                    ("name-of-outside", Reached::Listed),
                ] {
                    let marker = marker.as_bytes();
                    if seen.windows(marker.len()).any(|part| part == marker) {
                        *outcomes.reached.entry(kind).or_default() += 1;
                    }
                }
            }
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        done
    });
    let ended = module.end();
    if let (Err(error), Err(said)) = (&done, &ended) {
        return Err(anyhow::anyhow!("{error:#}: {said:#}"));
    }
    done.and(ended)?;
    outcomes.swapped += swapped.load(Ordering::Relaxed);
    for (place, kind) in tree.reached(&grants, &[])? {
        if place == "outside" || place == "third" {
            *outcomes.reached.entry(kind).or_default() += 1;
        }
    }
    Ok(())
}

fn directories(module: &mut Module, grants: &[Grant]) -> anyhow::Result<Vec<u32>> {
    let preopens = module.preopens()?;
    let find = |name: &str| {
        preopens
            .iter()
            .find(|(_, known)| known == name)
            .map(|(fd, _)| *fd)
    };
    let mut found = Vec::new();
    for grant in grants {
        let absolute = format!("/{}", grant.guest);
        let fd = match find(&grant.guest).or_else(|| find(&absolute)) {
            Some(fd) => fd,
            None => {
                let root = find("/").context("no preopen is the root")?;
                module
                    .open(root, &grant.guest, "d")?
                    .map_err(|errno| anyhow::anyhow!("{errno}"))?
            }
        };
        found.push(fd);
    }
    Ok(found)
}

/// Puts something else at one of the names.
fn replace(root: &Path, rng: &mut Rng) -> std::io::Result<()> {
    let place = if rng.bool() { "granted" } else { "also" };
    let path = root.join(place).join(NAMES[rng.usize(..NAMES.len())]);
    let new = root.join("next");
    match rng.u8(..8) {
        0 => fs::write(&new, "by the host")?,
        1 | 2 => {
            fs::create_dir_all(new.join("sub"))?;
            fs::write(new.join("file"), "by the host")?;
            fs::write(new.join("sub/file"), "by the host")?;
            symlink(root.join("outside/sub"), new.join("new"))?;
        }
        3 => symlink(root.join("outside/file"), &new)?,
        4 => symlink(root.join("outside"), &new)?,
        5 => symlink("../outside/sub", &new)?,
        6 => symlink(root.join("outside/new"), &new)?,
        _ => symlink("../also", &new)?,
    }
    if fs::rename(&new, &path).is_ok() {
        return Ok(());
    }
    // A directory is in the way of what isn't one, or the other way round.
    let old = root.join("old");
    let moved = fs::rename(&path, &old);
    let renamed = fs::rename(&new, &path);
    for left in [&old, &new] {
        if left.symlink_metadata().is_ok() {
            fs::remove_file(left).or_else(|_| fs::remove_dir_all(left))?;
        }
    }
    moved.and(renamed)
}

fn call(
    module: &mut Module,
    directories: &[u32],
    rng: &mut Rng,
    outcomes: &mut Outcomes,
) -> anyhow::Result<Outcome> {
    let mut path = || {
        let below = [
            "",
            "",
            "",
            "/file",
            "/new",
            "/sub/file",
            "/new/file",
            "/made",
        ];
        let below = below[rng.usize(..below.len())];
        format!("{}{below}", NAMES[rng.usize(..NAMES.len())])
    };
    let (path, other) = (path(), path());
    let directory = directories[rng.usize(..directories.len())];
    let second = directories[rng.usize(..directories.len())];
    let (from, to) = ((directory, &*path), (second, &*other));
    match rng.u8(..14) {
        0 | 1 => open_and(module, from, "r", |module, fd| {
            Ok(module.read(fd)?.map(drop))
        }),
        2 => open_and(module, from, "wc", |module, fd| module.write(fd, b"evil")),
        3 => open_and(module, from, "w", |module, fd| module.write(fd, b"evil")),
        4 => open_and(module, from, "wt", |_, _| Ok(Ok(()))),
        5 => open_and(module, from, "d", |module, fd| {
            Ok(module.list(fd, 0)?.map(drop))
        }),
        6 => open_and(module, from, "d", |module, fd| {
            let made = module.at("path_create_directory", fd, "made")?;
            open_and(module, (fd, "file"), "r", |module, fd| {
                Ok(module.read(fd)?.map(drop))
            })?
            .and(made)
            .map_or_else(|errno| Ok(Err(errno)), |()| Ok(Ok(())))
        }),
        7 => module.at("path_unlink_file", directory, &path),
        8 => module.at("path_create_directory", directory, &path),
        9 => module.at("path_remove_directory", directory, &path),
        10 => module.move_or_link(None, from, to),
        11 => module.move_or_link(Some(rng.bool()), from, to),
        12 => module.times(directory, &path),
        _ => Ok(module.stat(directory, &path, rng.bool())?.map(|size| {
            if Tree::place_of_size(size) == Some("outside") {
                *outcomes.reached.entry(Reached::Size).or_default() += 1;
            }
        })),
    }
}

fn open_and(
    module: &mut Module,
    (directory, path): (u32, &str),
    how: &str,
    then: impl FnOnce(&mut Module, u32) -> anyhow::Result<Outcome>,
) -> anyhow::Result<Outcome> {
    match module.open(directory, path, how)? {
        Ok(fd) => {
            let outcome = then(module, fd)?;
            let _closed = module.on("fd_close", fd, &[])?;
            Ok(outcome)
        }
        Err(errno) => Ok(Err(errno)),
    }
}
