//! The commands that answer and run nothing: `show`, `explain`, `imports`, `check` and `validate`.

use std::fs;

use crate::{GUEST, assert_succeeds, in_directory, json, stderr, stdout};

#[test]
fn what_would_be_enforced_is_shown_and_nothing_is_run() {
    let work = tempfile::tempdir().unwrap();
    let arguments = [
        "--file",
        "key.pem:create",
        "--dir",
        ".::/data:ro",
        GUEST,
        "key.pem",
    ];
    let output = in_directory(work.path(), "show", &arguments);
    assert_succeeds(&output);
    let table = stdout(&output);
    for expected in [
        "would be enforced",
        "file, to be created",
        "/data",
        "read_dir",
        "protection",
    ] {
        assert!(table.contains(expected), "{expected}: {table}");
    }
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);
}

#[test]
fn the_grants_are_shown_for_programs() {
    let work = tempfile::tempdir().unwrap();
    let output = in_directory(work.path(), "show", &["--dir", ".::data:ro", "--json"]);
    assert_succeeds(&output);
    let report = json(&output);
    assert_eq!(report["only_shown"], true);
    let mut preopens = report["preopens"].as_array().unwrap().iter();
    assert!(
        preopens.any(|preopen| preopen["guest"] == "data"),
        "{report}"
    );
    let output = in_directory(work.path(), "show", &["--dir", "missing"]);
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("missing"));
}

#[test]
fn a_path_is_explained() {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("data")).unwrap();
    fs::write(work.path().join("data/file"), "").unwrap();
    fs::write(work.path().join("other"), "").unwrap();
    let explain = |arguments: &[&str]| {
        let grants = ["--dir", "data:ro", "--file", "new.txt:create"];
        in_directory(work.path(), "explain", &[&grants, arguments].concat())
    };
    let reads = ["--access", "read"];
    let granted = explain(&[&reads[..], &["data/file"]].concat());
    assert_succeeds(&granted);
    assert!(
        stdout(&granted).contains("granted by preopen `data`"),
        "{}",
        stdout(&granted)
    );
    for (path, access, allowed) in [
        ("data/file", "write", false),
        ("data/new", "create", false),
        ("other", "read", false),
        ("/etc/passwd", "read", false),
        ("new.txt", "write", true),
        ("new.txt", "create", true),
        ("new.txt", "read", false),
    ] {
        let output = explain(&["--access", access, "--json", path]);
        assert_eq!(output.status.code(), Some(i32::from(!allowed)), "{path}");
        let answers = json(&output);
        assert_eq!(answers[0]["allowed"], allowed, "{answers}");
        assert_eq!(answers[0]["access"], access);
        let missing = answers[0]["missing"].as_array().unwrap();
        assert_eq!(missing.is_empty(), allowed, "{answers}");
    }
    let all = explain(&["data/file"]);
    assert_eq!(stdout(&all).lines().count(), 3);
    let text = stdout(&all);
    assert!(
        text.contains("write_file") && text.contains("the nearest grant is"),
        "{text}"
    );
    // No file was made.
    assert!(!work.path().join("new.txt").exists());
}

