//! One open file, and many threads of the module that use it at the same time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use wasix_landlock_testing::isolated;
use wasmer::Module;
use wasmer_types::ModuleHash;
use wasmer_wasix::runners::{
    MappedDirectory,
    wasi::{RuntimeOrEngine, WasiRunner},
};

use crate::common::{
    host::{any_offline, cranelift, tokio},
    tree::Tree,
};

const THREADS: usize = 6;
const RECORDS: usize = 300;
/// Bytes in a record.
const SIZE: usize = 16;

/// Opens `/data/shared`, and does `each` in every thread until `$left` of them are 0 or it branches out. `$fd` is
/// the descriptor, `$id` the thread's number, `$vector` a vector of one record at `$buffer`, and `$count` what was
/// read or written. An error number, or a branch to `$wrong`, makes the module end with an error.
fn module(flags: u32, descriptor_flags: u32, each: &str) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread" (func $fd_pread (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "env" "memory" (memory 4 16 shared))
  (export "memory" (memory 0))
  (data (i32.const 1024) "work/shared")
  (func (export "_start") (local $id i32) (local $fd i32)
    ;; From the first descriptor on, there is one that leads there.
    (local.set $fd (i32.const 3))
    (loop $try
      (if (i32.gt_u (local.get $fd) (i32.const 8)) (then (call $proc_exit (i32.const 90))))
      (if (call $path_open (local.get $fd) (i32.const 1) (i32.const 1024) (i32.const 11) (i32.const {flags})
            (i64.const 0x6001ee) (i64.const 0) (i32.const {descriptor_flags}) (i32.const 16))
        (then (local.set $fd (i32.add (local.get $fd) (i32.const 1))) (br $try))))
    (loop $next
      ;; A thread's number is in the address of what it is given, which is all zeros.
      (if (i32.lt_s (call $spawn (i32.add (i32.const 4096) (i32.mul (local.get $id) (i32.const 64)))) (i32.const 0))
        (then (call $proc_exit (i32.const 91))))
      (local.set $id (i32.add (local.get $id) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $id) (i32.const {THREADS}))))
    (loop $wait
      (drop (call $sched_yield))
      (br_if $wait (i32.lt_u (i32.atomic.load (i32.const 32)) (i32.const {THREADS}))))
    (call $proc_exit (i32.atomic.load (i32.const 36))))
  (func (export "wasi_thread_start") (param $tid i32) (param $start i32)
    (local $id i32) (local $fd i32) (local $vector i32) (local $buffer i32) (local $count i32) (local $left i32)
    (local.set $fd (i32.load (i32.const 16)))
    (local.set $id (i32.div_u (i32.sub (local.get $start) (i32.const 4096)) (i32.const 64)))
    (local.set $vector (i32.add (i32.const 65536) (i32.mul (local.get $id) (i32.const 1024))))
    (local.set $count (i32.add (local.get $vector) (i32.const 8)))
    (local.set $buffer (i32.add (local.get $vector) (i32.const 64)))
    (i32.store (local.get $vector) (local.get $buffer))
    (i32.store offset=4 (local.get $vector) (i32.const {SIZE}))
    (memory.fill (local.get $buffer) (i32.add (local.get $id) (i32.const 65)) (i32.const {SIZE}))
    (local.set $left (i32.const {RECORDS}))
    (block $done
      (block $wrong
        (loop $again
          (br_if $done (i32.eqz (local.get $left)))
          {each}
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $again)))
      (drop (i32.atomic.rmw.add (i32.const 36) (i32.const 1))))
    (drop (i32.atomic.rmw.add (i32.const 32) (i32.const 1))))
)"#
    )
}

/// Runs the module with the directory at `/work`.
fn run(text: &str, directory: &Path) {
    let engine = cranelift();
    let module = Module::new(&engine, text).unwrap();
    let _tokio = tokio().enter();
    let mut runner = WasiRunner::new();
    runner.with_mapped_directories([MappedDirectory {
        host: directory.to_owned(),
        guest: "/work".to_owned(),
    }]);
    let runtime = RuntimeOrEngine::Runtime(any_offline(&engine));
    runner
        .run_wasm(runtime, "threads", module, ModuleHash::random())
        .unwrap();
}

const WRITE: &str = "
    (br_if $wrong (call $fd_write (local.get $fd) (local.get $vector) (i32.const 1) (local.get $count)))
    (br_if $wrong (i32.ne (i32.load (local.get $count)) (i32.const 16)))";

