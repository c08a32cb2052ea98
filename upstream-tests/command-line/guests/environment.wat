;; Prints its environment, a variable a line.
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (func (export "_start") (local $at i32)
    (if (call $sizes (i32.const 0) (i32.const 4)) (then unreachable))
    ;; Pointers from 64 on, text from 65536 on.
    (if (call $get (i32.const 64) (i32.const 65536)) (then unreachable))
    (loop $next
      (if (i32.lt_u (local.get $at) (i32.load (i32.const 4)))
        (then
          (if (i32.eqz (i32.load8_u (i32.add (i32.const 65536) (local.get $at))))
            (then (i32.store8 (i32.add (i32.const 65536) (local.get $at)) (i32.const 10))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))
    (i32.store (i32.const 8) (i32.const 65536))
    (i32.store (i32.const 12) (i32.load (i32.const 4)))
    (if (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)) (then unreachable))))
