;; WASIX: becomes the command `second` of its package.
(module
  (import "wasix_32v1" "proc_exec" (func $exec (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "/bin/second")
  (data (i32.const 80) "second\nprobe\nread\n/data/file\n--\nread\n/etc/hostname")
  (func (export "_start")
    (call $exec (i32.const 64) (i32.const 11) (i32.const 80) (i32.const 50))))
