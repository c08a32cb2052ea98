;; WASIX: prints `file`, through whichever preopen it shows in, or `not there`.
(module
  (import "wasix_32v1" "getcwd" (func $getcwd (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "file")
  (data (i32.const 80) "not there\n")
  ;; The text that is read or written, and its length.
  (data (i32.const 16) "\00\04\00\00\00\04\00\00")
  (func $print
    (if (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)) (then unreachable)))
  (func (export "_start") (local $fd i32)
    (local.set $fd (i32.const 3))
    (loop $next
      (if (i32.eqz (call $open (local.get $fd) (i32.const 1) (i32.const 64) (i32.const 4)
            (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 4)))
        (then
          (if (call $read (i32.load (i32.const 4)) (i32.const 16) (i32.const 1) (i32.const 20))
            (then unreachable))
          (call $print)
          return))
      (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $fd) (i32.const 16))))
    (i32.store (i32.const 16) (i32.const 80))
    (i32.store (i32.const 20) (i32.const 10))
    (call $print)))
