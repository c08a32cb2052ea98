;; Reads `key` in one of its first preopens until the value is `new`, and prints the value.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 9) "key")
  (func (export "_start") (local $fd i32) (local $tries i32)
    (loop $again
      (local.set $tries (i32.add (local.get $tries) (i32.const 1)))
      (if (i32.eqz (call $open
          (i32.add (i32.const 3) (i32.rem_u (local.get $tries) (i32.const 13))) (i32.const 1) (i32.const 9) (i32.const 3) (i32.const 0)
          (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 64)))
        (then
          (local.set $fd (i32.load (i32.const 64)))
          (i32.store (i32.const 72) (i32.const 128))
          (i32.store (i32.const 76) (i32.const 3))
          (drop (call $read (local.get $fd) (i32.const 72) (i32.const 1) (i32.const 80)))
          (drop (call $close (local.get $fd)))))
      (br_if $again (i32.and
        (i32.ne (i32.load8_u (i32.const 128)) (i32.const 110))
        (i32.lt_u (local.get $tries) (i32.const 20000000)))))
    (i32.store (i32.const 72) (i32.const 128))
    (i32.store (i32.const 76) (i32.const 3))
    (drop (call $write (i32.const 1) (i32.const 72) (i32.const 1) (i32.const 80)))))
