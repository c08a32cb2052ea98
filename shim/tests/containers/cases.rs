//! The cases.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    daemon::{Daemon, name},
    image,
};

/// A case with its name.
pub(crate) type Case = (&'static str, fn(&Suite));

/// Every case.
pub(crate) const ALL: &[Case] = &[
    ("exit_codes_are_the_module_s", exit_codes),
    ("arguments_and_variables_are_the_module_s", arguments),
    ("mounts_are_granted_with_their_rights", mounts),
    ("a_file_that_is_mounted_is_granted_alone", single_file),
    ("a_config_map_is_read_while_it_is_replaced", config_map),
    ("the_root_is_granted_only_by_an_annotation", root),
    ("a_denial_is_a_line_of_the_log", denials),
    ("the_report_is_in_the_bundle", report),
    ("a_container_s_variables_don_t_turn_enforcement_off", mode),
    ("an_unknown_annotation_is_an_error", annotations),
    ("what_is_no_module_is_an_error", no_module),
    ("a_trap_ends_the_container", trap),
    ("a_stop_ends_the_container_in_time", stop),
    ("a_kill_ends_the_container", kill),
    ("exec_is_not_supported", exec),
    ("memory_beyond_the_limit_ends_the_container", memory),
    ("a_seccomp_filter_is_applied", seccomp),
    ("fifty_containers_run_ten_at_once", at_once),
];

const MODULES: &str = "localhost/modules:1";
const RUNTIME: &str = "io.containerd.wasixlandlock.v1";

/// A module that waits for ever.
const WAITS: &str = r#"(module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        ;; a subscription to the monotonic clock, in an hour
        (i32.store8 (i32.const 8) (i32.const 0))
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (i64.const 3600000000000))
        (drop (call $poll (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))))"#;
const TRAPS: &str = r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#;
const EXITS_WITH_7: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (call $exit (i32.const 7))))"#;
/// Takes 1 GiB and writes to each page; exit code 9 if the memory didn't grow.
const TAKES_MEMORY: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (local $at i32)
        (if (i32.eq (memory.grow (i32.const 16384)) (i32.const -1)) (then (call $exit (i32.const 9))))
        (loop $next
            (i32.store (local.get $at) (i32.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 4096)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 1073741824))))))"#;

/// The daemon with its images.
pub(crate) struct Suite {
    daemon: Daemon,
}

impl Suite {
    pub(crate) fn start(shim: &Path) -> Result<Self, String> {
        for program in ["containerd", "ctr", "runc"] {
            let found = Command::new(program).arg("--version").output();
            found.map_err(|_| format!("there is no {program}"))?;
        }
        let user = Command::new("id").arg("-u").output();
        if !user.is_ok_and(|id| id.stdout == b"0\n") {
            return Err("containers need root".to_owned());
        }
        let daemon = Daemon::start(shim)?;
        let place = TempDir::new().map_err(|error| error.to_string())?;
        let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/guests/genrsa.wasm");
        let probe = fs::read(probe).map_err(|error| error.to_string())?;
        let module = |text| wat::parse_str(text).map_err(|error| error.to_string());
        let archive = place.path().join("modules.tar");
        let files: &[(&str, &[u8])] = &[
            ("probe.wasm", &probe),
            ("waits.wasm", &module(WAITS)?),
            ("traps.wasm", &module(TRAPS)?),
            ("seven.wasm", &module(EXITS_WITH_7)?),
            ("memory.wasm", &module(TAKES_MEMORY)?),
            ("text", b"no module"),
            ("etc/secret", b"secret"),
        ];
        image::write(&archive, MODULES, files).map_err(|error| error.to_string())?;
        daemon.import(&archive);
        Ok(Self { daemon })
    }

    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    /// Runs a container of the modules' image to its end.
    fn run(&self, options: &[String], arguments: &[&str]) -> Output {
        let mut command = self.command(options, &name(), arguments);
        command.stdin(Stdio::null()).output().expect("ctr starts")
    }

    fn command(&self, options: &[String], id: &str, arguments: &[&str]) -> Command {
        let mut command = self.daemon.command();
        command.args(["run", "--rm", "--snapshotter=native", "--runtime", RUNTIME]);
        command.args(options).args([MODULES, id]).args(arguments);
        command
    }

    /// The report of a running container.
    fn report_of(&self, id: &str) -> PathBuf {
        self.daemon.bundle(id).join("landlock-report.json")
    }

