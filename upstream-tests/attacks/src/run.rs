//! Runs a case: in a fresh tree, with a module in a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::case::{Case, Step};
use crate::module::{Module, Outcome};
use crate::tree::{Left, Reached, Tree};
use crate::worker::{Grant, Request, Way};

/// The program that a case is run on.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The program whose processes run modules.
    pub program: &'a Path,
    /// True if the kernel enforces.
    pub enforced: bool,
    /// True if paths that lead out of a directory are written so that a planted fault lets them: see the
    /// feature `landlock-kernel-alone`.
    pub planted: bool,
    /// True if what a step expects is compared.
    pub compare: bool,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The contents reached that are not granted, and their places.
    pub reached: BTreeSet<(String, Reached)>,
    /// Steps that came to something else than they should.
    pub unexpected: Vec<String>,
    /// The message of the module's process when it ended before its time.
    pub crashed: Option<String>,
    /// The result of each step of the module, up to its end.
    pub came_to: Vec<&'static str>,
    /// The directories' contents at the end.
    pub left: Left,
}

/// Runs a case.
///
/// # Errors
/// If it can't be run, or what is granted doesn't work: then nothing was shown.
pub fn run(case: &Case, way: Way, subject: &Subject<'_>) -> anyhow::Result<Verdict> {
    let mut tree = Tree::new()?;
    let grants: Vec<Grant> = case
        .grants
        .iter()
        .map(|(guest, place, rights)| Grant {
            guest: guest.clone(),
            host: tree.path(place),
            read: rights.contains('r'),
            write: rights.contains('w'),
            create: rights.contains('c'),
        })
        .collect();
    let request = Request {
        way,
        grants: grants.clone(),
        forbidden: tree.path("outside/file"),
        enforced: subject.enforced,
    };
    let setup = case
        .steps
        .iter()
        .take_while(|step| step.words[0] == "host")
        .count();
    let (before, after) = case.steps.split_at(setup);
    for step in before {
        host(tree.root(), &step.words[1..]).with_context(|| format!("{:?}", step.words))?;
    }
    tree.remember()?;
    let mode = if subject.enforced { "enforce" } else { "off" };
    let module = Module::start(subject.program, &request, mode)?;
    let mut running = Running {
        module,
        names: BTreeMap::new(),
        subject,
        top: tree.root().to_string_lossy().into_owned(),
        sizes: BTreeSet::new(),
        came_to: Vec::new(),
    };
    let done = running.find_grants(&grants);
    let started = done.is_ok();
    let done = done.and_then(|()| running.all(&mut tree, after));
    let Running {
        module,
        sizes,
        came_to,
        ..
    } = running;
    let seen = module.seen.clone();
    let ended = module.end();
    let (unexpected, crashed) = match (done, ended) {
        (Ok(unexpected), Ok(())) => (unexpected, None),
        // What it has reached before counts all the same.
        (Err(error), Err(said)) if started => (Vec::new(), Some(format!("{error:#}: {said:#}"))),
        (Err(error), Err(said)) => bail!("{error:#}: {said:#}"),
        (Err(error), Ok(())) | (Ok(_), Err(error)) => return Err(error),
    };
    let mut reached = tree.reached(&grants, &seen)?;
    let granted = |place: &str| {
        grants
            .iter()
            .any(|grant| grant.host.starts_with(tree.path(place)))
    };
    reached.extend(
        sizes
            .into_iter()
            .filter(|place| !granted(place))
            .map(|place| (place.to_owned(), Reached::Size)),
    );
    Ok(Verdict {
        reached,
        unexpected,
        crashed,
        came_to,
        left: tree.left()?,
    })
}

struct Running<'a> {
    module: Module,
    /// Descriptors by their names in the case.
    names: BTreeMap<String, u32>,
    subject: &'a Subject<'a>,
    top: String,
    /// Places whose files' sizes became known.
    sizes: BTreeSet<&'static str>,
    /// The result of each step.
    came_to: Vec<&'static str>,
}

