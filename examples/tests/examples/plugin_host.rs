//! The reach of a hostile plug-in through its host's own function.

use std::process::Command;

use crate::{COMPILERS, assert_succeeds, example, stdout};

/// Each attempt of the plug-in, and what came of it.
fn attempts(mode: &str, arguments: &[&str]) -> Vec<(String, String)> {
    let output = Command::new(example("plugin_host"))
        .args(arguments)
        .env("WASIX_LANDLOCK", mode)
        // What it must not get.
        .env("A_SECRET", "of the environment")
        .output()
        .unwrap();
    assert_succeeds(&output);
    let printed = stdout(&output);
    let attempts = printed.lines().map(|line| line.split_once('\t').unwrap());
    let attempts: Vec<_> = attempts
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect();
    assert_eq!(attempts.len(), 15, "{printed}");
    let (allowed, rest) = attempts.split_first().unwrap();
    assert_eq!(
        allowed,
        &("what it may: an asset".to_owned(), "got 5 bytes".to_owned())
    );
    // Whichever way paths are treated.
    for (attempt, result) in rest
        .iter()
        .filter(|(attempt, _)| attempt.starts_with("pointer: "))
    {
        let expected = match attempt.as_str() {
            "pointer: the name's end wraps around" => "refused: NoSuchAsset",
            "pointer: no room for the content" => "refused: TooLong",
            _ => "refused: Memory",
        };
        assert_eq!(result, expected, "{attempt}");
    }
    rest.to_vec()
}

fn paths(attempts: &[(String, String)]) -> Vec<&str> {
    let paths = attempts
        .iter()
        .filter(|(attempt, _)| attempt.starts_with("path: "));
    paths.map(|(_, result)| result.as_str()).collect()
}

fn assert_all_refused(attempts: &[(String, String)]) {
    assert!(
        attempts
            .iter()
            .all(|(_, result)| result.starts_with("refused: ")),
        "{attempts:?}"
    );
}

#[test]
fn it_reaches_nothing_through_a_careful_function() {
    for compiler in COMPILERS {
        for mode in ["enforce", "off"] {
            let attempts = attempts(mode, &["--compiler", compiler]);
            assert_eq!(paths(&attempts), ["refused: NoSuchAsset"; 4]);
            assert_all_refused(&attempts);
        }
    }
}

#[test]
fn the_kernel_holds_what_a_naive_function_opens() {
    let attempts = attempts("enforce", &["--naive"]);
    assert_eq!(paths(&attempts), ["refused: Kernel"; 4]);
    assert_all_refused(&attempts);
}

#[test]
fn without_enforcement_a_naive_function_gives_it_everything() {
    let attempts = attempts("off", &["--naive"]);
    for result in paths(&attempts) {
        // What is too long for the plug-in's buffer was read as well.
        assert!(
            result.starts_with("got ") || result == "refused: TooLong",
            "{attempts:?}"
        );
    }
    assert_eq!(paths(&attempts)[0], "got 8 bytes");
}
