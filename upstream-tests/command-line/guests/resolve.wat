;; WASIX: resolves `localhost`, and prints the error, or 0.
(module
  (import "wasix_32v1" "resolve" (func $resolve (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "localhost")
  (data (i32.const 144) "error 00\n")
  (data (i32.const 32) "\90\00\00\00\09\00\00\00")
  (func (export "_start") (local $error i32)
    (local.set $error (call $resolve (i32.const 64) (i32.const 9) (i32.const 0)
      (i32.const 1024) (i32.const 8) (i32.const 4)))
    (i32.store8 (i32.const 150) (i32.add (i32.const 48) (i32.div_u (local.get $error) (i32.const 10))))
    (i32.store8 (i32.const 151) (i32.add (i32.const 48) (i32.rem_u (local.get $error) (i32.const 10))))
    (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 8)))))
