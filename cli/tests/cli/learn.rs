//! `learn`: from denials to the least that a module needs, under enforcement.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::{GUEST, assert_succeeds, command, in_directory, stderr};

fn learn(directory: &Path, options: &[&str], arguments: &[&str]) -> Value {
    let arguments = [&["--json"], options, &["--", GUEST], arguments].concat();
    crate::json(&in_directory(directory, "learn", &arguments))
}

fn options(learned: &Value, key: &str) -> Vec<String> {
    let list = learned[key].as_array().unwrap().iter();
    let option = |value: &Value| {
        value["option"]
            .as_str()
            .or(value.as_str())
            .map(str::to_owned)
    };
    let mut options: Vec<String> = list.filter_map(option).collect();
    options.sort();
    options
}

#[test]
fn a_key_generator_needs_the_key_that_it_makes() {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("keys")).unwrap();
    let generate = ["genrsa", "-out", "keys/key.pem", "512"];
    let output = in_directory(
        work.path(),
        "learn",
        &[&["--", GUEST], &generate[..]].concat(),
    );
    assert_succeeds(&output);
    let profile = crate::stdout(&output);
    assert!(
        profile.contains("#   --file keys/key.pem:create\n"),
        "{profile}"
    );
    assert!(
        profile.contains("after 2 runs under enforcement"),
        "{profile}"
    );

    // The profile is enough for the same, and for nothing else.
    fs::write(work.path().join("policy.toml"), &profile).unwrap();
    fs::remove_file(work.path().join("keys/key.pem")).unwrap();
    let given = ["--profile", "policy.toml", "--", GUEST];
    let run = in_directory(work.path(), "run", &[&given, &generate[..]].concat());
    assert_succeeds(&run);
    assert!(work.path().join("keys/key.pem").exists());
    let elsewhere = ["genrsa", "-out", "keys/other.pem", "512"];
    let refused = in_directory(work.path(), "run", &[&given, &elsewhere[..]].concat());
    assert!(!refused.status.success());
    assert!(!work.path().join("keys/other.pem").exists());
}

#[test]
fn a_policy_from_outside_bounds_what_is_learned() {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("keys")).unwrap();
    fs::write(work.path().join("settings"), "text").unwrap();
    let policy = format!(
        "[[preopen]]\nhost = {:?}\nkind = \"file\"\nread = true\n",
        work.path().join("settings").canonicalize().unwrap()
    );
    fs::write(work.path().join("policy.toml"), policy).unwrap();
    let attempts = ["probe", "read", "settings", "--", "create", "keys/key.pem"];
    let arguments = [&["--all", "--json", "--", GUEST], &attempts[..]].concat();
    let learned = |policy: Option<&str>| {
        let mut command = command(work.path(), "learn", &arguments);
        command.envs(policy.map(|path| ("WASIX_LANDLOCK_POLICY", path)));
        crate::json(&command.output().unwrap())
    };
    let under = learned(Some("policy.toml"));
    assert!(!work.path().join("keys/key.pem").exists(), "{under}");
    let refused = under["refused"].to_string();
    assert!(refused.contains("keys/key.pem"), "{under}");
    assert!(refused.contains("policy from outside"), "{under}");
    let without = learned(None);
    assert!(work.path().join("keys/key.pem").exists(), "{without}");
    assert!(
        !without["refused"].to_string().contains("keys/key.pem"),
        "{without}"
    );
}

#[test]
fn all_that_is_refused_is_added_and_what_was_not_used_is_named() {
    let work = tempfile::tempdir().unwrap();
    for directory in ["input", "unused", "wide"] {
        fs::create_dir(work.path().join(directory)).unwrap();
    }
    for file in ["settings", "input/one", "wide/file", "unused/file"] {
        fs::write(work.path().join(file), "text").unwrap();
    }
    let attempts = [
        "probe",
        "read",
        "settings",
        "--",
        "list",
        "input",
        "--",
        "read",
        "input/one",
        "--",
        "create",
        "result",
        "--",
        "read",
        "wide/file",
        "--",
        "read",
        "missing",
    ];
    let grants = ["--all", "--dir", "unused:ro", "--dir", "wide"];
    let learned = learn(work.path(), &grants, &attempts);
    assert_eq!(learned["works"], true, "{learned:#}");
    let expected = [
        "--dir input:ro",
        "--dir unused:ro",
        "--dir wide",
        "--file result:rwc",
        "--file settings",
    ];
    assert_eq!(options(&learned, "options"), expected, "{learned:#}");
    assert_eq!(options(&learned, "never_used"), ["--dir unused:ro"]);
    let wider = options(&learned, "wider_than_used");
    assert_eq!(wider, ["--dir wide (used: read)"]);
    assert!(
        learned["rounds"].as_array().unwrap().len() <= 4,
        "{learned:#}"
    );

    // Without `--all`, a module that goes on without is content with nothing.
    let learned = learn(work.path(), &[], &attempts);
    assert_eq!(learned["options"], json!([]), "{learned:#}");
    assert_eq!(learned["rounds"].as_array().unwrap().len(), 1);
}

#[test]
fn a_module_that_never_works_ends_the_runs() {
    let work = tempfile::tempdir().unwrap();
    let arguments = [
        "--json",
        "--",
        GUEST,
        "genrsa",
        "-out",
        "missing/key.pem",
        "512",
    ];
    let output = in_directory(work.path(), "learn", &arguments);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let learned = crate::json(&output);
    assert_eq!(learned["works"], false);
    assert!(
        learned["rounds"].as_array().unwrap().len() < 4,
        "{learned:#}"
    );
    // The exit code of a working module can be another one.
    let learned = learn(work.path(), &["--expect", "2"], &["nonsense"]);
    assert_eq!(learned["works"], true);
}

