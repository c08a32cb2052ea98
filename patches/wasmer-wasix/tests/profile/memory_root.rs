//! The root in memory, which a module has where nothing is preopened.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmer_wasix::profile::{Group, Limit, Profile};
use wasmer_wasix::types::wasi::Errno;

use crate::common::{Ended, WELL, at, run};

/// Makes a file in the root, does `growth` with its number, and exits with the error number of that.
fn growing(growth: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "path_open"
                (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_pwrite" (func $write (param i32 i32 i32 i64 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $resize (param i32 i64) (result i32)))
            (import "wasi_snapshot_preview1" "fd_allocate" (func $allocate (param i32 i64 i64) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\01\00\00\00")
            (data (i32.const 16) "x")
            (data (i32.const 32) "made")
            (func (export "_start") (local $fd i32)
                (if (call $open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 4) (i32.const 1)
                        (i64.const 0x400146) (i64.const 0) (i32.const 0) (i32.const 72))
                    (then unreachable))
                (local.set $fd (i32.load (i32.const 72)))
                (call $exit {growth})))"#
    )
}

fn write_at(offset: u64) -> String {
    growing(&format!(
        "(call $write (local.get $fd) (i32.const 0) (i32.const 1) (i64.const {offset}) (i32.const 76))"
    ))
}

const FULL: Ended = Ended {
    code: Errno::Nospc as i32,
    limit: None,
};

for_both_compilers! {
    fn a_file_grows_as_far_as_there_is_room_and_no_further(compiler) {
        assert_eq!(run(compiler, Profile::new(), &write_at(1_000_000)).unwrap(), WELL);
        for offset in [1 << 30, 1_500_000_000, 1_000_000_000_000, 1 << 62] {
            assert_eq!(run(compiler, Profile::new(), &write_at(offset)).unwrap(), FULL, "at {offset}");
        }
        let size = "(call $resize (local.get $fd) (i64.const 1000000000000))";
        assert_eq!(run(compiler, Profile::new(), &growing(size)).unwrap(), FULL);
        let size = "(call $allocate (local.get $fd) (i64.const 0) (i64.const 1000000000000))";
        assert_eq!(run(compiler, Profile::new(), &growing(size)).unwrap(), FULL);
    }
}

for_both_compilers! {
    fn a_hole_counts_as_bytes_to_files(compiler) {
        let limited = || Profile::new().limits(|l| l.disk_bytes(1000));
        assert_eq!(run(compiler, limited(), &write_at(999)).unwrap(), WELL);
        for offset in [1000, 1_500_000_000, 1_000_000_000_000] {
            assert_eq!(run(compiler, limited(), &write_at(offset)).unwrap(), at(Limit::DiskBytes));
        }
    }
}

/// Four threads that make, rename, link and remove the same eight names, and a first one that makes a directory when
/// they are done and exits with the error number of that.
const RACING: &str = r#"(module
    (import "env" "memory" (memory 1 16 shared))
    (export "memory" (memory 0))
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_remove_directory" (func $rmdir (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_symlink" (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_link" (func $link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_filestat_get" (func $stat (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (data (i32.const 1024) "a\00\00\00b\00\00\00c\00\00\00d\00\00\00d/a\00d/b\00e\00\00\00e/a\00end")
    (func $length (param $name i32) (result i32)
        (if (result i32) (i32.lt_u (local.get $name) (i32.const 1040)) (then (i32.const 1))
            (else (if (result i32) (i32.eq (local.get $name) (i32.const 1048)) (then (i32.const 1))
                (else (i32.const 3))))))
    (func (export "wasi_thread_start") (param $id i32) (param $thread i32)
        (local $seed i64) (local $left i32) (local $a i32) (local $b i32) (local $what i32) (local $out i32)
        (local.set $seed (i64.extend_i32_u (i32.add (local.get $thread) (i32.const 12345))))
        (local.set $out (i32.add (i32.const 8192) (i32.mul (local.get $thread) (i32.const 4096))))
        (local.set $left (i32.const 3000))
        (loop $again
            (local.set $seed (i64.add (i64.const 1) (i64.mul (local.get $seed) (i64.const 6364136223846793005))))
            (local.set $a (i32.add (i32.const 1024) (i32.shl (i32.and (i32.const 7)
                (i32.wrap_i64 (i64.shr_u (local.get $seed) (i64.const 40)))) (i32.const 2))))
            (local.set $b (i32.add (i32.const 1024) (i32.shl (i32.and (i32.const 7)
                (i32.wrap_i64 (i64.shr_u (local.get $seed) (i64.const 50)))) (i32.const 2))))
            (local.set $what (i32.and (i32.const 7) (i32.wrap_i64 (i64.shr_u (local.get $seed) (i64.const 60)))))
            (block $done
                (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
                    (br_table $0 $1 $2 $3 $4 $5 $6 $7 (local.get $what)))
                    (if (i32.eqz (call $open (i32.const 3) (i32.const 1) (local.get $a) (call $length (local.get $a))
                            (i32.const 1) (i64.const 0x400146) (i64.const 0) (i32.const 0) (local.get $out)))
                        (then (drop (call $close (i32.load (local.get $out))))))
                    (br $done))
                    (drop (call $unlink (i32.const 3) (local.get $a) (call $length (local.get $a)))) (br $done))
                    (drop (call $mkdir (i32.const 3) (local.get $a) (call $length (local.get $a)))) (br $done))
                    (drop (call $rmdir (i32.const 3) (local.get $a) (call $length (local.get $a)))) (br $done))
                    (drop (call $rename (i32.const 3) (local.get $a) (call $length (local.get $a))
                        (i32.const 3) (local.get $b) (call $length (local.get $b)))) (br $done))
                    (drop (call $symlink (local.get $b) (call $length (local.get $b))
                        (i32.const 3) (local.get $a) (call $length (local.get $a)))) (br $done))
                    (drop (call $link (i32.const 3) (i32.const 0) (local.get $a) (call $length (local.get $a))
                        (i32.const 3) (local.get $b) (call $length (local.get $b)))) (br $done))
                (drop (call $stat (i32.const 3) (i32.const 1) (local.get $a) (call $length (local.get $a))
                    (local.get $out)))
                (drop (call $list (i32.const 3) (local.get $out) (i32.const 512) (i64.const 0) (i32.add (local.get $out)
                    (i32.const 1024)))))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
        (drop (i32.atomic.rmw.add (i32.const 512) (i32.const 1))))
    (func (export "_start") (local $thread i32)
        (loop $next
            (if (i32.le_s (call $spawn (local.get $thread)) (i32.const 0)) (then unreachable))
            (local.set $thread (i32.add (local.get $thread) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $thread) (i32.const 4))))
        (loop $wait
            (drop (call $yield))
            (br_if $wait (i32.lt_u (i32.atomic.load (i32.const 512)) (i32.const 4))))
        (call $exit (call $mkdir (i32.const 3) (i32.const 1056) (i32.const 3)))))"#;

for_both_compilers! {
    fn threads_that_race_for_names_panic_nowhere(compiler) {
        let panics = Arc::new(AtomicUsize::new(0));
        let (seen, report) = (Arc::clone(&panics), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            seen.fetch_add(1, Ordering::SeqCst);
            report(panic);
        }));
        let ended = run(compiler, Profile::new().allow(Group::Threads), RACING).unwrap();
        assert_eq!(panics.load(Ordering::SeqCst), 0);
        assert_eq!(ended, WELL);
    }
}