    /// Waits for the report, which is written when the container is restricted.
    fn wait_until_restricted(&self, id: &str) {
        let report = self.report_of(id);
        let until = Instant::now() + Duration::from_secs(30);
        while !fs::metadata(&report).is_ok_and(|report| report.len() > 0) {
            assert!(Instant::now() < until, "{id} wasn't restricted");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a container that waits, and returns once it runs.
    fn start_waiting(&self, options: &[String]) -> Waiting<'_> {
        let id = name();
        let mut command = self.command(options, &id, &["/waits.wasm"]);
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

struct Waiting<'s> {
    suite: &'s Suite,
    id: String,
    child: std::process::Child,
}

impl Waiting<'_> {
    /// Sends a signal, and returns the container's exit code.
    fn end_by(mut self, signal: &str) -> Option<i32> {
        let sent = self
            .suite
            .daemon
            .ctr(["task", "kill", "--signal", signal, &self.id]);
        assert!(sent.status.success(), "{sent:?}");
        self.child.wait().expect("it was started").code()
    }
}

fn mount(host: &Path, at: &str, rights: &str) -> String {
    format!(
        "--mount=type=bind,src={},dst={at},options=rbind:{rights}",
        host.display()
    )
}

fn annotation(name: &str, value: &str) -> String {
    format!("--annotation=wasix-landlock/{name}={value}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The probe's line for an attempt.
fn outcome<'o>(output: &'o str, attempt: &str) -> &'o str {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix(attempt)?.strip_prefix('\t'));
    line.unwrap_or_else(|| panic!("no line for {attempt} in {output}"))
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().expect("a directory is made");
    for (path, text) in files {
        fs::write(directory.path().join(path), text).expect("a file is written");
    }
    directory
}

fn exit_codes(suite: &Suite) {
    assert_eq!(suite.run(&[], &["/seven.wasm"]).status.code(), Some(7));
    assert_eq!(
        suite.run(&[], &["/probe.wasm", "help"]).status.code(),
        Some(0)
    );
    assert_eq!(
        suite.run(&[], &["/probe.wasm", "nothing"]).status.code(),
        Some(2)
    );
}

fn arguments(suite: &Suite) {
    let ran = suite.run(&[], &["/probe.wasm", "probe", "read", "a b"]);
    assert!(
        outcome(&text(&ran.stdout), "read a b").starts_with("refused"),
        "{ran:?}"
    );
}

fn mounts(suite: &Suite) {
    let (rw, ro, apart) = (
        directory(&[("a", "1")]),
        directory(&[("a", "1")]),
        directory(&[("a", "1")]),
    );
    let options = [mount(rw.path(), "/rw", "rw"), mount(ro.path(), "/ro", "ro")];
    let apart = apart.path().join("a");
    let apart = apart.to_str().expect("the path is UTF-8");
    let attempts = [
        "probe",
        "read",
        "/rw/a",
        "--",
        "write",
        "/rw/a",
        "--",
        "create",
        "/rw/new",
        "--",
        "read",
        "/ro/a",
        "--",
        "write",
        "/ro/a",
        "--",
        "create",
        "/ro/new",
        "--",
        "remove",
        "/ro/a",
        "--",
        "read",
        "/etc/secret",
        "--",
        "read",
        "/rw/../etc/secret",
        "--",
        "read",
        "/proc/self/environ",
        "--",
        "read",
        apart,
    ];
    let mut arguments = vec!["/probe.wasm"];
    arguments.extend(attempts);
    let ran = suite.run(&options, &arguments);
    let output = text(&ran.stdout);
    for allowed in ["read /rw/a", "write /rw/a", "create /rw/new", "read /ro/a"] {
        assert_eq!(outcome(&output, allowed), "ok", "{allowed}: {ran:?}");
    }
    let outside = format!("read {apart}");
    for refused in [
        "write /ro/a",
        "create /ro/new",
        "remove /ro/a",
        "read /etc/secret",
        "read /rw/../etc/secret",
        "read /proc/self/environ",
        &outside,
    ] {
        assert!(
            outcome(&output, refused).starts_with("refused"),
            "{refused}: {output}"
        );
    }
    assert!(rw.path().join("new").exists());
    assert!(!ro.path().join("new").exists());
}

fn single_file(suite: &Suite) {
    let files = directory(&[("config", "1"), ("secret", "2")]);
    let options = [mount(&files.path().join("config"), "/etc/config", "ro")];
    let ran = suite.run(
        &options,
        &[
            "/probe.wasm",
            "probe",
            "read",
            "/etc/config",
            "--",
            "write",
            "/etc/config",
            "--",
            "read",
            "/etc/secret",
        ],
    );
    let output = text(&ran.stdout);
    assert_eq!(outcome(&output, "read /etc/config"), "ok", "{ran:?}");
    assert!(
        outcome(&output, "write /etc/config").starts_with("refused"),
        "{output}"
    );
    assert!(
        outcome(&output, "read /etc/secret").starts_with("refused"),
        "{output}"
    );
}

/// As Kubernetes does it: the keys are links through `..data`, which is replaced as a whole.
fn config_map(suite: &Suite) {
    let map = directory(&[]);
    let version = |name: &str, value: &str| {
        let directory = map.path().join(name);
        fs::create_dir(&directory).expect("a directory is made");
        fs::write(directory.join("key"), value).expect("a file is written");
    };
    let point_to = |name: &str| {
        let link = map.path().join("..next");
        std::os::unix::fs::symlink(name, &link).expect("a link is made");
        fs::rename(link, map.path().join("..data")).expect("a link is renamed");
    };
    version("..1", "old");
    point_to("..1");
    std::os::unix::fs::symlink("..data/key", map.path().join("key")).expect("a link is made");
    let options = [mount(map.path(), "/etc/map", "ro")];
    let read = ["/probe.wasm", "probe", "read", "/etc/map/key"];
    let ran = suite.run(&options, &read);
    assert_eq!(
        outcome(&text(&ran.stdout), "read /etc/map/key"),
        "ok",
        "{ran:?}"
    );
    // A file that was not there when the container was restricted.
    let reader = wat_reader();
    let id = name();
    fs::write(map.path().join("reader"), reader).expect("a file is written");
    let mut command = suite.command(&options, &id, &["/etc/map/reader"]);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ctr starts");
    suite.wait_until_restricted(&id);
    version("..2", "new");
    point_to("..2");
    fs::remove_dir_all(map.path().join("..1")).expect("the old version is removed");
    let ran = child.wait_with_output().expect("it was started");
    assert_eq!(text(&ran.stdout), "new", "{ran:?}");
}

/// A module that reads `key` in one of its first preopens until the value is `new`, and prints the value.
fn wat_reader() -> Vec<u8> {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 9) "key")
        (func (export "_start") (local $fd i32) (local $tries i32)
            (loop $again
                (local.set $tries (i32.add (local.get $tries) (i32.const 1)))
                (if (i32.eqz (call $open
                        (i32.add (i32.const 3) (i32.rem_u (local.get $tries) (i32.const 13))) (i32.const 1) (i32.const 9) (i32.const 3) (i32.const 0)
                        (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 64)))
                    (then
                        (local.set $fd (i32.load (i32.const 64)))
                        (i32.store (i32.const 72) (i32.const 128))
                        (i32.store (i32.const 76) (i32.const 3))
                        (drop (call $read (local.get $fd) (i32.const 72) (i32.const 1) (i32.const 80)))
                        (drop (call $close (local.get $fd)))))
                (br_if $again (i32.and
                    (i32.ne (i32.load8_u (i32.const 128)) (i32.const 110))
                    (i32.lt_u (local.get $tries) (i32.const 20000000)))))
            (i32.store (i32.const 72) (i32.const 128))
            (i32.store (i32.const 76) (i32.const 3))
            (drop (call $write (i32.const 1) (i32.const 72) (i32.const 1) (i32.const 80)))))"#;
    wat::parse_str(text).expect("the module is valid")
}