/// Directories with secrets in them, and a module's attempts to read those.
struct Planted {
    work: tempfile::TempDir,
    attempts: Vec<String>,
}

const SECRETS: [&str; 5] = [
    "data/server.key",
    "data/sub/id_ed25519",
    "home/.ssh/id_rsa",
    "home/.aws/credentials",
    "outside",
];

impl Planted {
    fn new() -> Self {
        let work = tempfile::tempdir().unwrap();
        let root = work.path().canonicalize().unwrap();
        let mut attempts = vec!["probe".to_owned()];
        for secret in SECRETS {
            fs::create_dir_all(root.join(secret).parent().unwrap()).unwrap();
            fs::write(root.join(secret), "secret").unwrap();
        }
        fs::write(root.join("data/input"), "text").unwrap();
        std::os::unix::fs::symlink("../outside", root.join("data/link")).unwrap();
        std::os::unix::fs::symlink("sub/id_ed25519", root.join("data/harmless")).unwrap();
        let absolute = SECRETS.map(|secret| root.join(secret).display().to_string());
        let relative = SECRETS.map(|secret| match secret.strip_prefix("data/") {
            Some(inside) => inside.to_owned(),
            None => format!("../{secret}"),
        });
        let links = ["link", "harmless", "/etc/shadow", "/proc/self/environ"].map(str::to_owned);
        for path in absolute.iter().chain(&relative).chain(&links) {
            attempts.extend(["read", path, "--"].map(str::to_owned));
        }
        for directory in [".", "sub", "..", "/", "../home", "/etc"] {
            attempts.extend(["list", directory, "--"].map(str::to_owned));
        }
        attempts.extend(["rename", "sub/id_ed25519", "taken", "--"].map(str::to_owned));
        attempts.extend(["read", "taken", "--", "read", "input"].map(str::to_owned));
        Self { work, attempts }
    }

    fn learn(&self, options: &[&str]) -> Output {
        let attempts: Vec<&str> = self.attempts.iter().map(String::as_str).collect();
        let arguments = [options, &["--", GUEST], &attempts[..]].concat();
        command(&self.work.path().join("data"), "learn", &arguments)
            .env("HOME", self.work.path().join("home"))
            .output()
            .unwrap()
    }

    /// The attempts that succeeded in any run. The directories that are there in any module show nothing of the host.
    fn successes(output: &Output) -> Vec<String> {
        let printed = stderr(output);
        let done = printed.lines().filter_map(|line| line.strip_suffix("\tok"));
        let is_virtual = |done: &&str| ["list .", "list ..", "list /", "list /etc"].contains(done);
        let mut done: Vec<String> = done
            .filter(|done| !is_virtual(done))
            .map(str::to_owned)
            .collect();
        done.sort();
        done.dedup();
        done
    }
}

#[test]
fn a_hostile_module_reads_no_secret_and_learns_nothing() {
    let planted = Planted::new();
    let output = planted.learn(&["--all", "--show-output", "--json"]);
    let learned = crate::json(&output);
    assert_eq!(Planted::successes(&output), ["read input"], "{learned:#}");
    assert_eq!(
        options(&learned, "options"),
        ["--file input"],
        "{learned:#}"
    );
    let asked = [options(&learned, "sensitive"), options(&learned, "outside")]
        .concat()
        .join("\n");
    for secret in ["server.key", "id_ed25519", "/etc/shadow"] {
        assert!(asked.contains(secret), "{asked}");
    }
    for secret in SECRETS {
        assert_eq!(
            fs::read(planted.work.path().join(secret)).unwrap(),
            b"secret"
        );
    }

    // A wider bound lets the module have more, but nothing sensitive.
    let root = planted.work.path().to_str().unwrap();
    let output = planted.learn(&["--all", "--show-output", "--json", "--within", root]);
    let learned = crate::json(&output);
    for done in Planted::successes(&output) {
        let is_secret = SECRETS[..4].iter().any(|secret| done.ends_with(secret));
        assert!(
            !is_secret && !done.starts_with("list"),
            "{done}: {learned:#}"
        );
    }
}

#[test]
fn the_hostile_module_would_read_its_secrets() {
    let planted = Planted::new();
    let output = planted.learn(&[
        "--all",
        "--show-output",
        "--json",
        "--allow-sensitive",
        "server.key",
    ]);
    let done = Planted::successes(&output);
    assert!(done.contains(&"read server.key".to_owned()), "{done:?}");
    assert!(
        !done.iter().any(|done| done.contains("id_ed25519")),
        "{done:?}"
    );

    let output = planted.learn(&["--unenforced"]);
    let done = crate::stdout(&output);
    for attempt in [
        "read server.key\tok",
        "read sub/id_ed25519\tok",
        "list .\tok",
    ] {
        assert!(done.contains(attempt), "{done}");
    }
}

#[test]
fn a_home_directory_is_not_learned_in() {
    let planted = Planted::new();
    let home = planted.work.path().join("home");
    let output = command(&home, "learn", &["--", GUEST, "probe", "list", "."])
        .env("HOME", &home)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("--within"), "{}", stderr(&output));
}
