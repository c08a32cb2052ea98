//! Each limit, reached and not reached.

use std::time::Duration;

use wasix_landlock_engine::{engine, headless, limited};
use wasmer_wasix::profile::{Captured, Compiler, Group, Limit, Limits, Profile, Stream};
use wasmer_wasix::types::wasi::Errno;

use crate::common::{Ended, WELL, at, run, run_artifact, run_on};

/// Goes around `times` times, around `body`.
fn repeat(times: u32, imports: &str, body: &str) -> String {
    format!(
        r#"(module {imports}
            (memory (export "memory") 1)
            (table 1 funcref)
            (global $left (mut i32) (i32.const {times}))
            (data (i32.const 0) "\10\00\00\00\05\00\00\00")
            (data (i32.const 16) "hello")
            (data (i32.const 32) "given/file")
            (func (export "_start") (local $fd i32)
                (loop $again
                    {body}
                    (global.set $left (i32.sub (global.get $left) (i32.const 1)))
                    (br_if $again (global.get $left)))))"#
    )
}

const WRITE: &str = r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))"#;
const EXIT: &str = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
const CLOCK: &str = r#"(import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))"#;
const OPEN: &str = r#"(import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#;
const POLL: &str = r#"(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))"#;
const READ: &str = r#"(import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))"#;

fn writing_to(fd: &str) -> String {
    format!("(drop (call $write {fd} (i32.const 0) (i32.const 1) (i32.const 64)))")
}

/// Opens `file` for writing, which is made; its number is left at 72.
const OPEN_FILE: &str =
    "(drop (call $open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 10) (i32.const 1)
    (i64.const 0x400040) (i64.const 0) (i32.const 0) (i32.const 72)))";

/// Does `grow` until it is refused, and exits with `size`.
fn growing(grow: &str, size: &str) -> String {
    format!(
        r#"(module {EXIT}
            (memory (export "memory") 1)
            (table 1 funcref)
            (func (export "_start")
                (block $refused
                    (loop $again
                        (br_if $refused (i32.eq ({grow}) (i32.const -1)))
                        (br_if $again (i32.lt_u ({size}) (i32.const 50)))))
                (call $exit ({size}))))"#
    )
}

/// A module that has exited with this code, by itself.
const fn exited(code: i32) -> Ended {
    Ended { code, limit: None }
}

for_both_compilers! {
    fn a_memory_does_not_grow_beyond_the_limit(compiler) {
        let module = growing("memory.grow (i32.const 1)", "memory.size");
        let limited = |pages| Profile::new().limits(|l| l.memory_pages(pages));
        assert_eq!(run(compiler, Profile::new(), &module).unwrap(), exited(50));
        assert_eq!(run(compiler, limited(10), &module).unwrap(), exited(10));
        // A memory's own maximum stays.
        let module = module.replace(r#"(export "memory") 1)"#, r#"(export "memory") 1 5)"#);
        assert_eq!(run(compiler, limited(10), &module).unwrap(), exited(5));
    }
}

for_both_compilers! {
    fn a_table_does_not_grow_beyond_the_limit(compiler) {
        let module = growing("table.grow (ref.null func) (i32.const 1)", "table.size");
        let limited = |elements| Profile::new().limits(|l| l.table_elements(elements));
        assert_eq!(run(compiler, Profile::new(), &module).unwrap(), exited(50));
        assert_eq!(run(compiler, limited(10), &module).unwrap(), exited(10));
    }
}

for_both_compilers! {
    fn a_memory_that_threads_share_does_not_grow_beyond_the_limit(compiler) {
        let module = format!(
            r#"(module {EXIT}
                (import "env" "memory" (memory 1 16 shared))
                (export "memory" (memory 0))
                (func (export "_start")
                    (call $exit (i32.add (memory.grow (i32.const 3)) (memory.grow (i32.const 1))))))"#
        );
        // The size before, and the size before or -1: one page, then minus one.
        assert_eq!(run(compiler, Profile::new(), &module).unwrap(), exited(1 + 4));
        let limited = Profile::new().limits(|l| l.memory_pages(4));
        assert_eq!(run(compiler, limited, &module).unwrap(), exited(0));
    }
}

for_both_compilers! {
    fn an_artifact_has_the_limits_of_the_engine_that_loads_it(compiler) {
        let module = growing("memory.grow (i32.const 1)", "memory.size");
        let artifact = wasmer::Module::new(&engine(compiler), module).unwrap().serialize().unwrap();
        for pages in [10, 20] {
            let profile = Profile::new().limits(|l| l.memory_pages(pages));
            let ended = run_artifact(headless(&profile.limits), profile, &artifact).unwrap();
            assert_eq!(ended, exited(pages.cast_signed()));
        }
        let profile = Profile::new().limits(|l| l.memory_pages(10));
        let error = run_artifact(headless(&Limits::none()), profile, &artifact).unwrap_err();
        assert!(format!("{error:#}").contains("without the limit `memory-pages`"), "{error:#}");
    }
}

