//! `compare`: both compilers on one module.

use std::fs;

use crate::{in_directory, json, stderr, stdout};

/// A module that looks at a file and ends with 3 if that is there, else with 4.
const LOOKING: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_filestat_get"
        (func $stat (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "data/file")
    (func (export "_start")
        (call $exit (select (i32.const 4) (i32.const 3)
            (call $stat (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 16))))))"#;

#[test]
fn both_compilers_are_measured_with_and_without_enforcement() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("looking.wat"), LOOKING).unwrap();
    fs::create_dir(work.path().join("data")).unwrap();
    fs::write(work.path().join("data/file"), "").unwrap();
    for (grants, code) in [(&["--dir", "data:ro"][..], 3), (&[], 4)] {
        let arguments = [
            &["--samples", "2", "--html", "page.html", "--json"],
            grants,
            &["looking.wat"],
        ]
        .concat();
        let output = in_directory(work.path(), "compare", &arguments);
        let comparison = json(&output);
        let compilers = comparison["compilers"].as_array().unwrap();
        assert_eq!(compilers.len(), 2, "{}", stderr(&output));
        for compared in compilers {
            assert_eq!(compared["exit_code"], code, "{compared}");
            for figure in compared["figures"].as_array().unwrap() {
                assert_eq!(figure["samples"].as_array().unwrap().len(), 2, "{figure}");
                assert!(
                    figure["spread"]["median"].as_f64().unwrap() > 0.0,
                    "{figure}"
                );
            }
        }
        assert_eq!(comparison["isolation"].as_array().unwrap().len(), 6);
    }
    let page = fs::read_to_string(work.path().join("page.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 3, "{page}");
    assert!(!page.contains("<script") && !page.contains("src="));
}

#[test]
fn the_table_is_for_people_and_a_module_that_is_none_an_error() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("looking.wat"), LOOKING).unwrap();
    let output = in_directory(work.path(), "compare", &["--samples", "1", "looking.wat"]);
    let text = stdout(&output);
    for expected in [
        "| compile, ms |",
        "run, enforced",
        "Business Source License",
    ] {
        assert!(text.contains(expected), "{text}{}", stderr(&output));
    }
    fs::write(work.path().join("none.wasm"), "none").unwrap();
    let output = in_directory(work.path(), "compare", &["--samples", "1", "none.wasm"]);
    assert_eq!(output.status.code(), Some(125));
    assert!(
        stderr(&output).contains("can't compile none.wasm"),
        "{}",
        stderr(&output)
    );
}
