//! Containers under seccomp filters: Docker's, and ones that a node may have.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::seccomp;
use crate::suite::{Case, Suite, directory, mount, outcome, text};

/// Every case.
pub(crate) const ALL: &[Case] = &[
    Case::new("containerd_s_seccomp_filter_is_applied", containerd),
    Case {
        name: "docker_s_seccomp_filter_is_applied",
        needs: |_| docker_profile().map(drop),
        run: docker,
    },
    Case::new("a_filter_without_clone3_changes_nothing", clone3),
    Case::new("a_filter_without_landlock_is_an_error", landlock),
    Case::new("a_filter_that_forbids_landlock_is_an_error", forbidden),
];

/// The filter is there, and the module gets what it gets without one: its mount's rights, and a thread.
fn assert_as_without(suite: &Suite, filter: &[String]) {
    assert_eq!(filters(suite, filter), filters(suite, &[]) + 1);
    let files = directory(&[("a", "1")]);
    let mut options = vec![mount(files.path(), "/data", "ro")];
    options.extend_from_slice(filter);
    let attempts = ["read", "/data/a", "--", "write", "/data/a"];
    let ran = suite.run(
        &options,
        &[&["/probe.wasm", "probe"], &attempts[..]].concat(),
    );
    let output = text(&ran.stdout);
    assert_eq!(outcome(&output, "read /data/a"), "ok", "{ran:?}");
    let refused = outcome(&output, "write /data/a");
    assert!(refused.starts_with("refused"), "{output}");
    let ran = suite.run(filter, &["/thread.wasm"]);
    assert_eq!(text(&ran.stdout), "from a thread\n", "{ran:?}");
}

/// The number of filters that a container's process has, its own ones included.
fn filters(suite: &Suite, options: &[String]) -> u32 {
    let waiting = suite.start_waiting(options);
    let status = waiting.process().join("status");
    let status = fs::read_to_string(status).expect("the process runs");
    let count = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp_filters:"));
    let count = count.expect("the kernel counts filters").trim().parse();
    waiting.end_by("KILL");
    count.expect("it is a number")
}

/// containerd's default filter, which answers ENOSYS to `clone3`.
fn containerd(suite: &Suite) {
    assert_as_without(suite, &["--seccomp".to_owned()]);
}

fn docker(suite: &Suite) {
    let profile = docker_profile().expect("the case is skipped without it");
    let filter = write(suite, "docker", &docker_filter(&profile));
    assert_as_without(suite, &filter);
}

fn clone3(suite: &Suite) {
    let filter = write(suite, "clone3", &refusing(&["clone3"], ENOSYS));
    assert_as_without(suite, &filter);
}

const ENOSYS: u32 = 38;
const EPERM: u32 = 1;

/// Each call of Landlock alone, and all of them.
const LANDLOCK: [&[&str]; 4] = [
    &["landlock_create_ruleset"],
    &["landlock_add_rule"],
    &["landlock_restrict_self"],
    &[
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
    ],
];

fn landlock(suite: &Suite) {
    assert_refused_to_run(suite, ENOSYS);
}

fn forbidden(suite: &Suite) {
    assert_refused_to_run(suite, EPERM);
}

/// The container fails with one clear line, and its module is not run.
fn assert_refused_to_run(suite: &Suite, errno: u32) {
    let files = directory(&[("a", "1")]);
    for calls in LANDLOCK {
        let name = format!("landlock-{errno}-{}", calls.join("-"));
        let mut options = write(suite, &name, &refusing(calls, errno));
        options.push(mount(files.path(), "/data", "ro"));
        let ran = suite.run(&options, &["/ready.wasm"]);
        assert_eq!(ran.status.code(), Some(125), "{calls:?}: {ran:?}");
        assert_eq!(text(&ran.stdout), "", "{calls:?}: {ran:?}");
        let log = text(&ran.stderr);
        let said: Vec<_> = log
            .lines()
            .filter(|line| line.starts_with("wasix-landlock: "))
            .collect();
        assert!(
            matches!(said[..], [line] if line.contains("Landlock") || line.contains("landlock_")),
            "{calls:?}: {log}"
        );
    }
}

/// A filter that refuses these calls and no others.
fn refusing(calls: &[&str], errno: u32) -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": calls, "action": "SCMP_ACT_ERRNO", "errnoRet": errno}],
    })
}

/// Writes a filter, and returns the options that give it to a container.
fn write(suite: &Suite, name: &str, filter: &Value) -> Vec<String> {
    let file = suite.place().join(name).with_extension("json");
    fs::write(&file, filter.to_string()).expect("the filter is written");
    vec![
        "--seccomp".to_owned(),
        format!("--seccomp-profile={}", file.display()),
    ]
}

/// Docker's default profile.
fn docker_profile() -> Result<PathBuf, String> {
    let found = seccomp::find(seccomp::DOCKER);
    found.ok_or_else(|| "Docker's profile is not here; `.ci/tools` gets it".to_owned())
}

/// Docker's profile as the runtime's specification has it: the rules for a container without added capabilities.
fn docker_filter(profile: &Path) -> Value {
    let profile = fs::read(profile).expect("the profile can be read");
    let profile: Value = serde_json::from_slice(&profile).expect("the profile is JSON");
    // Docker has the other rules for capabilities that a container doesn't have by default.
    let rules = seccomp::rules(&profile, &["CAP_SYS_CHROOT"]).expect("the profile has rules");
    json!({
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "syscalls": rules,
    })
}
