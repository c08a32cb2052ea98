;; Prints `terminal` or `pipe` for its standard input, and then what it reads from there, until the end.
(module
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fdstat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "terminal\n")
  (data (i32.const 32) "pipe\n")
  (func $print (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (drop (call $fdstat (i32.const 0) (i32.const 64)))
    ;; As a C library does it: a character device (2) without the rights to seek and to tell (4 and 32).
    (if (i32.and
        (i32.eq (i32.load8_u (i32.const 64)) (i32.const 2))
        (i64.eqz (i64.and (i64.load (i32.const 72)) (i64.const 36))))
      (then (call $print (i32.const 16) (i32.const 9)))
      (else (call $print (i32.const 32) (i32.const 5))))
    (loop $again
      (i32.store (i32.const 0) (i32.const 1024))
      (i32.store (i32.const 4) (i32.const 1024))
      (if (i32.eqz (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (then
          (if (i32.load (i32.const 8))
            (then
              (call $print (i32.const 1024) (i32.load (i32.const 8)))
              (br $again))))))))
