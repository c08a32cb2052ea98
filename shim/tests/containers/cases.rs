//! The cases.

use std::{fs, path::PathBuf, process::Stdio, thread};

use tempfile::TempDir;

use crate::{
    attacks,
    daemon::name,
    guests,
    suite::{Case, Runtime, Suite, annotation, directory, mount, outcome, text},
};

/// Every case.
pub(crate) const ALL: &[Case] = &[
    Case::new("exit_codes_are_the_module_s", exit_codes),
    Case::new("arguments_and_variables_are_the_module_s", arguments),
    Case::new("mounts_are_granted_with_their_rights", mounts),
    Case::new("a_file_that_is_mounted_is_granted_alone", single_file),
    Case::new("a_config_map_is_read_while_it_is_replaced", config_map),
    Case::new("the_root_is_granted_only_by_an_annotation", root),
    Case::new("a_denial_is_a_line_of_the_log", denials),
    Case::new("the_report_is_in_the_bundle", report),
    Case::new("a_container_s_variables_don_t_turn_enforcement_off", mode),
    Case::new("an_unknown_annotation_is_an_error", annotations),
    Case::new("what_is_no_module_is_an_error", no_module),
    Case::new("a_trap_ends_the_container", trap),
    Case::new("a_stop_ends_the_container_in_time", stop),
    Case::new("a_kill_ends_the_container", kill),
    Case::new("exec_is_not_supported", exec),
    Case::new("memory_beyond_the_limit_ends_the_container", memory),
    Case::new("too_few_threads_are_a_line_of_the_log", few_threads),
    Case::new("fifty_containers_run_ten_at_once", at_once),
];

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
    let reader = guests::module(include_str!("guests/reader.wat"));
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

/// Limits that stop Wasmer in each of its stages. A module that starts more threads than it may have is stopped as well.
fn few_threads(suite: &Suite) {
    let limited = |limit, module| {
        let ran = attacks::run_limited(suite, Runtime::Shim, Some(limit), &[module]);
        let log = text(&ran.stderr);
        let said = log
            .lines()
            .filter(|line| line.starts_with("wasix-landlock: "));
        let said: Vec<_> = said.map(str::to_owned).collect();
        (ran.status.code(), said)
    };
    let tried = (2..=8).map(|limit| (limit, limited(limit, "/seven.wasm")));
    let (enough, few): (Vec<_>, Vec<_>) = tried.partition(|(_, (code, _))| *code == Some(7));
    assert!(!few.is_empty(), "{enough:?}");
    let many = [8, 16, 64].map(|limit| (limit, limited(limit, "/threads.wasm")));
    for (limit, (code, said)) in few.into_iter().chain(many) {
        assert_eq!(code, Some(125), "{limit}: {said:?}");
        assert!(
            matches!(&said[..], [line] if line.contains("raise its limit")),
            "{limit}: {said:?}"
        );
    }
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