impl Running<'_> {
    fn all(&mut self, tree: &mut Tree, steps: &[Step]) -> anyhow::Result<Vec<String>> {
        let mut unexpected = Vec::new();
        for step in steps {
            if step.words[0] == "host" {
                tree.excuse(|root| host(root, &step.words[1..]))
                    .with_context(|| format!("{:?}", step.words))?;
                continue;
            }
            let outcome = self
                .step(&step.words)
                .with_context(|| format!("{:?}", step.words))?;
            let came_to = outcome.map_or_else(|errno| errno.name(), |()| "ok");
            self.came_to.push(came_to);
            if self.subject.compare && !step.expects(came_to) {
                unexpected.push(format!("{}: {came_to}", step.words.join(" ")));
            }
        }
        Ok(unexpected)
    }

    /// Finds what is granted, and shows that it works: else no refusal would mean anything.
    fn find_grants(&mut self, grants: &[Grant]) -> anyhow::Result<()> {
        let preopens = self.module.preopens()?;
        for (fd, name) in &preopens {
            self.names.insert(name.clone(), *fd);
        }
        for grant in grants {
            let absolute = format!("/{}", grant.guest);
            let known = [&grant.guest, &absolute]
                .into_iter()
                .find_map(|name| self.names.get(name).copied());
            let fd = match known {
                Some(fd) => fd,
                None => {
                    let root = *self
                        .names
                        .get("/")
                        .with_context(|| format!("no preopen is the root: {preopens:?}"))?;
                    let opened = self.module.open(root, &grant.guest, "d")?;
                    opened.map_err(|errno| {
                        anyhow::anyhow!("{} can't be opened: {errno}", grant.guest)
                    })?
                }
            };
            self.names.insert(grant.guest.clone(), fd);
            if grant.read && grant.host.join("file").is_file() {
                let opened = self.module.open(fd, "file", "r")?;
                let file = opened
                    .map_err(|errno| anyhow::anyhow!("what is granted can't be opened: {errno}"))?;
                let read = self.module.read(file)?;
                ensure!(
                    read.is_ok_and(|bytes| !bytes.is_empty()),
                    "what is granted can't be read"
                );
                let _closed = self.module.on("fd_close", file, &[])?;
            }
        }
        self.module.seen.clear();
        Ok(())
    }

    fn fd(&self, name: &str) -> anyhow::Result<u32> {
        if let Ok(number) = name.parse() {
            return Ok(number);
        }
        // What was to be opened, and wasn't.
        Ok(self.names.get(name).copied().unwrap_or(u32::MAX - 1))
    }

    /// A path as it is passed to the module.
    fn path(&self, path: &str) -> String {
        let (up, top) = if self.subject.planted {
            ("...", "....")
        } else {
            ("..", "")
        };
        path.replace("$UP", up)
            .replace("$TOP", top)
            .replace("$T", &self.top)
            .replace("''", "")
            .replace("\\0", "\0")
    }

    fn step(&mut self, words: &[String]) -> anyhow::Result<Outcome> {
        let words: Vec<String> = words.iter().map(|word| self.path(word)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let evil = b"evil";
        Ok(match words.as_slice() {
            ["open", dir, path, how] => self.keep(dir, path, how, path)?,
            ["open", dir, path, how, "as", name] => self.keep(dir, path, how, name)?,
            ["get", dir, path] => match self.module.open(self.fd(dir)?, path, "r")? {
                Ok(fd) => {
                    let read = self.module.read(fd)?.map(drop);
                    let _closed = self.close(fd)?;
                    read
                }
                Err(errno) => Err(errno),
            },
            ["put", dir, path] => self.write_at(dir, path, "wc")?,
            ["change", dir, path] => self.write_at(dir, path, "w")?,
            ["try", dir, path, how] => match self.module.open(self.fd(dir)?, path, how)? {
                Ok(fd) => self.close(fd)?,
                Err(errno) => Err(errno),
            },
            ["ls", dir, path] => match self.module.open(self.fd(dir)?, path, "d")? {
                Ok(fd) => {
                    let listed = self.module.list(fd, 0)?.map(drop);
                    let _closed = self.close(fd)?;
                    listed
                }
                Err(errno) => Err(errno),
            },
            ["read", fd] => self.module.read(self.fd(fd)?)?.map(drop),
            ["write", fd] => self.module.write(self.fd(fd)?, evil)?,
            ["list", fd] => self.module.list(self.fd(fd)?, 0)?.map(drop),
            ["list", fd, cookie] => self.module.list(self.fd(fd)?, cookie.parse()?)?.map(drop),
            ["close", fd] => self.close(self.fd(fd)?)?,
            ["size", fd, size] => {
                self.module
                    .on("fd_filestat_set_size", self.fd(fd)?, &[size.parse()?])?
            }
            ["allocate", fd, size] => {
                self.module
                    .on("fd_allocate", self.fd(fd)?, &[0, size.parse()?])?
            }
            ["flags", fd, flags] => {
                self.module
                    .on("fd_fdstat_set_flags", self.fd(fd)?, &[flags.parse()?])?
            }
            ["rights", fd] => self.module.on(
                "fd_fdstat_set_rights",
                self.fd(fd)?,
                &[0x0fff_ffff, 0x0fff_ffff],
            )?,
            ["times", fd] => self.module.on(
                "fd_filestat_set_times",
                self.fd(fd)?,
                &[1_000_000_000, 1_000_000_000, 5],
            )?,
            ["renumber", from, to] => {
                let (from, to) = (self.fd(from)?, self.fd(to)?);
                self.module.on("fd_renumber", from, &[to.into()])?
            }
            ["mkdir", dir, path] => self
                .module
                .at("path_create_directory", self.fd(dir)?, path)?,
            ["rmdir", dir, path] => self
                .module
                .at("path_remove_directory", self.fd(dir)?, path)?,
            ["unlink", dir, path] => self.module.at("path_unlink_file", self.fd(dir)?, path)?,
            ["readlink", dir, path] => self.module.readlink(self.fd(dir)?, path)?,
            ["stat", dir, path] => self.stat(dir, path, true)?,
            ["lstat", dir, path] => self.stat(dir, path, false)?,
            ["touch", dir, path] => self.module.times(self.fd(dir)?, path)?,
            ["rename", from, old, to, new] => self.move_or_link(None, (from, old), (to, new))?,
            ["link", from, old, to, new] => {
                self.move_or_link(Some(false), (from, old), (to, new))?
            }
            ["linkf", from, old, to, new] => {
                self.move_or_link(Some(true), (from, old), (to, new))?
            }
            ["symlink", target, dir, path] => self.module.symlink(target, self.fd(dir)?, path)?,
            _ => bail!("no such step"),
        })
    }

    fn keep(&mut self, dir: &str, path: &str, how: &str, name: &str) -> anyhow::Result<Outcome> {
        Ok(self.module.open(self.fd(dir)?, path, how)?.map(|fd| {
            self.names.insert(name.to_owned(), fd);
        }))
    }

    fn close(&mut self, fd: u32) -> anyhow::Result<Outcome> {
        self.module.on("fd_close", fd, &[])
    }

    fn write_at(&mut self, dir: &str, path: &str, how: &str) -> anyhow::Result<Outcome> {
        match self.module.open(self.fd(dir)?, path, how)? {
            Ok(fd) => {
                let written = self.module.write(fd, b"evil")?;
                self.close(fd)?
                    .and(written)
                    .map_or_else(|errno| Ok(Err(errno)), |()| Ok(Ok(())))
            }
            Err(errno) => Ok(Err(errno)),
        }
    }

    fn stat(&mut self, dir: &str, path: &str, follow: bool) -> anyhow::Result<Outcome> {
        Ok(self.module.stat(self.fd(dir)?, path, follow)?.map(|size| {
            self.sizes.extend(Tree::place_of_size(size));
        }))
    }

    fn move_or_link(
        &mut self,
        link: Option<bool>,
        (from, old): (&str, &str),
        (to, new): (&str, &str),
    ) -> anyhow::Result<Outcome> {
        let (from, to) = (self.fd(from)?, self.fd(to)?);
        self.module.move_or_link(link, (from, old), (to, new))
    }
}

