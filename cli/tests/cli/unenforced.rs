//! The result of `learn --unenforced` is enough for a program: real ones, without enforcement and then with just that.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::{PROGRAM, assert_succeeds, in_directory, openssl, python, stderr, stdout};

/// The options that were printed; what is sensitive is a comment.
#[track_caller]
fn flags(output: &Output) -> Vec<String> {
    assert_succeeds(output);
    let printed = stderr(output);
    let (_, after) = printed.split_once("# As options of `run`:\n").unwrap();
    let flags = after.lines().filter(|line| line.starts_with("--"));
    flags.map(str::to_owned).collect()
}

/// Runs the module by a shell, as a person would with the printed options.
fn by_shell(directory: &Path, flags: &[String], arguments: &[&str]) -> Output {
    let line = format!("exec \"$0\" run {} -- \"$@\"", flags.join(" "));
    Command::new("sh")
        .args(["-c", &line])
        .arg(PROGRAM)
        .args(arguments)
        .current_dir(directory)
        .env_remove("WASIX_LANDLOCK")
        .output()
        .unwrap()
}

fn learn(directory: &Path, module: &Path, arguments: &[&str]) -> Vec<String> {
    let all = [&["--unenforced", "--", module.to_str().unwrap()], arguments].concat();
    flags(&in_directory(directory, "learn", &all))
}

#[test]
fn openssl_needs_the_key_that_it_makes_and_nothing_else() {
    let Some(module) = openssl::module() else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("keys")).unwrap();
    let key = work.path().join("keys/key.pem");
    let arguments = ["genrsa", "-out", "keys/key.pem", "1024"];
    let learned = learn(work.path(), module, &arguments);
    assert_eq!(learned, ["--file keys/key.pem:create"]);
    assert!(fs::read_to_string(&key).unwrap().contains("PRIVATE KEY"));

    fs::remove_file(&key).unwrap();
    let module = module.to_str().unwrap();
    let enforced = by_shell(work.path(), &learned, &[&[module], &arguments[..]].concat());
    assert_succeeds(&enforced);
    assert!(fs::read_to_string(&key).unwrap().contains("PRIVATE KEY"));

    let elsewhere = ["genrsa", "-out", "keys/other.pem", "1024"];
    let refused = by_shell(work.path(), &learned, &[&[module], &elsewhere[..]].concat());
    assert!(!refused.status.success());
    assert!(!work.path().join("keys/other.pem").exists());
    assert!(
        stderr(&refused).contains(".preopen(|p| p.path(\"keys/other.pem\").create(true))?"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn openssl_reading_a_key_is_pointed_out() {
    let Some(module) = openssl::module() else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let make = [
        "--dir",
        ".",
        "--",
        module.to_str().unwrap(),
        "genrsa",
        "-out",
        "key.pem",
        "1024",
    ];
    assert_succeeds(&in_directory(work.path(), "run", &make));
    let module = module.to_str().unwrap();
    let check = [module, "rsa", "-check", "-noout", "-in", "key.pem"];
    let output = in_directory(
        work.path(),
        "learn",
        &[&["--unenforced", "--"], &check[..]].concat(),
    );
    assert_eq!(flags(&output), [] as [&str; 0]);
    let printed = stderr(&output);
    assert!(
        printed.contains("# SENSITIVE, called like a private key"),
        "{printed}"
    );
    assert!(printed.contains("# --file key.pem\n"), "{printed}");
    // Whoever has thought about it grants it.
    let granted = by_shell(work.path(), &["--file key.pem".to_owned()], &check);
    assert_succeeds(&granted);
}

/// Reads, writes, lists, renames, removes, and makes directories and an archive. Without `-I` the interpreter lists the
/// directory of its program by itself.
const SCRIPT: &str = r#"
import json, os, sys, zipfile
settings = json.load(open("settings.json"))
names = sorted(os.listdir("input"))
with open("report.txt", "w") as report:
    for name in names:
        report.write(f"{settings['title']}: {name} {len(open('input/' + name).read())}\n")
os.makedirs("work/parts", exist_ok=True)
with open("work/parts/new", "w") as part:
    part.write("part")
os.replace("work/parts/new", "work/parts/part")
with zipfile.ZipFile("work/archive.zip", "w") as archive:
    archive.write("work/parts/part")
assert zipfile.ZipFile("work/archive.zip").namelist() == ["work/parts/part"]
os.remove("work/parts/part")
os.rmdir("work/parts")
print(open("report.txt").read(), end="")
for path in sys.argv[1:]:
    try:
        open(path).read()
        print("read", path)
    except OSError as error:
        print("refused", path)
"#;

#[test]
fn cpython_needs_what_its_program_uses_and_nothing_else() {
    let Some(module) = python::module() else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    for directory in ["input", "work"] {
        fs::create_dir(work.path().join(directory)).unwrap();
    }
    for (name, text) in [
        ("program.py", SCRIPT),
        ("settings.json", r#"{"title": "read"}"#),
        ("input/one", "1"),
        ("input/two", "22"),
        ("secret", "secret"),
    ] {
        fs::write(work.path().join(name), text).unwrap();
    }
    let report = "read: one 1\nread: two 2\n";
    let mut learned = learn(work.path(), module, &["-I", "program.py"]);
    learned.sort();
    let expected = [
        "--dir input:ro",
        "--dir work",
        "--file program.py",
        "--file report.txt:rwc",
        "--file settings.json",
    ];
    assert_eq!(learned, expected);
    let made = fs::read_to_string(work.path().join("report.txt"));
    assert_eq!(made.unwrap(), report);

    // With just these, the first time as the second.
    for first in [true, false] {
        if first {
            fs::remove_file(work.path().join("report.txt")).unwrap();
            fs::remove_file(work.path().join("work/archive.zip")).unwrap();
        }
        let arguments = [
            module.to_str().unwrap(),
            "-I",
            "program.py",
            "settings.json",
            "secret",
        ];
        let enforced = by_shell(work.path(), &learned, &arguments);
        assert_succeeds(&enforced);
        let expected = format!("{report}read settings.json\nrefused secret\n");
        assert_eq!(stdout(&enforced), expected, "{}", stderr(&enforced));
    }
}
