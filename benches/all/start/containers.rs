//! A static native program by itself, and in containers.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use super::took::{Took, of_process};
use crate::context::Context;
use crate::own;

/// The program in a root of its own, and the directory that it sees.
pub struct Containers {
    /// On a disk: a directory in memory may allow no programs.
    work: TempDir,
    /// The reason for which there is no program.
    missing: Option<String>,
    /// The containers that runc has made, each with a name of its own.
    made: Cell<usize>,
}

/// The directory in a container.
const GRANTED: &str = "/data";

impl Containers {
    /// Compiles the program.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn new(context: &Context) -> anyhow::Result<Self> {
        let work = tempfile::tempdir()?;
        let root = work.path().join("rootfs");
        for directory in ["data", "dev", "proc"] {
            fs::create_dir_all(root.join(directory))?;
        }
        fs::create_dir(work.path().join("granted"))?;
        context.say("start: compiling the native program");
        let compiled = Command::new("cc")
            .args(["-static", "-O2", "-o"])
            .arg(root.join("byte"))
            .arg(own("guests/byte.c"))
            .status();
        let missing = match compiled {
            Ok(status) if status.success() => None,
            Ok(status) => Some(format!("`cc -static` fails: {status}")),
            Err(error) => Some(format!("there is no `cc`: {error}")),
        };
        Ok(Self {
            work,
            missing,
            made: Cell::new(0),
        })
    }

    /// The way to start it in a column.
    ///
    /// # Errors
    /// A program that isn't there, or doesn't work here; what the reason is.
    pub fn way<'a>(
        &'a self,
        context: &Context,
        column: &str,
    ) -> anyhow::Result<Box<dyn FnMut() -> anyhow::Result<Took> + 'a>> {
        let tried = self.try_way(column);
        if let Err(reason) = &tried {
            context.skip(&format!("start, {column}"), &format!("{reason:#}"));
        }
        tried
    }

    fn try_way<'a>(
        &'a self,
        column: &str,
    ) -> anyhow::Result<Box<dyn FnMut() -> anyhow::Result<Took> + 'a>> {
        if let Some(missing) = &self.missing {
            bail!("{missing}");
        }
        let make: fn(&Self) -> Command = match column {
            "native" => |all| Command::new(all.root().join("byte")),
            "bubblewrap" => Self::bubblewrap,
            "runc" => {
                self.bundle()?;
                Self::runc
            }
            "minijail" => Self::minijail,
            _ => bail!("no column is called {column}"),
        };
        let command = make(self);
        let program = command.get_program().to_string_lossy().into_owned();
        let once = of_process(command);
        if let Err(error) = &once
            && let Some(io::ErrorKind::NotFound) = error.downcast_ref().map(io::Error::kind)
        {
            bail!("`{program}` isn't installed");
        }
        let once = once.with_context(|| format!("{column} doesn't work here"))?;
        ensure!(once.0 <= once.1, "the clock goes backwards");
        Ok(Box::new(move || of_process(make(self))))
    }

    fn root(&self) -> PathBuf {
        self.work.path().join("rootfs")
    }

    fn granted(&self) -> PathBuf {
        self.work.path().join("granted")
    }

    fn bubblewrap(&self) -> Command {
        let mut command = Command::new("bwrap");
        command
            .args([
                "--unshare-all",
                "--die-with-parent",
                "--new-session",
                "--ro-bind",
            ])
            .arg(self.root())
            .args(["/", "--ro-bind"])
            .arg(self.granted())
            .args([GRANTED, "--proc", "/proc", "--dev", "/dev", "/byte"]);
        command
    }

    fn minijail(&self) -> Command {
        let mut command = Command::new("minijail0");
        command
            .args(["-v", "-p", "-e", "-l", "-N", "-r", "-n", "-c", "0", "-P"])
            .arg(self.root())
            .arg("-b")
            .arg(format!("{},{GRANTED}", self.granted().display()))
            .args(["--", "/byte"]);
        command
    }

    fn runc(&self) -> Command {
        let number = self.made.get();
        self.made.set(number + 1);
        let mut command = Command::new("runc");
        command
            .arg("--root")
            .arg(self.work.path().join("runc"))
            .args(["run", "--bundle"])
            .arg(self.work.path())
            .arg(format!(
                "wasix-landlock-bench-{}-{number}",
                std::process::id()
            ));
        command
    }

    /// runc's own configuration of a container, without a terminal, and with the directory.
    fn bundle(&self) -> anyhow::Result<()> {
        let bundle = self.work.path();
        let file = bundle.join("config.json");
        if !file.exists() {
            let made = Command::new("runc")
                .arg("spec")
                .arg("--bundle")
                .arg(bundle)
                .status();
            let status = made.context("there is no runc")?;
            ensure!(status.success(), "runc spec: {status}");
        }
        configure(&file, &self.granted())
    }
}

fn configure(file: &Path, granted: &Path) -> anyhow::Result<()> {
    let mut config: serde_json::Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = serde_json::json!(["/byte"]);
    let mounts = config["mounts"].as_array_mut().context("no mounts")?;
    if mounts.iter().all(|mount| mount["destination"] != GRANTED) {
        mounts.push(serde_json::json!({
            "destination": GRANTED,
            "type": "bind",
            "source": granted,
            "options": ["bind", "ro"],
        }));
    }
    Ok(fs::write(file, serde_json::to_string(&config)?)?)
}
