;; Takes 1 GiB and writes to each page; exit code 9 if the memory didn't grow.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $at i32)
    (if (i32.eq (memory.grow (i32.const 16384)) (i32.const -1)) (then (call $exit (i32.const 9))))
    (loop $next
      (i32.store (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 1073741824))))))
