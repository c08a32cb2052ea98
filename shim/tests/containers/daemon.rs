//! A containerd of the tests' own.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The time that containerd gets to answer for the first time.
const START: Duration = Duration::from_secs(20);
/// The time that the last shims get to end.
const END: Duration = Duration::from_secs(5);
/// The time that a container gets.
const LONGEST: &str = "60";

/// The variable that names a directory with another `containerd` and `ctr` than those of the machine.
pub(crate) const OTHER: &str = "WASIX_LANDLOCK_CONTAINERD";

/// The directories with programs: that of [`OTHER`] comes first.
pub(crate) fn search_path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_default();
    match env::var_os(OTHER) {
        Some(other) => [other, own].join(":".as_ref()),
        None => own,
    }
}

/// One of containerd's programs, or one that these call.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", search_path());
    command
}

/// The version of containerd from which on an image with layers that are no files can be unpacked.
const UNPACKS: (u32, u32) = (1, 7);

/// Checks that containerd unpacks images with Wasm layers.
pub(crate) fn unpacks_artifacts() -> Result<(), String> {
    let said = program("containerd").arg("--version").output();
    let said = said.map_err(|error| format!("there is no containerd: {error}"))?;
    let said = String::from_utf8_lossy(&said.stdout);
    let version = said.split_whitespace().nth(2).unwrap_or("unknown");
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= UNPACKS => Ok(()),
        _ => Err(format!(
            "containerd {version} can't unpack an image with a Wasm layer; `.ci/containerd` prints the directory of one that can, for {OTHER}"
        )),
    }
}

/// A running containerd, with its own root, state and socket.
pub(crate) struct Daemon {
    directory: TempDir,
    /// The socket by which `ctr` reaches containerd.
    answers_at: PathBuf,
    child: Child,
    /// Starts containerd once more.
    again: Command,
    programs: PathBuf,
}

impl Daemon {
    /// Starts containerd, which finds the shims in `programs` first, and has `variables` in its environment.
    pub(crate) fn start(programs: &Path, variables: &[(&str, &str)]) -> Result<Self, String> {
        // The path of a socket has to be short.
        let directory = tempfile::Builder::new().prefix("shim").tempdir_in("/tmp");
        let directory = directory.map_err(|error| error.to_string())?;
        let at = |name: &str| directory.path().join(name);
        let configuration = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {:?}\n",
            at("root"),
            at("state"),
            at("socket"),
        );
        fs::write(at("config.toml"), configuration).map_err(|error| error.to_string())?;
        let mut path = programs.as_os_str().to_owned();
        path.push(":");
        path.push(search_path());
        let log = File::create(at("log")).map_err(|error| error.to_string())?;
        let mut again = Command::new("containerd");
        again
            .arg("--config")
            .arg(at("config.toml"))
            .env("PATH", path)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = again.spawn();
        let child = child.map_err(|error| format!("containerd can't be started: {error}"))?;
        let mut daemon = Self {
            answers_at: at("socket"),
            directory,
            child,
            again,
            programs: programs.to_owned(),
        };
        daemon.wait_for_answer()?;
        Ok(daemon)
    }

    fn wait_for_answer(&mut self) -> Result<(), String> {
        let until = Instant::now() + START;
        while !self.ctr(["version"]).status.success() {
            let log = self.log();
            let last = log.lines().rfind(|line| !line.is_empty());
            let last = last.unwrap_or("its log is empty");
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("containerd has ended ({status}): {last}"));
            }
            if Instant::now() > until {
                return Err(format!("containerd doesn't answer: {last}"));
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Kills containerd, and starts it once more with the same directories.
    pub(crate) fn restart(&mut self) {
        self.child.kill().expect("containerd runs");
        self.child.wait().expect("it was started");
        self.child = self.again.spawn().expect("containerd starts");
        self.wait_for_answer().expect("containerd answers");
    }

    /// Runs `ctr`.
    pub(crate) fn ctr<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let output = self.command().args(arguments).stdin(Stdio::null()).output();
        output.expect("ctr starts")
    }

    /// `ctr`, which is ended if it takes too long.
    pub(crate) fn command(&self) -> Command {
        let mut command = program("timeout");
        // In the foreground, so that `ctr` may use a terminal.
        command.args([
            "--foreground",
            "--kill-after=5",
            LONGEST,
            "ctr",
            "--address",
        ]);
        command.arg(&self.answers_at);
        command
    }

    /// Moves the socket, so that shims don't reach containerd, and `ctr` does.
    pub(crate) fn move_socket(&mut self) {
        let moved = self.directory.path().join("moved");
        fs::rename(&self.answers_at, &moved).expect("the socket is renamed");
        self.answers_at = moved;
    }

    /// Imports an image, of any platform.
    pub(crate) fn import(&self, image: &Path) {
        let mut options = vec!["image", "import", "--snapshotter=native", "--all-platforms"];
        let help = self.ctr(["image", "import", "--help"]);
        // Since 2.0, containerd itself imports by default, and then unpacks for its own platform and snapshotter alone.
        if String::from_utf8_lossy(&help.stdout).contains("--local") {
            options.push("--local");
        }
        let arguments = options.into_iter().map(OsStr::new);
        let imported = self.ctr(arguments.chain([image.as_os_str()]));
        assert!(imported.status.success(), "{imported:?}");
    }

    /// The state of a running container, in the daemon's directory.
    pub(crate) fn bundle(&self, id: &str) -> PathBuf {
        let bundles = "state/io.containerd.runtime.v2.task/default";
        self.directory.path().join(bundles).join(id)
    }

    /// The directory in which containerd finds shims first.
    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    /// The path of containerd's socket, which its shims have among their arguments.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// True if a shim of this containerd runs.
    fn has_shims(&self) -> bool {
        let socket = self.socket();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines.any(|line| {
            let mut words = line.split(|byte| *byte == 0);
            let is_shim = words.next().is_some_and(|program| {
                String::from_utf8_lossy(program).contains("containerd-shim-")
            });
            is_shim && words.any(|word| word == socket.as_os_str().as_encoded_bytes())
        })
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Shims end by themselves once their containers have, and containerd removes what they leave.
        let until = Instant::now() + END;
        while self.has_shims() && Instant::now() < until {
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns another name for a container.
pub(crate) fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "c{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
