//! Each limit, reached and not reached.

use std::time::Duration;

use wasmer_wasix::profile::{Captured, Group, Limit, Profile, Stream};

use crate::common::{Compiler, WELL, at, run, run_on};

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

for_both_compilers! {
    fn memory(compiler) {
        let profile = || Profile::new().limits(|l| l.memory_pages(10));
        let growing = |pages| repeat(pages, "", "(drop (memory.grow (i32.const 1)))");
        assert_eq!(run(compiler, profile(), &growing(9)).unwrap(), WELL);
        assert_eq!(run(compiler, profile(), &growing(10)).unwrap(), at(Limit::Memory));
    }
}

for_both_compilers! {
    fn a_memorys_own_maximum_is_no_limit_that_is_reached(compiler) {
        let module = repeat(20, "", "(drop (memory.grow (i32.const 1)))").replace(
            r#"(memory (export "memory") 1)"#,
            r#"(memory (export "memory") 1 5)"#,
        );
        let profile = || Profile::new().limits(|l| l.memory_pages(10));
        assert_eq!(run(compiler, profile(), &module).unwrap(), WELL);
    }
}

for_both_compilers! {
    fn a_module_that_starts_with_too_much_is_not_compiled(compiler) {
        let module = |pages: u32, elements: u32| format!(
            r#"(module (memory (export "memory") {pages}) (table {elements} funcref) (func (export "_start")))"#
        );
        let profile = || Profile::new().limits(|l| l.memory_pages(10).table_elements(20));
        assert_eq!(run(compiler, profile(), &module(10, 20)).unwrap(), WELL);
        let error = run(compiler, profile(), &module(11, 20)).unwrap_err().to_string();
        assert!(error.contains("starts with 11 where `memory-pages` allows 10"), "{error}");
        let error = run(compiler, profile(), &module(10, 21)).unwrap_err().to_string();
        assert!(error.contains("starts with 21 where `table-elements` allows 20"), "{error}");
    }
}

for_both_compilers! {
    fn table(compiler) {
        let profile = || Profile::new().limits(|l| l.table_elements(10));
        let growing = |elements| repeat(elements, "", "(drop (table.grow (ref.null func) (i32.const 1)))");
        assert_eq!(run(compiler, profile(), &growing(9)).unwrap(), WELL);
        assert_eq!(run(compiler, profile(), &growing(10)).unwrap(), at(Limit::Table));
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
    fn a_module_that_was_compiled_without_the_limits_is_refused(compiler) {
        let module = repeat(1, "", "");
        let engine = || compiler.engine(&Profile::new());
        assert_eq!(run_on(engine(), Profile::new(), &module).unwrap(), WELL);
        for (profile, name) in [
            (Profile::new().limits(|l| l.memory_pages(10)), "memory-pages"),
            (Profile::new().limits(|l| l.table_elements(10)), "table-elements"),
            (Profile::new().limits(|l| l.instructions(1_000_000)), "instructions"),
        ] {
            let error = format!("{:#}", run_on(engine(), profile, &module).unwrap_err());
            assert!(error.contains(&format!("compiled without the limit `{name}`")), "{error}");
        }
        // Nor with others than those of its profile.
        let profile = Profile::new().limits(|l| l.memory_pages(10));
        let engine = compiler.engine(&Profile::new().limits(|l| l.memory_pages(11)));
        let error = format!("{:#}", run_on(engine, profile, &module).unwrap_err());
        assert!(error.contains("compiled without the limit `memory-pages`"), "{error}");
    }
}

for_both_compilers! {
    fn a_dynamically_linked_module_is_refused(compiler) {
        let module = repeat(1, "", "").replacen("(module", r#"(module (@custom "dylink.0" (before first) "")"#, 1);
        let profile = Profile::new().limits(|l| l.memory_pages(10));
        let error = format!("{:#}", run(compiler, profile, &module).unwrap_err());
        assert!(error.contains("dynamically linked"), "{error}");
    }
}

for_both_compilers! {
    fn a_compiler_with_limits_compiles_one_module(compiler) {
        for profile in [
            Profile::new().limits(|l| l.memory_pages(10)),
            Profile::new().limits(|l| l.instructions(1_000_000)),
        ] {
            let engine = compiler.engine(&profile);
            let module = repeat(1, "", "");
            assert!(wasmer::Module::new(&engine, &module).is_ok());
            let error = wasmer::Module::new(&engine, &module).unwrap_err().to_string();
            assert!(error.contains("make another one for each module"), "{error}");
        }
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
            Some(Limit::WallClock.code()),
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
        let opening = |times| repeat(times, OPEN, OPEN_FILE);
        // Three streams, the virtual root, and the runner's two preopens, and the profile's own.
        let limited = |most| {
            Profile::new()
                .preopen(|p| p.directory(directory.path()).alias("given").read(true).create(true))
                .unwrap()
                .limits(|l| l.descriptors(most))
        };
        assert_eq!(run(compiler, limited(20), &opening(5)).unwrap(), WELL);
        assert_eq!(run(compiler, limited(20), &opening(20)).unwrap(), at(Limit::Descriptors));
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
        assert_eq!(Limit::from_code(limit.code()), Some(*limit));
        assert_eq!(Limit::named(limit.name()), Some(*limit));
        assert!((110..=118).contains(&limit.code()));
    }
    assert_eq!(Limit::from_code(1), None);
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
