//! Threads and child processes.

use std::time::Duration;

use wasmer_wasix::profile::{Group, Limit, Profile};

use crate::common::{WELL, at, run};

/// Starts `threads` threads, one after the other, each of which does `body`; then exits with 0, or loops forever.
fn starting(threads: u32, body: &str, then: &str) -> String {
    format!(
        r#"(module
            (import "env" "memory" (memory 1 16 shared))
            (export "memory" (memory 0))
            (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (global $left (mut i32) (i32.const {threads}))
            (func (export "wasi_thread_start") (param i32 i32) {body})
            (func (export "_start")
                (block $done
                    (loop $again
                        (br_if $done (i32.eqz (global.get $left)))
                        (drop (call $spawn (i32.const 0)))
                        (drop (call $yield))
                        (global.set $left (i32.sub (global.get $left) (i32.const 1)))
                        (br $again)))
                {then}))"#
    )
}

/// Until somebody says otherwise.
const WAITING: &str = "(drop (memory.atomic.wait32 (i32.const 512) (i32.const 0) (i64.const -1)))";

fn threaded() -> Profile {
    Profile::new().allow(Group::Threads)
}

for_both_compilers! {
    fn threads_at_a_time(compiler) {
        let profile = |most| threaded().limits(|l| l.threads(most));
        assert_eq!(run(compiler, profile(3), &starting(3, WAITING, "")).unwrap(), WELL);
        assert_eq!(run(compiler, profile(3), &starting(4, WAITING, "")).unwrap(), at(Limit::Threads));
        assert_eq!(run(compiler, profile(0), &starting(0, WAITING, "")).unwrap(), WELL);
        assert_eq!(run(compiler, profile(0), &starting(1, WAITING, "")).unwrap(), at(Limit::Threads));
    }
}

for_both_compilers! {
    fn threads_that_wait_end_with_the_time(compiler) {
        let profile = threaded().limits(|l| l.wall_clock(Duration::from_millis(300)));
        let all_wait = starting(2, WAITING, WAITING);
        assert_eq!(run(compiler, profile, &all_wait).unwrap(), at(Limit::WallClock));
    }
}

/// True if a thread of this process, other than this one, has a processor or waits for one.
fn computes() -> bool {
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.flatten().any(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.starts_with('R'));
        Some(task.file_name().as_os_str()) != own.file_name() && state == Some(true)
    })
}

for_both_compilers! {
    fn threads_that_compute_end_with_the_time(compiler) {
        let all_compute = starting(2, "(loop (br 0))", "(loop (br 0))");
        let profile = threaded()
            .preopen(|p| p.directory("/proc").alias("proc").read(true)) // for `computes`
            .unwrap()
            .limits(|l| l.wall_clock(Duration::from_millis(300)));
        assert_eq!(run(compiler, profile, &all_compute).unwrap(), at(Limit::WallClock));
        // As documented, and as the report warns: without interrupts they are left behind. With them there comes a time
        // at which none computes.
        let comes_to_rest = (0..20).any(|_| {
            std::thread::sleep(Duration::from_millis(200));
            !computes()
        });
        assert_eq!(comes_to_rest, cfg!(feature = "host-interrupt"));
    }
}

for_both_compilers! {
    fn instructions_are_those_of_all_threads(compiler) {
        let profile = |most| threaded().limits(|l| l.instructions(most));
        // Of some 70,000 instructions.
        let count = "(local $n i32) (loop $again
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 10000))))";
        assert_eq!(run(compiler, profile(10_000_000), &starting(3, count, "")).unwrap(), WELL);
        // The first thread waits, until another one comes to the end of its part.
        let ended = run(compiler, profile(200_000), &starting(3, count, WAITING)).unwrap();
        assert_eq!(ended, at(Limit::Instructions));
    }
}

/// Starts threads one after the other: each says that it has come to its end before the next is started.
const ONE_AFTER_THE_OTHER: &str = r#"(module
    (import "env" "memory" (memory 1 16 shared))
    (export "memory" (memory 0))
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (global $left (mut i32) (i32.const 300))
    (func (export "wasi_thread_start") (param i32 i32)
        (i32.atomic.store (i32.const 512) (i32.const 1))
        (drop (memory.atomic.notify (i32.const 512) (i32.const 1))))
    (func (export "_start")
        (loop $again
            (i32.atomic.store (i32.const 512) (i32.const 0))
            (if (i32.le_s (call $spawn (i32.const 0)) (i32.const 0)) (then unreachable))
            (drop (memory.atomic.wait32 (i32.const 512) (i32.const 0) (i64.const -1)))
            (global.set $left (i32.sub (global.get $left) (i32.const 1)))
            (br_if $again (global.get $left)))))"#;

for_both_compilers! {
    fn what_a_thread_leaves_of_the_instructions_is_there_for_the_next(compiler) {
        // Of the 300 threads and the one that starts them, none needs more than 10,000; one part in 16, 300 times,
        // would leave nothing.
        let profile = threaded().limits(|l| l.instructions(1_000_000));
        assert_eq!(run(compiler, profile, ONE_AFTER_THE_OTHER).unwrap(), WELL);
    }
}

/// A program that is in the file system of the module as `child`, and one that starts it `times` times.
fn spawning(times: u32) -> String {
    format!(
        r#"(module
            (import "wasix_32v1" "proc_spawn" (func $spawn
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "/child.wasm")
            (global $left (mut i32) (i32.const {times}))
            (func (export "_start") (local $error i32)
                (loop $again
                    (local.set $error (call $spawn (i32.const 16) (i32.const 11) (i32.const 0)
                        (i32.const 64) (i32.const 0) (i32.const 64) (i32.const 0)
                        (i32.const 2) (i32.const 2) (i32.const 2)
                        (i32.const 64) (i32.const 0) (i32.const 128)))
                    (drop (call $yield))
                    (if (local.get $error) (then (call $exit (local.get $error))))
                    (global.set $left (i32.sub (global.get $left) (i32.const 1)))
                    (br_if $again (global.get $left)))))"#
    )
}

for_both_compilers! {
    fn child_processes(compiler) {
        let directory = tempfile::tempdir().unwrap();
        let child = br#"(module (memory (export "memory") 1) (func (export "_start")))"#;
        let child = wasmer::wat2wasm(child).unwrap();
        std::fs::write(directory.path().join("child.wasm"), child).unwrap();
        let profile = |most| {
            Profile::new()
                .allow(Group::Processes)
                .preopen(|p| p.directory(directory.path()).alias("/").read(true))
                .unwrap()
                .limits(|l| l.processes(most))
        };
        assert_eq!(run(compiler, profile(2), &spawning(2)).unwrap(), WELL);
        assert_eq!(run(compiler, profile(2), &spawning(3)).unwrap(), at(Limit::Processes));
    }
}
