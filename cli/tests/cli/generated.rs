//! The files that are made from the command line itself.

use std::fs;

use crate::{assert_succeeds, in_directory, stdout};

#[test]
fn completions_know_the_commands() {
    let work = tempfile::tempdir().unwrap();
    for shell in ["bash", "fish", "zsh"] {
        let output = in_directory(work.path(), "completions", &[shell]);
        assert_succeeds(&output);
        let text = stdout(&output);
        assert!(
            text.contains("learn") && text.contains("allow-sensitive"),
            "{shell}"
        );
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let work = tempfile::tempdir().unwrap();
    assert_succeeds(&in_directory(work.path(), "man", &["pages"]));
    for command in [
        "run", "show", "explain", "imports", "check", "validate", "diff", "learn", "compare",
    ] {
        let page = work
            .path()
            .join(format!("pages/wasix-landlock-{command}.1"));
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.contains("Examples"), "{command}");
    }
    let output = in_directory(work.path(), "man", &[]);
    assert!(stdout(&output).contains("Exit codes"));
}
