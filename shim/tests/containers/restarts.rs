//! Containers that are started again, a containerd that is, and what is left behind.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    daemon::Daemon,
    suite::{Case, IMAGE, Runtime, Suite, text},
};

/// Every case.
pub(crate) const ALL: &[Case] = &[
    Case::new("a_container_starts_twenty_times_by_one_name", again),
    Case::new(
        "a_container_outlives_containerd_s_restart",
        containerd_restarts,
    ),
];

const TIMES: usize = 20;

fn again(suite: &Suite) {
    let id = format!("again{}", std::process::id());
    for _ in 0..TIMES {
        start(&suite.daemon, &id);
        let before = Remains::of(&suite.daemon, &id);
        // Each way of looking finds the running container, so that finding nothing means something.
        assert!(before.is_whole(), "{before:?}");
        stop(&suite.daemon, &id);
        assert_nothing_is_left(&suite.daemon, &id, &before.sockets);
    }
}

/// With a containerd of its own, since others would lose theirs.
fn containerd_restarts(suite: &Suite) {
    let programs = suite.daemon.programs().to_owned();
    let mut own = Suite::start(&programs, &[]).expect("a second containerd starts");
    let id = format!("outlives{}", std::process::id());
    start(&own.daemon, &id);
    let before = Remains::of(&own.daemon, &id);
    own.daemon.restart();
    let listed = text(&own.daemon.ctr(["task", "ls"]).stdout);
    let row = listed.lines().find(|row| row.starts_with(&id));
    assert!(row.is_some_and(|row| row.contains("RUNNING")), "{listed}");
    stop(&own.daemon, &id);
    assert_nothing_is_left(&own.daemon, &id, &before.sockets);
}

/// Starts a container that waits, and returns once its task runs.
fn start(daemon: &Daemon, id: &str) {
    let runtime = Runtime::Shim.name();
    let options = [
        "run",
        "--detach",
        "--null-io",
        "--snapshotter=native",
        "--runtime",
        runtime,
    ];
    let ran = daemon.ctr(options.into_iter().chain([IMAGE, id, "/waits.wasm"]));
    assert!(ran.status.success(), "{ran:?}");
}

/// Kills a container, and deletes its task and itself. Its exit code is known until then.
fn stop(daemon: &Daemon, id: &str) {
    let killed = daemon.ctr(["task", "kill", "--signal", "KILL", id]);
    assert!(killed.status.success(), "{killed:?}");
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let listed = text(&daemon.ctr(["task", "ls"]).stdout);
        let row = listed
            .lines()
            .find(|row| row.split_whitespace().next() == Some(id));
        if row.is_some_and(|row| row.contains("STOPPED")) {
            break;
        }
        assert!(Instant::now() < until, "{id} doesn't end: {listed}");
        thread::sleep(Duration::from_millis(20));
    }
    let deleted = daemon.ctr(["task", "delete", id]);
    let said = text(&deleted.stderr);
    assert!(
        deleted.status.success() && said.contains("exit code 137"),
        "{deleted:?}"
    );
    let removed = daemon.ctr(["container", "delete", id]);
    assert!(removed.status.success(), "{removed:?}");
}

fn assert_nothing_is_left(daemon: &Daemon, id: &str, sockets: &[PathBuf]) {
    // A shim ends after containerd has its answer.
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut left = Remains::of(daemon, id);
        left.sockets = sockets
            .iter()
            .filter(|socket| socket.exists())
            .cloned()
            .collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "{id} has left {left:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The traces of a container on its machine.
#[derive(Debug)]
struct Remains {
    processes: Vec<String>,
    mounts: Vec<String>,
    groups: Vec<PathBuf>,
    /// The bundle and the state of `libcontainer`.
    directories: Vec<PathBuf>,
    sockets: Vec<PathBuf>,
}

impl Remains {
    fn of(daemon: &Daemon, id: &str) -> Self {
        let bundle = daemon.bundle(id);
        let address = fs::read_to_string(bundle.join("address")).unwrap_or_default();
        let socket = address.trim().strip_prefix("unix://").map(PathBuf::from);
        let mounted = fs::read_to_string("/proc/self/mountinfo").expect("mounts are listed");
        let directories = [
            bundle,
            Path::new("/run/containerd/wasixlandlock/default").join(id),
        ];
        Self {
            processes: processes(id),
            mounts: mounted
                .lines()
                .filter(|line| line.contains(&format!("/{id}/")))
                .map(str::to_owned)
                .collect(),
            groups: directories_named(Path::new("/sys/fs/cgroup"), id),
            directories: directories
                .into_iter()
                .filter(|path| path.exists())
                .collect(),
            sockets: socket.into_iter().filter(|path| path.exists()).collect(),
        }
    }

    /// True if a running container was found by each way of looking.
    fn is_whole(&self) -> bool {
        !self.processes.is_empty()
            && !self.mounts.is_empty()
            && !self.groups.is_empty()
            && !self.directories.is_empty()
            && !self.sockets.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.processes.is_empty()
            && self.mounts.is_empty()
            && self.groups.is_empty()
            && self.directories.is_empty()
            && self.sockets.is_empty()
    }
}

/// Processes with the container's name among their arguments, or in their control group.
fn processes(id: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc")
        .expect("processes are listed")
        .flatten();
    let of = |entry: fs::DirEntry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let read = |name: &str| fs::read(entry.path().join(name)).ok();
        let line = text(&read("cmdline")?).replace('\0', " ");
        let group = text(&read("cgroup")?);
        // Not `ctr` and this program.
        let is_its = (line.contains("containerd-shim") && line.contains(&format!("-id {id} ")))
            || group.lines().any(|line| line.ends_with(&format!("/{id}")));
        is_its.then(|| format!("{number} {line}"))
    };
    entries.filter_map(of).collect()
}

fn directories_named(beneath: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![beneath.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name() == name {
                found.push(entry.path());
            }
            open.push(entry.path());
        }
    }
    found
}