/// Every record of every thread is in the file, whole, and nothing else is.
fn assert_all_records(path: &Path, before: usize) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes.len(), before + THREADS * RECORDS * SIZE);
    let mut found = BTreeMap::new();
    for record in bytes[before..].chunks(SIZE) {
        assert!(record.iter().all(|byte| *byte == record[0]), "{record:?}");
        *found.entry(record[0]).or_insert(0) += 1;
    }
    let expected = (0..THREADS).map(|id| (b'A' + id as u8, RECORDS));
    assert_eq!(found, expected.collect());
}

#[test]
fn threads_that_write_at_one_offset_lose_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        // Made, and emptied.
        run(&module(1 | 8, 0, WRITE), &tree.granted());
        assert_all_records(&tree.granted().join("shared"), 0);
    });
}

#[test]
fn threads_that_append_lose_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        fs::write(tree.granted().join("shared"), "before").unwrap();
        run(&module(1, 1, WRITE), &tree.granted());
        assert_all_records(&tree.granted().join("shared"), 6);
    });
}

/// A file of numbered records, as many as all threads together read.
fn numbered(tree: &Tree) {
    let records = (0..THREADS * RECORDS).flat_map(|number| {
        let mut record = [0; SIZE];
        record[..4].copy_from_slice(&(number as u32).to_le_bytes());
        record
    });
    fs::write(tree.granted().join("shared"), records.collect::<Vec<u8>>()).unwrap();
}

#[test]
fn threads_that_read_at_one_offset_get_each_record_once() {
    isolated!(|| {
        let tree = Tree::new();
        numbered(&tree);
        // A byte for each record, which nobody else may have counted.
        let read = "
    (br_if $wrong (call $fd_read (local.get $fd) (local.get $vector) (i32.const 1) (local.get $count)))
    (br_if $wrong (i32.ne (i32.load (local.get $count)) (i32.const 16)))
    (br_if $wrong (i32.atomic.rmw8.xchg_u
      (i32.add (i32.const 131072) (i32.load (local.get $buffer))) (i32.const 1)))";
        run(&module(0, 0, read), &tree.granted());
    });
}

#[test]
fn threads_that_name_an_offset_get_what_is_there() {
    isolated!(|| {
        let tree = Tree::new();
        numbered(&tree);
        let read = "
    (br_if $wrong (call $fd_pread (local.get $fd) (local.get $vector) (i32.const 1)
      (i64.extend_i32_u (i32.mul (local.get $left) (i32.const 16))) (local.get $count)))
    (br_if $wrong (i32.ne (i32.load (local.get $count)) (i32.const 16)))
    (br_if $wrong (i32.ne (i32.load (local.get $buffer)) (local.get $left)))";
        run(&module(0, 0, read), &tree.granted());
    });
}

/// Exits with a number that says which of its reads went wrong.
const DOUBLE: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasix_32v1" "fd_dup" (func $fd_dup (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "/work/file")
  (func $expect (param $fd i32) (param $size i32) (param $first i32) (param $wrong i32)
    (i32.store (i32.const 64) (i32.const 2048))
    (i32.store (i32.const 68) (local.get $size))
    (if (call $fd_read (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 72))
      (then (call $proc_exit (local.get $wrong))))
    (if (i32.ne (i32.load (i32.const 72)) (local.get $size))
      (then (call $proc_exit (i32.add (local.get $wrong) (i32.const 1)))))
    (if (i32.ne (i32.load8_u (i32.const 2048)) (local.get $first))
      (then (call $proc_exit (i32.add (local.get $wrong) (i32.const 2))))))
  (func (export "_start") (local $fd i32) (local $double i32)
    (if (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 10) (i32.const 0)
          (i64.const 0x2000ae) (i64.const 0) (i32.const 0) (i32.const 16))
      (then (call $proc_exit (i32.const 90))))
    (local.set $fd (i32.load (i32.const 16)))
    (if (call $fd_dup (local.get $fd) (i32.const 16)) (then (call $proc_exit (i32.const 91))))
    (local.set $double (i32.load (i32.const 16)))
    ;; "content": "con", "te", "n", "t".
    (call $expect (local.get $fd) (i32.const 3) (i32.const 99) (i32.const 10))
    (call $expect (local.get $double) (i32.const 2) (i32.const 116) (i32.const 20))
    (call $expect (local.get $fd) (i32.const 1) (i32.const 110) (i32.const 30))
    (drop (call $fd_close (local.get $fd)))
    (call $expect (local.get $double) (i32.const 1) (i32.const 116) (i32.const 40)))
)"#;

#[test]
fn a_double_shares_the_offset() {
    isolated!(|| {
        let tree = Tree::new();
        run(DOUBLE, &tree.granted());
    });
}