for_both_compilers! {
    fn a_module_that_starts_with_too_much_is_not_instantiated(compiler) {
        let module = |pages: u32, elements: u32| format!(
            r#"(module (memory (export "memory") {pages}) (table {elements} funcref) (func (export "_start")))"#
        );
        let profile = || Profile::new().limits(|l| l.memory_pages(10).table_elements(20));
        assert_eq!(run(compiler, profile(), &module(10, 20)).unwrap(), WELL);
        for (module, message) in [
            (module(11, 20), "starts with 11 where `memory-pages` allows 10"),
            (module(10, 21), "starts with 21 where `table-elements` allows 20"),
        ] {
            let error = format!("{:#}", run(compiler, profile(), &module).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }
}

for_both_compilers! {
    fn instructions(compiler) {
        let profile = || Profile::new().limits(|l| l.instructions(100_000));
        assert_eq!(run(compiler, profile(), &repeat(1_000, "", "")).unwrap(), WELL);
        assert_eq!(run(compiler, profile(), &repeat(100_000, "", "")).unwrap(), at(Limit::Instructions));
    }
}

for_both_compilers! {
    fn a_module_without_the_limits_of_its_profile_is_refused(compiler) {
        let module = repeat(1, "", "");
        let unlimited = || engine(compiler);
        assert_eq!(run_on(unlimited(), Profile::new(), &module).unwrap(), WELL);
        for (profile, name) in [
            (Profile::new().limits(|l| l.memory_pages(10)), "memory-pages"),
            (Profile::new().limits(|l| l.table_elements(10)), "table-elements"),
            (Profile::new().limits(|l| l.instructions(1_000_000)), "instructions"),
        ] {
            let error = format!("{:#}", run_on(unlimited(), profile, &module).unwrap_err());
            assert!(error.contains(&format!("without the limit `{name}`")), "{error}");
        }
        // Nor with others than those of its profile.
        let profile = Profile::new().limits(|l| l.memory_pages(10));
        let larger = limited(compiler, Limits::none().memory_pages(11));
        let error = format!("{:#}", run_on(larger, profile.clone(), &module).unwrap_err());
        assert!(error.contains("without the limit `memory-pages`"), "{error}");
        let smaller = limited(compiler, Limits::none().memory_pages(9));
        assert_eq!(run_on(smaller, profile, &module).unwrap(), WELL);
    }
}

for_both_compilers! {
    fn a_dynamically_linked_module_is_refused(compiler) {
        let module = repeat(1, "", "").replacen("(module", r#"(module (@custom "dylink.0" (before first) "")"#, 1);
        let profile = Profile::new().limits(|l| l.instructions(1_000_000));
        let error = format!("{:#}", run(compiler, profile, &module).unwrap_err());
        assert!(error.contains("dynamically linked"), "{error}");
    }
}

for_both_compilers! {
    fn a_compiler_that_counts_instructions_compiles_one_module(compiler) {
        let engine = limited(compiler, Limits::none().instructions(1_000_000));
        let module = repeat(1, "", "");
        assert!(wasmer::Module::new(&engine, &module).is_ok());
        let error = wasmer::Module::new(&engine, &module).unwrap_err().to_string();
        assert!(error.contains("make another one for each module"), "{error}");
    }
}

for_both_compilers! {
    fn time_for_a_module_that_calls(compiler) {
        let calling = |times| repeat(times, CLOCK, "(drop (call $clock (i32.const 0) (i64.const 0) (i32.const 64)))");
        let profile = |time| Profile::new().limits(|l| l.wall_clock(time));
        assert_eq!(run(compiler, profile(Duration::from_secs(60)), &calling(10)).unwrap(), WELL);
        let ended = run(compiler, profile(Duration::from_millis(200)), &calling(0)).unwrap();
        assert_eq!(ended, at(Limit::WallClock));
    }
}

/// Waits for an hour: a subscription of a relative time on the monotonic clock.
fn sleeping() -> String {
    let hour = "(i64.store (i32.const 224) (i64.const 3600000000000))";
    let clock = "(i32.store (i32.const 216) (i32.const 1))";
    repeat(
        1,
        POLL,
        &format!(
            "{clock} {hour} (drop (call $poll (i32.const 200) (i32.const 400) (i32.const 1) (i32.const 64)))"
        ),
    )
}

for_both_compilers! {
    fn time_for_a_module_that_waits(compiler) {
        let profile = Profile::new().limits(|l| l.wall_clock(Duration::from_millis(200)));
        assert_eq!(run(compiler, profile, &sleeping()).unwrap(), at(Limit::WallClock));
    }
}

/// Set in the process whose standard input is a pipe into which nobody writes.
const HAS_A_PIPE: &str = "PROFILE_TEST_HAS_A_PIPE";

#[test]
fn time_for_a_module_that_waits_for_its_input() {
    if std::env::var_os(HAS_A_PIPE).is_none() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let name = "limits::time_for_a_module_that_waits_for_its_input";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(HAS_A_PIPE, "1")
            .stdin(reader)
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Limit::WallClock.exit_code(),
            "{shown}"
        );
        return;
    }
    let profile = Profile::new()
        .stdin(Stream::Inherit)
        .limits(|l| l.wall_clock(Duration::from_millis(200)));
    let module = repeat(
        1,
        READ,
        "(drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 64)))",
    );
    let ended = run(Compiler::Singlepass, profile, &module).unwrap();
    // What reads the pipe can't be interrupted, and the runtime would wait for it.
    std::process::exit(ended.code);
}

for_both_compilers! {
    fn descriptors(compiler) {
        let directory = tempfile::tempdir().unwrap();
        // Exits with the error of the first call that fails.
        let open = OPEN_FILE.replace("(drop", "(local.tee $fd");
        let exiting = format!("(if {open} (then (call $exit (local.get $fd))))");
        let opening = |times| repeat(times, &format!("{OPEN} {EXIT}"), &exiting);
        // Three streams, the virtual root, and the runner's two preopens, and the profile's own.
        let limited = |most| {
            Profile::new()
                .preopen(|p| p.directory(directory.path()).alias("given").read(true).create(true))
                .unwrap()
                .limits(|l| l.descriptors(most))
        };
        assert_eq!(run(compiler, limited(20), &opening(5)).unwrap(), WELL);
        assert_eq!(run(compiler, limited(20), &opening(20)).unwrap(), exited(Errno::Mfile as i32));
        assert!(directory.path().join("file").exists());
    }
}

for_both_compilers! {
    fn bytes_to_files(compiler) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        let fd = "(i32.load (i32.const 72))";
        let writing = |times| {
            let body = format!("(if (i32.eqz {fd}) (then {OPEN_FILE})) {}", writing_to(fd));
            repeat(times, &format!("{OPEN} {WRITE}"), &body)
        };
        let limited = |most| {
            Profile::new()
                .preopen(|p| p.directory(directory.path()).alias("given").read(true).create(true))
                .unwrap()
                .limits(|l| l.disk_bytes(most))
        };
        assert_eq!(run(compiler, limited(20), &writing(4)).unwrap(), WELL);
        assert_eq!(std::fs::read(&file).unwrap(), b"hellohellohellohello");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(run(compiler, limited(19), &writing(9)).unwrap(), at(Limit::DiskBytes));
        assert_eq!(std::fs::read(&file).unwrap(), b"hellohellohello");
    }
}

