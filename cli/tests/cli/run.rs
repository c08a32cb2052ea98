//! `run`: grants, limits and exit codes. The module is `genrsa.wasm`, whose `probe` tries what it is told.

use std::fs;

use crate::{
    COMPILERS, GUEST, assert_succeeds, command, in_directory, probe, results, stderr, stdout,
};

#[test]
fn a_directory_is_read_and_written_unless_it_is_read_only() {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("data")).unwrap();
    fs::write(work.path().join("data/old"), "old").unwrap();
    let attempts = [
        "read", "data/old", "--", "list", "data", "--", "write", "data/old", "--", "create",
        "data/new",
    ];
    let read_only = probe(work.path(), &["--dir", "data:ro"], &attempts);
    assert_eq!(results(&read_only), [true, true, false, false]);
    assert!(!work.path().join("data/new").exists());

    let writable = probe(work.path(), &["--dir", "data"], &attempts);
    assert_eq!(results(&writable), [true, true, true, true]);
    assert!(work.path().join("data/new").exists());
}

#[test]
fn a_guest_name_is_what_the_module_sees() {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("data")).unwrap();
    fs::write(work.path().join("data/old"), "old").unwrap();
    let attempts = ["read", "/in/old", "--", "read", "data/old"];
    let output = probe(work.path(), &["--dir", "data::/in:ro"], &attempts);
    assert_eq!(results(&output), [true, false]);

    let attempts = ["read", "one", "--", "read", "/in/old"];
    let output = probe(work.path(), &["--file", "data/old::one"], &attempts);
    assert_eq!(results(&output), [true, false]);
}

#[test]
fn a_file_has_the_rights_of_its_mode() {
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("file");
    let attempts = [
        "read", "file", "--", "write", "file", "--", "truncate", "file",
    ];
    for (grant, expected) in [
        ("file", [true, false, false]),
        ("file:ro", [true, false, false]),
        ("file:rw", [true, true, true]),
        ("file:create", [false, true, true]),
    ] {
        fs::write(&file, "text").unwrap();
        let output = probe(work.path(), &["--file", grant], &attempts);
        assert_eq!(results(&output), expected, "{grant}: {}", stdout(&output));
    }
}

#[test]
fn a_granted_file_has_no_neighbours() {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("keys")).unwrap();
    fs::write(work.path().join("keys/other.pem"), "other").unwrap();
    let attempts = [
        "create",
        "keys/key.pem",
        "--",
        "write",
        "keys/key.pem",
        "--",
        "read",
        "keys/other.pem",
        "--",
        "create",
        "keys/new.pem",
        "--",
        "remove",
        "keys/key.pem",
        "--",
        "rename",
        "keys/key.pem",
        "keys/moved.pem",
    ];
    let output = probe(work.path(), &["--file", "keys/key.pem:create"], &attempts);
    assert_eq!(
        results(&output),
        [false, true, false, false, false, false],
        "{}",
        stdout(&output)
    );
    let mut left: Vec<_> = fs::read_dir(work.path().join("keys"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["key.pem", "other.pem"]);
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    let work = tempfile::tempdir().unwrap();
    for grant in [["--dir", "missing"], ["--file", "missing:ro"]] {
        let output = probe(work.path(), &grant, &["list", "."]);
        assert_eq!(output.status.code(), Some(125));
        assert!(stderr(&output).contains("missing"), "{}", stderr(&output));
        assert!(stdout(&output).is_empty(), "the module must not have run");
    }
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);
}

#[test]
fn the_modules_exit_code_is_passed_on() {
    let work = tempfile::tempdir().unwrap();
    let output = in_directory(work.path(), "run", &[GUEST, "nonsense"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn the_report_names_what_is_granted() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("file"), "text").unwrap();
    let output = probe(
        work.path(),
        &["--report", "--file", "file:ro"],
        &["read", "file"],
    );
    assert_eq!(results(&output), [true]);
    let report = stderr(&output);
    assert!(report.contains("enforced (mode enforce"), "{report}");
    assert!(
        report.contains("preopen `file` (read): granted"),
        "{report}"
    );
}

#[test]
fn a_hardened_program_still_runs_its_module() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("file"), "text").unwrap();
    let attempts = ["read", "file", "--", "write", "file"];
    for how in [None, Some("--harden")] {
        let grants: Vec<&str> = how
            .into_iter()
            .chain(["--report", "--file", "file"])
            .collect();
        let output = probe(work.path(), &grants, &attempts);
        assert_eq!(results(&output), [true, false], "{}", stdout(&output));
        let report = stderr(&output);
        // Without, it keeps the network away and nothing else.
        let layer = report.lines().find(|line| line.contains("second layer:"));
        let has_metadata = layer.is_some_and(|layer| layer.contains("metadata"));
        assert_eq!(has_metadata, how.is_some(), "{report}");
    }
}

/// A module that writes to standard output until somebody ends it.
const CHATTERING: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\05\00\00\00")
    (data (i32.const 16) "hell\n")
    (func (export "_start")
        (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))))"#;

/// A module that computes, and calls nothing.
const LOOPING: &str =
    r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#;

#[test]
fn a_limit_ends_the_module_with_its_code() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("chattering.wat"), CHATTERING).unwrap();
    fs::write(work.path().join("looping.wat"), LOOPING).unwrap();
    for compiler in crate::COMPILERS {
        for (limit, module, code) in [
            ("stream-bytes=10", "chattering.wat", 118),
            ("instructions=1000", "looping.wat", 112),
            ("wall-clock-ms=200", "looping.wat", 113),
        ] {
            let arguments = ["--compiler", compiler, "--limit", limit, module];
            let output = in_directory(work.path(), "run", &arguments);
            assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        }
        let limited = ["--limit", "stream-bytes=10", "chattering.wat"];
        let output = in_directory(work.path(), "run", &limited);
        assert_eq!(stdout(&output), "hell\nhell\n");
    }
}