fn root(suite: &Suite) {
    let attempts = [
        "/probe.wasm",
        "probe",
        "read",
        "/etc/secret",
        "--",
        "create",
        "/etc/new",
    ];
    let without = suite.run(&[], &attempts);
    assert!(
        outcome(&text(&without.stdout), "read /etc/secret").starts_with("refused"),
        "{without:?}"
    );
    let with = suite.run(&[annotation("root", "read")], &attempts);
    assert_eq!(
        outcome(&text(&with.stdout), "read /etc/secret"),
        "ok",
        "{with:?}"
    );
    assert!(
        outcome(&text(&with.stdout), "create /etc/new").starts_with("refused"),
        "{with:?}"
    );
}

fn denials(suite: &Suite) {
    let files = directory(&[("a", "1")]);
    let options = [mount(files.path(), "/data", "ro")];
    let ran = suite.run(&options, &["/probe.wasm", "probe", "write", "/data/a"]);
    let log = text(&ran.stderr);
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("/data/a"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
}

fn report(suite: &Suite) {
    let files = directory(&[("a", "1")]);
    let waiting = suite.start_waiting(&[mount(files.path(), "/data", "ro")]);
    let report = fs::read_to_string(suite.report_of(&waiting.id)).expect("the report is there");
    assert!(report.contains("\"enforced\":true"), "{report}");
    assert!(report.contains("/data"), "{report}");
    assert_eq!(waiting.end_by("KILL"), Some(137));
}

fn mode(suite: &Suite) {
    let options = ["--env=WASIX_LANDLOCK=off".to_owned()];
    let waiting = suite.start_waiting(&options);
    let report = fs::read_to_string(suite.report_of(&waiting.id)).expect("the report is there");
    assert!(report.contains("\"enforced\":true"), "{report}");
    waiting.end_by("KILL");
}

fn annotations(suite: &Suite) {
    for wrong in [
        annotation("hardne", "true"),
        annotation("harden", "yes"),
        annotation("profile", "../x"),
    ] {
        let ran = suite.run(std::slice::from_ref(&wrong), &["/seven.wasm"]);
        assert_eq!(ran.status.code(), Some(1), "{wrong}: {ran:?}");
        assert!(text(&ran.stderr).contains("annotation"), "{ran:?}");
    }
    let ran = suite.run(
        &[
            annotation("harden", "false"),
            annotation("compiler", "singlepass"),
        ],
        &["/seven.wasm"],
    );
    assert_eq!(ran.status.code(), Some(7), "{ran:?}");
}

fn no_module(suite: &Suite) {
    for (program, reason) in [
        ("/text", "no WebAssembly module"),
        ("/missing", "can't read"),
    ] {
        let ran = suite.run(&[], &[program]);
        assert!(!ran.status.success(), "{ran:?}");
        assert!(text(&ran.stderr).contains(reason), "{ran:?}");
    }
}

fn trap(suite: &Suite) {
    let ran = suite.run(&[], &["/traps.wasm"]);
    assert_eq!(ran.status.code(), Some(125), "{ran:?}");
    assert!(text(&ran.stderr).contains("unreachable"), "{ran:?}");
}

fn stop(suite: &Suite) {
    assert_eq!(suite.start_waiting(&[]).end_by("TERM"), Some(143));
}

fn kill(suite: &Suite) {
    assert_eq!(suite.start_waiting(&[]).end_by("KILL"), Some(137));
}

fn exec(suite: &Suite) {
    let waiting = suite.start_waiting(&[]);
    let tried = suite.daemon.ctr([
        "task",
        "exec",
        "--exec-id",
        "other",
        &waiting.id,
        "/seven.wasm",
    ]);
    assert!(!tried.status.success(), "{tried:?}");
    assert!(text(&tried.stderr).contains("not supported"), "{tried:?}");
    assert_eq!(waiting.end_by("KILL"), Some(137));
}

fn memory(suite: &Suite) {
    let limited = suite.run(&["--memory-limit=268435456".to_owned()], &["/memory.wasm"]);
    assert_eq!(limited.status.code(), Some(137), "{limited:?}");
    let unlimited = suite.run(&[], &["/memory.wasm"]);
    assert_eq!(unlimited.status.code(), Some(0), "{unlimited:?}");
}

/// containerd's default filter, which is also Docker's, and answers ENOSYS to `clone3`.
fn seccomp(suite: &Suite) {
    let files = directory(&[("a", "1")]);
    let options = [mount(files.path(), "/data", "ro"), "--seccomp".to_owned()];
    let ran = suite.run(
        &options,
        &[
            "/probe.wasm",
            "probe",
            "read",
            "/data/a",
            "--",
            "write",
            "/data/a",
        ],
    );
    let output = text(&ran.stdout);
    assert_eq!(outcome(&output, "read /data/a"), "ok", "{ran:?}");
    assert!(
        outcome(&output, "write /data/a").starts_with("refused"),
        "{output}"
    );
}

fn at_once(suite: &Suite) {
    let places: Vec<(TempDir, PathBuf)> = (0..50)
        .map(|_| directory(&[("own", "1")]))
        .map(|directory| {
            let path = directory.path().to_owned();
            (directory, path)
        })
        .collect();
    let run = |index: usize| {
        let foreign = places[(index + 1) % places.len()].1.join("own");
        let foreign = foreign.to_str().expect("the path is UTF-8");
        let options = [mount(&places[index].1, "/data", "rw")];
        let ran = suite.run(
            &options,
            &[
                "/probe.wasm",
                "probe",
                "read",
                "/data/own",
                "--",
                "create",
                "/data/new",
                "--",
                "read",
                foreign,
            ],
        );
        let output = text(&ran.stdout);
        assert_eq!(outcome(&output, "create /data/new"), "ok", "{ran:?}");
        assert!(
            outcome(&output, &format!("read {foreign}")).starts_with("refused"),
            "{output}"
        );
    };
    thread::scope(|scope| {
        for first in 0..10 {
            scope.spawn(move || (first..50).step_by(10).for_each(run));
        }
    });
}
