//! Two tenants at once.

use crate::{assert_succeeds, in_directory, stdout};

fn run(scope: &str) {
    let work = tempfile::tempdir().unwrap();
    let output = in_directory(work.path(), "multi_tenant", &["--scope", scope]);
    assert_succeeds(&output);
    let printed = stdout(&output);
    let count = |what: &str| printed.lines().filter(|line| line.contains(what)).count();
    assert_eq!(count(&format!("enforced (mode enforce, scope {scope}")), 2);
    // Of three attempts each, the one at its own file succeeds.
    assert_eq!(count("\tok"), 2, "{printed}");
    assert_eq!(count("\t"), 6, "{printed}");
    assert_eq!(count("the host reads both"), 1, "{printed}");
}

#[test]
fn two_instances() {
    run("instance");
}

#[test]
fn two_workers() {
    run("worker");
}