#[test]
fn a_profile_is_read_and_added_to() {
    let work = tempfile::tempdir().unwrap();
    for name in ["one", "two", "three"] {
        fs::write(work.path().join(name), "text").unwrap();
    }
    let profile =
        "streams.stdout = \"inherit\"\n[[preopen]]\nhost = \"one\"\nkind = \"file\"\nread = true\n";
    fs::write(work.path().join("policy.toml"), profile).unwrap();
    let given = ["--profile", "policy.toml", "--file", "two"];
    let attempts = ["read", "one", "--", "read", "two", "--", "read", "three"];
    let output = probe(work.path(), &given, &attempts);
    assert_eq!(results(&output), [true, true, false]);
    // What the file doesn't say isn't given.
    fs::write(work.path().join("policy.toml"), "").unwrap();
    let output = probe(work.path(), &["--profile", "policy.toml"], &attempts);
    assert_succeeds(&output);
    assert!(stdout(&output).is_empty());
    fs::write(work.path().join("policy.toml"), "limit = 1").unwrap();
    let output = probe(work.path(), &["--profile", "policy.toml"], &attempts);
    assert_eq!(output.status.code(), Some(125));
    assert!(
        stderr(&output).contains("unknown field `limit`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn imports_can_be_refused() {
    let work = tempfile::tempdir().unwrap();
    let output = probe(work.path(), &["--refuse"], &["list", "."]);
    assert_succeeds(&output);
    let output = probe(
        work.path(),
        &["--refuse", "--withhold", "randomness"],
        &["list", "."],
    );
    assert_eq!(output.status.code(), Some(125));
    assert!(
        stderr(&output).contains("random_get (randomness)"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_flag_that_names_nothing_is_an_error_that_lists_what_there_is() {
    let work = tempfile::tempdir().unwrap();
    for (flag, value, listed) in [
        ("--limit", "memory=1", "instructions (exit code 112)"),
        ("--limit", "memory-pages=many", "many is not a number"),
        ("--allow", "everything", "randomness"),
        ("--env", "NAME", "expected K=V"),
    ] {
        let output = probe(work.path(), &[flag, value], &["list", "."]);
        assert!(!output.status.success());
        assert!(stderr(&output).contains(listed), "{}", stderr(&output));
    }
}

#[test]
fn names_with_colons_can_be_granted() {
    let work = tempfile::tempdir().unwrap();
    for name in ["x:ro", "e::f", "x", "e"] {
        fs::create_dir(work.path().join(name)).unwrap();
        fs::write(work.path().join(name).join("file"), "text").unwrap();
    }
    let attempts = ["read", "x:ro/file", "--", "read", "x/file"];
    let output = probe(work.path(), &["--dir", r"x\:ro"], &attempts);
    assert_eq!(results(&output), [true, false]);
    let output = probe(work.path(), &["--dir", "x:ro"], &attempts);
    assert_eq!(results(&output), [false, true]);

    let attempts = [
        "read",
        "e::f/file",
        "--",
        "write",
        "e::f/file",
        "--",
        "read",
        "e/file",
        "--",
        "read",
        "g:/file",
    ];
    let output = probe(work.path(), &["--dir", r"e\:\:f:ro"], &attempts);
    assert_eq!(results(&output), [true, false, false, false]);
    let output = probe(work.path(), &["--dir", r"e\:\:f::g\:"], &attempts);
    assert_eq!(results(&output), [false, false, false, true]);

    let output = probe(work.path(), &["--dir", "::x"], &attempts);
    assert_eq!(output.status.code(), Some(125));
    assert!(
        stderr(&output).contains("a name is missing"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_current_directory_does_not_hide_the_devices() {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("sub")).unwrap();
    for name in ["file", "sub/file"] {
        fs::write(work.path().join(name), "text").unwrap();
    }
    let attempts = [
        "write",
        "/dev/null",
        "--",
        "read",
        "file",
        "--",
        "read",
        "sub/file",
        "--",
        "create",
        "new",
    ];
    let output = probe(work.path(), &["--dir", "."], &attempts);
    assert_eq!(
        results(&output),
        [true, true, true, true],
        "{}",
        stdout(&output)
    );
    assert!(work.path().join("new").exists());
    // A preopen that is called the root is all that the module sees.
    let output = probe(work.path(), &["--dir", ".::/"], &attempts[..5]);
    assert_eq!(results(&output), [false, true], "{}", stdout(&output));
}

#[test]
fn the_report_is_printed_for_programs_as_well() {
    let work = tempfile::tempdir().unwrap();
    let output = probe(work.path(), &["--report=json"], &["read", "/etc/passwd"]);
    assert_eq!(results(&output), [false]);
    let printed = stderr(&output);
    let line = printed.lines().find(|line| line.starts_with('{')).unwrap();
    let report: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(report["enforced"], true);
    // No colours without a terminal.
    assert!(!printed.contains('\u{1b}'), "{printed:?}");
}

#[test]
fn a_policy_from_outside_limits_what_the_engine_counts() {
    let work = tempfile::tempdir().unwrap();
    for (policy, code) in [
        ("", 0),
        ("limits.instructions = 1000", 112),
        ("limits.stream-bytes = 10", 118),
    ] {
        fs::write(work.path().join("policy.toml"), policy).unwrap();
        for compiler in COMPILERS {
            let arguments = ["--compiler", compiler, GUEST, "genrsa", "512"];
            let mut command = command(work.path(), "run", &arguments);
            command.env("WASIX_LANDLOCK_POLICY", "policy.toml");
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        }
    }
}