#[test]
fn imports_are_listed_by_group() {
    let work = tempfile::tempdir().unwrap();
    let output = in_directory(work.path(), "imports", &[GUEST]);
    assert_succeeds(&output);
    let listed = stdout(&output);
    assert!(listed.contains("randomness: random_get\n"), "{listed}");
    assert!(
        listed.contains("doesn't need: sockets, processes, threads"),
        "{listed}"
    );
    assert!(
        listed.ends_with("a profile has to allow: nothing\n"),
        "{listed}"
    );

    let threads =
        r#"(module (import "wasix_32v1" "thread_spawn_v2" (func (param i32 i32) (result i32))))"#;
    fs::write(work.path().join("threads.wat"), threads).unwrap();
    let output = in_directory(work.path(), "imports", &["--json", "threads.wat"]);
    let listed = json(&output);
    assert_eq!(listed["needs"], serde_json::json!(["threads"]));
    assert_eq!(listed["to_allow"], serde_json::json!(["threads"]));
    assert_eq!(listed["imports"][0]["name"], "thread_spawn_v2");

    fs::write(work.path().join("none.wasm"), "none").unwrap();
    let output = in_directory(work.path(), "imports", &["none.wasm"]);
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn a_lock_file_has_the_forks_or_not() {
    let work = tempfile::tempdir().unwrap();
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let patched = in_directory(work.path(), "check", &[own, "--json"]);
    assert_succeeds(&patched);
    assert_eq!(json(&patched)[0]["patched"], true);

    let lock = "version = 4\n[[package]]\nname = \"wasmer-wasix\"\nversion = \"0.704.2\"\n\
                source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    fs::write(work.path().join("Cargo.lock"), lock).unwrap();
    let output = in_directory(work.path(), "check", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("NOT patched"),
        "{}",
        stdout(&output)
    );
    let output = in_directory(work.path(), "check", &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let checked = json(&output);
    assert_eq!(checked[0]["findings"][0]["patched"], false, "{checked}");
    assert!(
        checked[0]["lines"][0]
            .as_str()
            .unwrap()
            .starts_with("wasmer-wasix = ")
    );

    let output = in_directory(work.path(), "check", &["missing.lock"]);
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn an_error_of_a_profile_has_its_place() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("good.toml"), "[limits]\nthreads = 1\n").unwrap();
    fs::write(work.path().join("bad.toml"), "[limits]\nthread = 1\n").unwrap();
    let good = in_directory(work.path(), "validate", &["good.toml"]);
    assert_succeeds(&good);
    assert_eq!(stdout(&good), "good.toml: valid\n");
    let bad = in_directory(work.path(), "validate", &["good.toml", "bad.toml"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        stdout(&bad).contains("bad.toml:2:1: unknown field `thread`"),
        "{}",
        stdout(&bad)
    );
    let bad = in_directory(work.path(), "validate", &["--json", "bad.toml"]);
    let error = &json(&bad)[0]["error"];
    assert_eq!((&error["line"], &error["column"]), (&2.into(), &1.into()));
    let missing = in_directory(work.path(), "validate", &["missing.toml"]);
    assert_eq!(missing.status.code(), Some(125));
}

#[test]
fn a_wrong_command_line_has_a_code_of_its_own() {
    let work = tempfile::tempdir().unwrap();
    for arguments in [&["--nonsense"][..], &[]] {
        let output = in_directory(work.path(), "run", arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
}

#[test]
fn a_policy_from_outside_is_checked_too() {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("outside")).unwrap();
    fs::write(work.path().join("outside/one.toml"), "limits.threads = 1\n").unwrap();
    let outside = ["--outside", "outside"];
    assert_succeeds(&in_directory(work.path(), "validate", &outside));
    let wrong = "limits.threads = 1\n\n  wrong = 1\n";
    fs::write(work.path().join("outside/two.toml"), wrong).unwrap();
    let output = in_directory(work.path(), "validate", &outside);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).starts_with("outside/two.toml:3:3: unknown field"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn profiles_differ_by_what_they_allow() {
    let work = tempfile::tempdir().unwrap();
    let grant = |host: &str, right: &str| {
        format!("[[preopen]]\nhost = \"{host}\"\nkind = \"directory\"\n{right} = true\n")
    };
    let old = grant("/srv/data", "read");
    let same = format!("{}{old}", grant("/srv/data/part", "read"));
    let new = format!("limits.threads = 2\n{old}{}", grant("/srv/out", "write"));
    for (name, text) in [("old", &old), ("same", &same), ("new", &new)] {
        fs::write(work.path().join(name), text).unwrap();
    }
    assert_succeeds(&in_directory(work.path(), "diff", &["old", "same"]));
    let output = in_directory(work.path(), "diff", &["old", "new"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("+ directory /srv/out: write"),
        "{}",
        stdout(&output)
    );
    let difference = json(&in_directory(
        work.path(),
        "diff",
        &["--json", "old", "new"],
    ));
    assert_eq!(difference["right"]["paths"][0]["host"], "/srv/out");
    assert_eq!(difference["left"]["paths"].as_array().unwrap().len(), 0);
    let missing = in_directory(work.path(), "diff", &["old", "missing"]);
    assert_eq!(missing.status.code(), Some(125));
}