/// Something that is done on the host, outside of any restriction. Paths are below `root`.
///
/// # Errors
/// If the host refuses.
pub fn host(root: &Path, words: &[String]) -> anyhow::Result<()> {
    let top = root.to_string_lossy();
    let at = |path: &str| root.join(path.replace("$T", &top));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["symlink", target, path] => {
            let path = at(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            symlink(target.replace("$T", &top), path)?;
        }
        ["mkdir", path] => fs::create_dir_all(at(path))?,
        ["socket", path] => drop(UnixListener::bind(at(path))?),
        ["fifo", path] => {
            let made = Command::new("mkfifo").arg(at(path)).status()?;
            ensure!(made.success(), "mkfifo failed");
        }
        ["write", path] => fs::write(at(path), "by the host")?,
        ["link", from, to] => fs::hard_link(at(from), at(to))?,
        ["rename", from, to] => fs::rename(at(from), at(to))?,
        ["rm", path] => fs::remove_file(at(path))?,
        ["rmdir", path] => fs::remove_dir_all(at(path))?,
        // As seen by somebody else, one thing becomes another.
        ["replace", path, "symlink", target] => {
            let made = root.join("replacement");
            symlink(target.replace("$T", &top), &made)?;
            let path = at(path);
            if path
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_dir())
            {
                fs::remove_dir_all(&path)?;
            }
            fs::rename(&made, path)?;
        }
        _ => bail!("no such step of the host"),
    }
    Ok(())
}
