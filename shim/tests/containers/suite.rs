//! A containerd with images, and the ways to run their containers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    daemon::{self, Daemon, name},
    guests, image,
};

/// The image with all guests.
pub(crate) const IMAGE: &str = "localhost/modules:1";
/// The content of a file of the image that no mount shows.
pub(crate) const SECRET: &str = "a secret of the image";

/// A case.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The reason why the case can't be run here, if there is one.
    pub(crate) needs: fn(&Suite) -> Result<(), String>,
    pub(crate) run: fn(&Suite),
}

impl Case {
    pub(crate) const fn new(name: &'static str, run: fn(&Suite)) -> Self {
        let needs = |_: &Suite| Ok(());
        Self { name, needs, run }
    }
}

/// The program that runs a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// The shim as shipped.
    Shim,
    /// The shim whose WASI layer checks nothing.
    KernelAlone,
    /// The shim on Wasmer as published.
    Unpatched,
    /// Native programs.
    Runc,
}

impl Runtime {
    /// The name for containerd.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Shim => "io.containerd.wasixlandlock.v1",
            Self::KernelAlone => "io.containerd.wasixkernelalone.v1",
            Self::Unpatched => "io.containerd.wasixunpatched.v1",
            Self::Runc => "io.containerd.runc.v2",
        }
    }
}

/// The daemon with its images.
pub(crate) struct Suite {
    pub(crate) daemon: Daemon,
    /// The native program, or the reason why there is none.
    pub(crate) native: Result<PathBuf, String>,
    place: TempDir,
}

impl Suite {
    /// Starts a daemon that finds shims in `programs`, with `variables`, and imports the image.
    pub(crate) fn start(programs: &Path, variables: &[(&str, &str)]) -> Result<Self, String> {
        for name in ["containerd", "ctr", "runc"] {
            let found = daemon::program(name).arg("--version").output();
            found.map_err(|_| format!("there is no {name}"))?;
        }
        let user = Command::new("id").arg("-u").output();
        if !user.is_ok_and(|id| id.stdout == b"0\n") {
            return Err("containers need root".to_owned());
        }
        let daemon = Daemon::start(programs, variables)?;
        let place = TempDir::new().map_err(|error| error.to_string())?;
        let native = guests::native(place.path());
        let archive = place.path().join("image.tar");
        let files = guests::files(native.as_deref().ok());
        let files = files.map_err(|error| error.to_string())?;
        image::write(&archive, IMAGE, &files).map_err(|error| error.to_string())?;
        daemon.import(&archive);
        Ok(Self {
            daemon,
            native,
            place,
        })
    }

    /// A directory of the suite's own.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }

    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    /// Runs a container of the shim under test to its end.
    pub(crate) fn run(&self, options: &[String], arguments: &[&str]) -> Output {
        self.run_by(Runtime::Shim, options, arguments)
    }

    /// Runs a container to its end.
    pub(crate) fn run_by(&self, by: Runtime, options: &[String], arguments: &[&str]) -> Output {
        let mut command = self.command_by(by, options, &name(), arguments);
        command.stdin(Stdio::null()).output().expect("ctr starts")
    }

    pub(crate) fn command(&self, options: &[String], id: &str, arguments: &[&str]) -> Command {
        self.command_by(Runtime::Shim, options, id, arguments)
    }

    pub(crate) fn command_by(
        &self,
        by: Runtime,
        options: &[String],
        id: &str,
        arguments: &[&str],
    ) -> Command {
        self.command_of(IMAGE, by, options, id, arguments)
    }

    /// Runs a container of another image to its end.
    pub(crate) fn run_of(&self, image: &str, options: &[String], arguments: &[&str]) -> Output {
        let mut command = self.command_of(image, Runtime::Shim, options, &name(), arguments);
        command.stdin(Stdio::null()).output().expect("ctr starts")
    }

