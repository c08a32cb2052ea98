//! The option `--checkout`, on programs of our own in the form of upstream's.
#![cfg(target_os = "linux")]

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;
use wasix_landlock_testing::skipped;

/// Runs alike on both: arguments, variables, a host directory, an exit code.
const ALIKE: &str = r#"//#DefaultMappedDirectories: false
//#CurrentDirectory: /
//#MappedDirectory: data:/data
//#Args: one two
//#Env: NAME=value
//#ExpectedExitCode: 7
//#ExpectedStdoutFile: alike.stdout
//#ExpectedFile: data/made:made
fn main() {
    println!("{}", std::fs::read_to_string("/data/text").unwrap());
    println!("{:?}", std::env::args().skip(1).collect::<Vec<_>>());
    println!("{}", std::env::var("NAME").unwrap());
    std::fs::write("/data/made", "made").unwrap();
    std::process::exit(7);
}
"#;

/// Passes if `fd_renumber` leaves the descriptor open that it moves, as upstream has it and preview 1 doesn't.
const DIFFERS: &str = r#"//#DefaultMappedDirectories: false
//#MappedDirectory: $temp:/data
//#CurrentDirectory: /
use std::os::fd::AsRawFd;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn fd_renumber(from: i32, to: i32) -> i32;
    fn fd_datasync(fd: i32) -> i32;
}

fn main() {
    let from = std::fs::File::create("/data/from").unwrap();
    let to = std::fs::File::create("/data/to").unwrap();
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    unsafe {
        assert_eq!(fd_datasync(from), 0);
        assert_eq!(fd_renumber(from, to), 0);
        assert_eq!(fd_datasync(to), 0);
        let is_left = fd_datasync(from) == 0;
        std::process::exit(if is_left == LEFT { 0 } else { 1 });
    }
}
"#;

/// On two file systems, of which one is the host's.
const SYSTEMS: &str = r#"//#DefaultMappedDirectories: false
//#CurrentDirectory: /
//#FileSystems: host,inmemory
//#MappedDirectory: data:/data
//#ExpectedStdout: text
fn main() {
    println!("{}", std::fs::read_to_string("/data/text").unwrap());
}
"#;

/// Knows the numbers that a runner's directories have, and that they can't be closed.
const NUMBERS: &str = r#"//#DefaultMappedDirectories: false
//#CurrentDirectory: /
//#MappedDirectory: data:/data
#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn fd_close(fd: i32) -> i32;
    fn path_open(
        fd: i32, flags: i32, path: *const u8, len: usize, how: i32, rights: i64, inheriting: i64, fdflags: i32,
        opened: *mut i32,
    ) -> i32;
}

fn main() {
    for fd in [3, 4, 5] {
        for path in ["data/text", "./data/../data/text"] {
            let mut opened = -1;
            let errno = unsafe { path_open(fd, 0, path.as_ptr(), path.len(), 0, 2, 0, 0, &mut opened) };
            assert_eq!(errno, 0, "{fd} {path}");
            assert_eq!(unsafe { (fd_close(opened), fd_close(fd)) }, (0, 0));
        }
    }
}
"#;

const IGNORED: &str = "//#Ignored: for the test\nfn main() {}\n";

fn checkout() -> io::Result<TempDir> {
    let checkout = tempfile::tempdir()?;
    let tests = checkout.path().join("lib/wasix/tests/wasm_tests");
    for group in ["wasi_fyi", "wasi_wast"] {
        let data = tests.join(group).join("data");
        fs::create_dir_all(&data)?;
        fs::write(data.join("text"), "text")?;
    }
    let write = |name: &str, text: &str| fs::write(tests.join(name), text);
    write("wasi_fyi/alike.rs", ALIKE)?;
    write("wasi_fyi/alike.stdout", "text\n[\"one\", \"two\"]\nvalue\n")?;
    write("wasi_fyi/better.rs", &DIFFERS.replace("LEFT", "false"))?;
    write("wasi_wast/ignored.rs", IGNORED)?;
    write("wasi_wast/numbers.rs", NUMBERS)?;
    write("wasi_wast/systems.rs", SYSTEMS)?;
    Ok(checkout)
}

/// The program lays out its columns in one place for all.
static ALONE: Mutex<()> = Mutex::new(());

/// Returns the success and the output.
fn run(checkout: &Path) -> io::Result<(bool, String)> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let output = Command::new(env!("CARGO_BIN_EXE_wasix-landlock-upstream-units"))
        .arg("--checkout")
        .arg(checkout)
        .output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    Ok((output.status.success(), all))
}

#[test]
fn programs_run_in_both_columns_and_a_loss_is_an_error() -> io::Result<()> {
    let checkout = checkout()?;
    let (passed, output) = run(checkout.path())?;
    if let Some(line) = output.lines().find(|line| line.starts_with("SKIPPED ")) {
        assert!(passed && line.contains("rustup target add"), "{output}");
        skipped(line);
        return Ok(());
    }
    assert!(passed, "{output}");
    for expected in [
        "5 of upstream's fixture programs, 6 tests, each in its own process",
        "wasm/wasi_fyi/better/default/wasip1/cranelift: fails on upstream and passes on the fork",
        "upstream passes 4 and the fork 5 of 6, 5 of these under enforcement, 1 are ignored by upstream",
    ] {
        assert!(output.contains(expected), "{output}");
    }

    let tests = checkout.path().join("lib/wasix/tests/wasm_tests");
    fs::write(
        tests.join("wasi_wast/worse.rs"),
        DIFFERS.replace("LEFT", "true"),
    )?;
    let (passed, output) = run(checkout.path())?;
    let lost = "wasm/wasi_wast/worse/default/wasip1/cranelift: \
                passes on upstream and fails on the fork, without enforcement too";
    assert!(!passed && output.contains(lost), "{output}");
    Ok(())
}

#[test]
fn what_is_no_checkout_is_an_error() -> io::Result<()> {
    let empty = tempfile::tempdir()?;
    let (passed, output) = run(empty.path())?;
    assert!(!passed && output.contains("wasi_fyi"), "{output}");
    Ok(())
}
