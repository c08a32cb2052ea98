;; Starts 90 threads that wait for ever. Exit code 3 if one of them can't be started. Wasmer's pool has 100 for each processor:
;; more would wait for one of them to end.
(module
  (import "env" "memory" (memory 1 16 shared))
  (export "memory" (memory 0))
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (func (export "wasi_thread_start") (param i32 i32)
    (drop (memory.atomic.wait32 (i32.const 512) (i32.const 0) (i64.const -1))))
  (func (export "_start") (local $made i32)
    (loop $next
      (if (i32.lt_s (call $spawn (i32.const 0)) (i32.const 0)) (then (call $exit (i32.const 3))))
      (local.set $made (i32.add (local.get $made) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $made) (i32.const 90))))))
