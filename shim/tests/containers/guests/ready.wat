;; Prints a line, and waits for an hour.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 128) "ready\n")
  (data (i32.const 112) "\80\00\00\00\06\00\00\00")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 112) (i32.const 1) (i32.const 120)))
    ;; A subscription to the monotonic clock.
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 3600000000000))
    (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 200)))))
