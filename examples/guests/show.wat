;; Prints the file that its last argument names, up to a page of it, or `can't open it`.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 3)
  (data (i32.const 48) "can't open it\n")
  ;; Where the text is, and its length.
  (data (i32.const 16) "\00\00\02\00\00\00\01\00")
  (func $print
    (if (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)) (then unreachable)))
  (func (export "_start") (local $fd i32) (local $path i32) (local $length i32)
    (if (call $sizes (i32.const 0) (i32.const 4)) (then unreachable))
    ;; Pointers from 1024 on, text from 65536 on; each text ends with a NUL.
    (if (call $arguments (i32.const 1024) (i32.const 65536)) (then unreachable))
    (local.set $path
      (i32.load (i32.add (i32.const 1020) (i32.mul (i32.const 4) (i32.load (i32.const 0))))))
    (local.set $length
      (i32.sub (i32.add (i32.const 65535) (i32.load (i32.const 4))) (local.get $path)))
    (local.set $fd (i32.const 3))
    (loop $next
      (if (i32.eqz (call $open (local.get $fd) (i32.const 1) (local.get $path) (local.get $length)
            (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8)))
        (then
          (if (call $read (i32.load (i32.const 8)) (i32.const 16) (i32.const 1) (i32.const 20))
            (then unreachable))
          (call $print)
          return))
      (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $fd) (i32.const 16))))
    (i32.store (i32.const 16) (i32.const 48))
    (i32.store (i32.const 20) (i32.const 14))
    (call $print)))
