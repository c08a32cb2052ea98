;; `files read PATH...` prints each file that it can open, up to a page of it. `files write PATH...` writes `evil` to each.
;; Tries each path in each preopen.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 3)
  (data (i32.const 48) "evil")
  (func $length (param $text i32) (result i32) (local $end i32)
    (local.set $end (local.get $text))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (i32.load8_u (local.get $end))))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $next)))
    (i32.sub (local.get $end) (local.get $text)))
  (func $vector (param $at i32) (param $size i32)
    (i32.store (i32.const 16) (local.get $at))
    (i32.store (i32.const 20) (local.get $size)))
  (func $try (param $fd i32) (param $path i32) (param $writes i32)
    ;; Links are followed; the right to read or to write.
    (if (call $open (local.get $fd) (i32.const 1) (local.get $path) (call $length (local.get $path)) (i32.const 0)
          (select (i64.const 64) (i64.const 2) (local.get $writes)) (i64.const 0) (i32.const 0) (i32.const 8))
      (then return))
    (if (local.get $writes)
      (then
        (call $vector (i32.const 48) (i32.const 4))
        (drop (call $write (i32.load (i32.const 8)) (i32.const 16) (i32.const 1) (i32.const 24)))
        (return)))
    (call $vector (i32.const 0x20000) (i32.const 0x10000))
    (if (call $read (i32.load (i32.const 8)) (i32.const 16) (i32.const 1) (i32.const 20)) (then return))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))
  (func (export "_start") (local $argument i32) (local $writes i32) (local $fd i32)
    (if (call $sizes (i32.const 0) (i32.const 4)) (then unreachable))
    ;; Pointers from 1024 on, text from 65536 on.
    (if (call $arguments (i32.const 1024) (i32.const 65536)) (then unreachable))
    (local.set $writes (i32.eq (i32.load8_u (i32.load (i32.const 1028))) (i32.const 119)))
    (local.set $argument (i32.const 2))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $argument) (i32.load (i32.const 0))))
        (local.set $fd (i32.const 3))
        (loop $preopen
          (call $try (local.get $fd)
            (i32.load (i32.add (i32.const 1024) (i32.mul (i32.const 4) (local.get $argument))))
            (local.get $writes))
          (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
          (br_if $preopen (i32.lt_u (local.get $fd) (i32.const 12))))
        (local.set $argument (i32.add (local.get $argument) (i32.const 1)))
        (br $next)))))
