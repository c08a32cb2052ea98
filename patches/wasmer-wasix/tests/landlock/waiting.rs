//! A module that keeps reading or writing a file and is told to end, and one that doesn't want to wait: what reads and
//! writes were handed over to another thread for.

use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::Duration;

use wasmer::{Module, Store};
use wasmer_wasix::os::task::process::WasiProcess;
use wasmer_wasix::wasmer_wasix_types::wasi::{Errno, Rights, Signal};
use wasmer_wasix::{WasiEnvBuilder, WasiError};

use crate::common::{
    guest::Guest,
    host::{builder, cranelift, tokio},
    tree::Tree,
};

/// `$each` again and again, until it returns an error number, which is the exit code.
fn forever(each: &str) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread" (func $fd_pread (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite" (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "file")
  ;; A vector of 7 bytes at 2048.
  (data (i32.const 64) "\00\08\00\00\07\00\00\00")
  (func (export "_start") (local $fd i32) (local $error i32)
    ;; From the first descriptor on, there is one that leads there.
    (local.set $fd (i32.const 3))
    (loop $try
      (if (i32.gt_u (local.get $fd) (i32.const 8)) (then (call $proc_exit (i32.const 90))))
      (if (call $path_open (local.get $fd) (i32.const 1) (i32.const 1024) (i32.const 4) (i32.const 0)
            (i64.const 0x6001ee) (i64.const 0) (i32.const 0) (i32.const 16))
        (then (local.set $fd (i32.add (local.get $fd) (i32.const 1))) (br $try))))
    (local.set $fd (i32.load (i32.const 16)))
    (loop $again
      (local.set $error {each})
      ;; EINTR: there was a signal.
      (br_if $again (i32.or (i32.eqz (local.get $error)) (i32.eq (local.get $error) (i32.const 27)))))
    (call $proc_exit (local.get $error))))"#
    )
}

const READING: &str = "(call $fd_read (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 72))";
const READING_AT: &str =
    "(call $fd_pread (local.get $fd) (i32.const 64) (i32.const 1) (i64.const 0) (i32.const 72))";
const WRITING_AT: &str =
    "(call $fd_pwrite (local.get $fd) (i32.const 64) (i32.const 1) (i64.const 0) (i32.const 72))";

/// Reads from a pipe of its own; the exit code says what went wrong.
const PIPE: &str = r#"(module
  (import "wasix_32v1" "fd_pipe" (func $fd_pipe (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_flags" (func $set_flags (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  ;; A vector of 3 bytes at 2048.
  (data (i32.const 64) "\00\08\00\00\03\00\00\00")
  (func $expect (param $error i32) (param $expected i32) (param $wrong i32)
    (if (i32.ne (local.get $error) (local.get $expected)) (then (call $proc_exit (local.get $wrong)))))
  (func $read (result i32)
    (call $fd_read (i32.load (i32.const 16)) (i32.const 64) (i32.const 1) (i32.const 72)))
  (func (export "_start") (local $other i32)
    (call $expect (call $fd_pipe (i32.const 16) (i32.const 20)) (i32.const 0) (i32.const 1))
    ;; NONBLOCK.
    (call $expect (call $set_flags (i32.load (i32.const 16)) (i32.const 4)) (i32.const 0) (i32.const 2))
    ;; EAGAIN.
    (call $expect (call $read) (i32.const 6) (i32.const 3))
    (call $expect (call $fd_write (i32.load (i32.const 20)) (i32.const 64) (i32.const 1) (i32.const 72))
      (i32.const 0) (i32.const 4))
    (call $expect (call $read) (i32.const 0) (i32.const 5))
    (call $expect (i32.load (i32.const 72)) (i32.const 3) (i32.const 6))
    (call $expect (call $read) (i32.const 6) (i32.const 7))
    (call $proc_exit (i32.const 42))))"#;

/// Returns the module's end, if `tell` is told once it runs. Far more time than that takes, and it counts as lost.
fn end(text: &str, builder: WasiEnvBuilder, tell: fn(&WasiProcess)) -> i32 {
    let engine = cranelift();
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(engine.clone());
    let (instance, env) = builder
        .engine(engine)
        .instantiate(module, &mut store)
        .unwrap();
    let process = env.data(&store).process.clone();
    let (ended, end) = mpsc::channel::<()>();
    let teller = thread::spawn(move || {
        // It is told again, since it may not have begun.
        for _ in 0..600 {
            thread::sleep(Duration::from_millis(100));
            if matches!(end.try_recv(), Err(TryRecvError::Disconnected)) {
                return;
            }
            tell(&process);
        }
        eprintln!("the module goes on");
        std::process::abort();
    });
    let start = instance.exports.get_function("_start").unwrap();
    let error = start.call(&mut store, &[]).unwrap_err();
    drop(ended);
    teller.join().unwrap();
    match error.downcast::<WasiError>() {
        Ok(WasiError::Exit(code)) => code.raw(),
        other => panic!("the module ended otherwise: {other:?}"),
    }
}

fn with_directory(tree: &Tree) -> WasiEnvBuilder {
    let builder = builder().preopen(|p| {
        p.directory(tree.granted())
            .alias("data")
            .read(true)
            .write(true)
    });
    builder.unwrap()
}

const KILL: fn(&WasiProcess) = |process| process.signal_process(Signal::Sigkill);
/// The exit code of a module that a signal has ended. It doesn't end with it by itself.
const KILLED: i32 = Errno::Intr as i32;

for_both_users! {
    fn a_module_that_keeps_reading_a_file_can_be_ended() {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        assert_eq!(end(&forever(READING), with_directory(&tree), KILL), KILLED);
    }
}

for_both_users! {
    fn so_can_one_that_names_an_offset() {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        assert_eq!(end(&forever(READING_AT), with_directory(&tree), KILL), KILLED);
    }
}

for_both_users! {
    fn a_module_that_keeps_writing_a_file_can_be_ended() {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        assert_eq!(end(&forever(WRITING_AT), with_directory(&tree), KILL), KILLED);
    }
}

for_both_users! {
    fn a_process_that_is_terminated_takes_its_reader_along() {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let tell: fn(&WasiProcess) = |process| process.terminate(7.into());
        assert_eq!(end(&forever(READING), with_directory(&tree), tell), 7);
    }
}

for_both_users! {
    fn who_does_not_want_to_wait_for_a_pipe_is_told_that_there_is_nothing_yet() {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        assert_eq!(end(PIPE, with_directory(&tree), |_| {}), 42);
    }
}

for_both_users! {
    fn a_file_has_what_it_has_also_for_who_does_not_want_to_wait() {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let mut guest = Guest::new(with_directory(&tree));
        let directory = guest.preopen("data");
        let rights = Rights::FD_READ | Rights::FD_FDSTAT_SET_FLAGS;
        let fd = guest.open_with(directory, "file", rights).unwrap();
        assert_eq!(guest.call("fd_fdstat_set_flags", &[fd.into(), 4.into()]), Ok(()));
        assert_eq!(guest.read_some(fd, None, 3).unwrap(), b"con");
        assert_eq!(guest.read_some(fd, None, 9).unwrap(), b"tent");
        assert_eq!(guest.read_some(fd, None, 9).unwrap(), b"");
    }
}