for_both_compilers! {
    fn bytes_to_streams(compiler) {
        let output = Captured::new(1000);
        let limited = |most| {
            Profile::new()
                .stdout(Stream::Memory(output.clone()))
                .limits(|l| l.stream_bytes(most).disk_bytes(0))
        };
        let writing = |times| repeat(times, WRITE, &writing_to("(i32.const 1)"));
        assert_eq!(run(compiler, limited(20), &writing(4)).unwrap(), WELL);
        assert_eq!(output.bytes(), b"hellohellohellohello");
        assert_eq!(run(compiler, limited(20), &writing(9)).unwrap(), at(Limit::StreamBytes));
        assert_eq!(output.bytes().len(), 40);
    }
}

#[test]
fn codes_and_names_are_each_limits_own() {
    for limit in Limit::ALL {
        assert_eq!(Limit::named(limit.name()), Some(*limit));
        match limit.exit_code() {
            Some(code) => {
                assert_eq!(Limit::from_exit_code(code), Some(*limit));
                assert!((112..=118).contains(&code));
            }
            None => {
                let growing = [Limit::Memory, Limit::Table, Limit::Descriptors];
                assert!(growing.contains(limit), "{limit}");
            }
        }
    }
    assert_eq!(Limit::from_exit_code(1), None);
}

#[test]
fn instructions_and_child_processes_do_not_go_together() {
    let profile = Profile::new()
        .allow(Group::Processes)
        .limits(|l| l.instructions(1));
    let error = profile.check().unwrap_err().to_string();
    assert!(
        error.contains("switch the group `processes` off"),
        "{error}"
    );
}
