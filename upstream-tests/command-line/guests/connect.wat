;; WASIX: connects to the port PORT of 127.0.0.1, sends a line, and prints the number of the call that failed,
;; or 0, and its error.
(module
  (import "wasix_32v1" "sock_open" (func $open (param i32 i32 i32 i32) (result i32)))
  (import "wasix_32v1" "sock_connect" (func $connect (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; The family, a byte of nothing, the port, the address.
  (data (i32.const 64) "\01\00PORT\7f\00\00\01")
  (data (i32.const 128) "hello\n")
  (data (i32.const 144) "call 0: error 00\n")
  (data (i32.const 16) "\80\00\00\00\06\00\00\00")
  (data (i32.const 32) "\90\00\00\00\11\00\00\00")
  (func $tell (param $call i32) (param $error i32)
    (i32.store8 (i32.const 149) (i32.add (i32.const 48) (local.get $call)))
    (i32.store8 (i32.const 158) (i32.add (i32.const 48) (i32.div_u (local.get $error) (i32.const 10))))
    (i32.store8 (i32.const 159) (i32.add (i32.const 48) (i32.rem_u (local.get $error) (i32.const 10))))
    (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 8))))
  (func (export "_start") (local $error i32)
    (local.set $error (call $open (i32.const 1) (i32.const 1) (i32.const 6) (i32.const 4)))
    (if (local.get $error) (then (call $tell (i32.const 1) (local.get $error)) return))
    (local.set $error (call $connect (i32.load (i32.const 4)) (i32.const 64)))
    (if (local.get $error) (then (call $tell (i32.const 2) (local.get $error)) return))
    (local.set $error
      (call $write (i32.load (i32.const 4)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (if (local.get $error) (then (call $tell (i32.const 3) (local.get $error)) return))
    (call $tell (i32.const 0) (i32.const 0))))
