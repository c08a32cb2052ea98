//! A file system of the application's own, beside a host directory.

use std::process::Command;

use crate::{COMPILERS, assert_succeeds, example, stdout};

/// Returns the module's output about the template, the host directory's file, and the link that leads out.
fn shown(mode: &str, arguments: &[&str]) -> [String; 3] {
    let output = Command::new(example("custom_fs"))
        .args(arguments)
        .env("WASIX_LANDLOCK", mode)
        .output()
        .unwrap();
    assert_succeeds(&output);
    let printed = stdout(&output);
    let lines: Vec<_> = printed.lines().collect();
    let names = ["templates/file:", "data/file:", "templates/link:"];
    assert_eq!([lines[0], lines[2], lines[4]], names, "{printed}");
    assert_eq!(lines.len(), 6, "{printed}");
    [1, 3, 5].map(|line| lines[line].to_owned())
}

#[test]
fn it_reads_what_it_says_and_nothing_else() {
    for compiler in COMPILERS {
        let shown = shown("enforce", &["--compiler", compiler]);
        assert_eq!(shown, ["for you", "for {NAME}", "can't open it"]);
    }
}

#[test]
fn it_reads_nothing_if_it_does_not_say_so() {
    let shown = shown("enforce", &["--silent"]);
    assert_eq!(shown, ["can't open it", "for {NAME}", "can't open it"]);
}

#[test]
fn without_enforcement_nothing_holds_it() {
    for arguments in [&[][..], &["--silent"]] {
        let shown = shown("off", arguments);
        assert_eq!(shown, ["for you", "for {NAME}", "for you"]);
    }
}
