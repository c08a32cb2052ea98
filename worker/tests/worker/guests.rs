//! Modules.

/// Copies its input to its output, and ends with the exit code 0; what it reads from is `fd`.
fn copies(before: &str, fd: &str) -> Vec<u8> {
    compiled(&format!(
        r#"(module
            (import "wasi_snapshot_preview1" "path_open" (func $path_open
                (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 1024) "data/file")
            (func (export "_start") (local $fd i32)
                {before}
                (block $end (loop $next
                    (i32.store (i32.const 0) (i32.const 4096))
                    (i32.store (i32.const 4) (i32.const 4096))
                    (if (call $fd_read {fd} (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
                    (br_if $end (i32.eqz (i32.load (i32.const 8))))
                    (i32.store (i32.const 4) (i32.load (i32.const 8)))
                    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
                    (br $next)))))"#
    ))
}

/// Copies its input.
pub fn copies_input() -> Vec<u8> {
    copies("", "(i32.const 0)")
}

/// Waits for its input, and prints `data/file`, or ends with the exit code 7.
pub fn prints_file() -> Vec<u8> {
    copies(
        "(i32.store (i32.const 0) (i32.const 4096))
         (i32.store (i32.const 4) (i32.const 1))
         (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
         (local.set $fd (i32.const 3))
         (block $opened
            (loop $next
                (br_if $opened (i32.eqz (call $path_open (local.get $fd) (i32.const 1) (i32.const 1024)
                    (i32.const 9) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16))))
                (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $fd) (i32.const 16))))
            (call $proc_exit (i32.const 7)))",
        "(i32.load (i32.const 16))",
    )
}

/// Makes `data/file` 64 KiB long, 4 KiB at a time, and ends with the error number of the write that fails.
pub fn fills_file() -> Vec<u8> {
    compiled(
        r#"(module
            (import "wasi_snapshot_preview1" "path_open" (func $path_open
                (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\00\10\00\00\00\10\00\00")
            (data (i32.const 1024) "data/file")
            (func (export "_start") (local $fd i32) (local $left i32) (local $error i32)
                (local.set $fd (i32.const 3))
                (block $opened
                    (loop $next
                        (br_if $opened (i32.eqz (call $path_open (local.get $fd) (i32.const 1) (i32.const 1024)
                            (i32.const 9) (i32.const 0) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16))))
                        (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
                        (br_if $next (i32.lt_u (local.get $fd) (i32.const 16))))
                    (call $proc_exit (i32.const 127)))
                (local.set $left (i32.const 16))
                (loop $next
                    (local.set $error (call $fd_write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 20)))
                    (if (local.get $error) (then (call $proc_exit (local.get $error))))
                    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                    (br_if $next (local.get $left)))))"#,
    )
}

/// Ends with the number of its arguments, times ten, and of its variables.
pub fn counts() -> Vec<u8> {
    compiled(
        r#"(module
            (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start")
                (if (call $args (i32.const 0) (i32.const 4)) (then unreachable))
                (if (call $environ (i32.const 8) (i32.const 12)) (then unreachable))
                (call $proc_exit (i32.add
                    (i32.mul (i32.load (i32.const 0)) (i32.const 10)) (i32.load (i32.const 8))))))"#,
    )
}

/// Does nothing else.
pub fn does(what: &str) -> Vec<u8> {
    compiled(&format!(
        r#"(module (memory (export "memory") 1) (func (export "_start") {what}))"#
    ))
}

/// Says that it is there, and loops.
pub fn hangs() -> Vec<u8> {
    compiled(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\08\00\00\00\01\00\00\00.")
            (func (export "_start")
                (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
                (loop $for_ever (br $for_ever))))"#,
    )
}

/// Takes memory until there is no more, writes to all of it, and ends with how many times 16 MiB it got, at most
/// 64.
pub fn takes_memory() -> Vec<u8> {
    compiled(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (local $got i32)
                (block $full (loop $next
                    (br_if $full (i32.eq (memory.grow (i32.const 256)) (i32.const -1)))
                    (local.set $got (i32.add (local.get $got) (i32.const 1)))
                    (memory.fill
                        (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 16777216))
                        (i32.const 1) (i32.const 16777216))
                    (br_if $next (i32.lt_u (local.get $got) (i32.const 64)))))
                (call $proc_exit (local.get $got))))"#,
    )
}

fn compiled(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}
