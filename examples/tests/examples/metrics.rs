//! Counters of denials, and denials as lines of JSON.

use crate::{assert_succeeds, in_directory, stderr, stdout};

#[test]
fn each_denial_is_counted_and_each_environment_tells_its_first() {
    let directory = tempfile::tempdir().unwrap();
    let output = in_directory(directory.path(), "metrics", &[]);
    assert_succeeds(&output);
    let printed = stdout(&output);
    let counters: Vec<&str> = printed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    // Twice, the module tries the path from each of its three preopened directories.
    assert_eq!(
        counters,
        ["wasi_denials_total{operation=\"open\",cause=\"no-preopen\"} 6"],
        "{printed}"
    );
    let events: Vec<serde_json::Value> = stderr(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 2);
    for event in events {
        assert_eq!(event["schema"], "wasix-landlock.denial/1");
        assert_eq!(
            (&event["operation"], &event["cause"]),
            (&"open".into(), &"no-preopen".into())
        );
        assert_eq!(event["guest"], "/etc/passwd");
    }
}