    fn command_of(
        &self,
        image: &str,
        by: Runtime,
        options: &[String],
        id: &str,
        arguments: &[&str],
    ) -> Command {
        let mut command = self.daemon.command();
        command.args([
            "run",
            "--rm",
            "--snapshotter=native",
            "--runtime",
            by.name(),
        ]);
        command.args(options).args([image, id]).args(arguments);
        command
    }

    /// Runs a container of a configuration of its own to its end.
    pub(crate) fn run_configured(&self, by: Runtime, configuration: &Path) -> Output {
        let mut command = self.daemon.command();
        command.args(["run", "--rm", "--runtime", by.name(), "--config"]);
        command.arg(configuration).arg(name());
        command.stdin(Stdio::null()).output().expect("ctr starts")
    }

    /// The directory of a running container's process in `/proc`.
    pub(crate) fn process_of(&self, id: &str) -> PathBuf {
        let listed = text(&self.daemon.ctr(["task", "ls"]).stdout);
        let mut rows = listed.lines().map(str::split_whitespace);
        let number = rows.find_map(|mut row| (row.next()? == id).then(|| row.next())?);
        Path::new("/proc").join(number.expect("the task is listed"))
    }

    /// The report of a running container.
    pub(crate) fn report_of(&self, id: &str) -> PathBuf {
        self.daemon.bundle(id).join("landlock-report.json")
    }

    /// Waits for the report, which is written when the container is restricted.
    pub(crate) fn wait_until_restricted(&self, id: &str) {
        let report = self.report_of(id);
        let until = Instant::now() + Duration::from_secs(30);
        while !fs::metadata(&report).is_ok_and(|report| report.len() > 0) {
            assert!(Instant::now() < until, "{id} wasn't restricted");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a container that waits, and returns once it runs.
    pub(crate) fn start_waiting(&self, options: &[String]) -> Waiting<'_> {
        self.start_waiting_of(IMAGE, options, "/waits.wasm")
    }

    /// Starts a container of another image, whose `program` waits.
    pub(crate) fn start_waiting_of(
        &self,
        image: &str,
        options: &[String],
        program: &str,
    ) -> Waiting<'_> {
        let id = name();
        let mut command = self.command_of(image, Runtime::Shim, options, &id, &[program]);
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped());
        let child = child.spawn().expect("ctr starts");
        self.wait_until_restricted(&id);
        Waiting {
            suite: self,
            id,
            child,
        }
    }
}

/// A container that waits.
pub(crate) struct Waiting<'s> {
    suite: &'s Suite,
    pub(crate) id: String,
    child: Child,
}

impl Waiting<'_> {
    /// The directory of its process in `/proc`.
    pub(crate) fn process(&self) -> PathBuf {
        self.suite.process_of(&self.id)
    }

    /// Sends a signal, and returns the container's exit code.
    pub(crate) fn end_by(self, signal: &str) -> Option<i32> {
        let sent = self
            .suite
            .daemon
            .ctr(["task", "kill", "--signal", signal, &self.id]);
        assert!(sent.status.success(), "{sent:?}");
        let ended = self.child.wait_with_output().expect("it was started");
        // The code of `ctr` itself.
        assert_ne!(ended.status.code(), Some(1), "{ended:?}");
        ended.status.code()
    }
}

pub(crate) fn mount(host: &Path, at: &str, rights: &str) -> String {
    format!(
        "--mount=type=bind,src={},dst={at},options=rbind:{rights}",
        host.display()
    )
}

pub(crate) fn annotation(name: &str, value: &str) -> String {
    format!("--annotation=wasix-landlock/{name}={value}")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The probe's line for an attempt.
pub(crate) fn outcome<'o>(output: &'o str, attempt: &str) -> &'o str {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix(attempt)?.strip_prefix('\t'));
    line.unwrap_or_else(|| panic!("no line for {attempt} in {output}"))
}

pub(crate) fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().expect("a directory is made");
    for (path, text) in files {
        fs::write(directory.path().join(path), text).expect("a file is written");
    }
    directory
}
