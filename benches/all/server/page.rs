//! The module that answers a request: it reads a template, appends a line to a log, writes a small file, and prints the
//! page.
//!
//! It finds the preopen by its name, as C libraries do, since each runtime and each interface numbers them in its own
//! way. A call that fails traps.

use wasix_landlock_testing::preview1;

/// The name of the preopened directory in the module.
pub const PREOPEN: &str = "/data";
/// The export that answers one request, in an instance that answers many.
pub const HANDLE: &str = "handle";
/// The template's name in the directory.
pub const TEMPLATE: &str = "template";
/// The log's name in the directory.
pub const LOG: &str = "log";
/// The directory of the small files.
pub const FILES: &str = "out";
/// The bytes of the template, and so of each page.
pub const PAGE: usize = 2048;

const IMPORTS: [(&str, &str); 7] = preview1::select([
    "fd_close",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_read",
    "fd_write",
    "path_open",
    "random_get",
]);

/// The template: text with marks that the module replaces.
pub fn template() -> String {
    let line = "<li>An item of the page, and what it was asked for: @</li>\n";
    let mut text = line.repeat(PAGE.div_ceil(line.len()));
    text.truncate(PAGE);
    text
}

/// The module, as text.
pub fn text() -> String {
    let imports: String = IMPORTS
        .iter()
        .map(|(name, parameters)| preview1::import(name, parameters))
        .collect();
    format!("(module\n{imports}{BODY})\n")
}

const BODY: &str = r#"
(memory (export "memory") 2)
(data (i32.const 256) "data/template")
(data (i32.const 288) "data/log")
(data (i32.const 320) "data/out/00")
(data (i32.const 384) "GET / 00\n")
(global $directory (mut i32) (i32.const -1))
;; The bytes of a path that the directory's own name stands for.
(global $skip (mut i32) (i32.const 0))

(func $check (param $errno i32)
  (if (local.get $errno) (then (unreachable))))

(func $find
  (local $fd i32) (local $length i32)
  (local.set $fd (i32.const 3))
  (block $done (loop $next
    (br_if $done (call $fd_prestat_get (local.get $fd) (i32.const 80)))
    (local.set $length (i32.load (i32.const 84)))
    (if (i32.le_u (local.get $length) (i32.const 32)) (then
      (i64.store (i32.const 96) (i64.const 0))
      (call $check (call $fd_prestat_dir_name (local.get $fd) (i32.const 96) (local.get $length)))
      ;; "/data"
      (if (i64.eq (i64.load (i32.const 96)) (i64.const 0x617461642f)) (then
        (global.set $directory (local.get $fd))
        (global.set $skip (i32.const 5))
        (return)))
      ;; "/"
      (if (i64.eq (i64.load (i32.const 96)) (i64.const 0x2f)) (then
        (global.set $directory (local.get $fd))))))
    (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
    (br $next))))

(func $open (param $path i32) (param $length i32) (param $flags i32) (param $rights i64) (param $append i32) (result i32)
  (call $check (call $path_open
    (global.get $directory) (i32.const 1)
    (i32.add (local.get $path) (global.get $skip)) (i32.sub (local.get $length) (global.get $skip))
    (local.get $flags) (local.get $rights) (local.get $rights) (local.get $append) (i32.const 64)))
  (i32.load (i32.const 64)))

(func $vector (param $at i32) (param $length i32)
  (i32.store (i32.const 16) (local.get $at))
  (i32.store (i32.const 20) (local.get $length)))

(func $write (param $fd i32) (param $at i32) (param $length i32)
  (call $vector (local.get $at) (local.get $length))
  (call $check (call $fd_write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 64)))
  (if (i32.ne (i32.load (i32.const 64)) (local.get $length)) (then (unreachable))))

(func $write_file (param $path i32) (param $path_length i32) (param $flags i32) (param $append i32) (param $at i32) (param $length i32)
  (local $fd i32)
  (local.set $fd (call $open (local.get $path) (local.get $path_length) (local.get $flags) (i64.const 0x86001fd) (local.get $append)))
  (call $write (local.get $fd) (local.get $at) (local.get $length))
  (call $check (call $fd_close (local.get $fd))))

(func $digit (param $number i32) (result i32)
  (i32.add (local.get $number)
    (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $number) (i32.const 10)))))

(func $handle (export "handle")
  (local $fd i32) (local $length i32) (local $at i32) (local $high i32) (local $low i32)
  (if (i32.lt_s (global.get $directory) (i32.const 0)) (then (call $find)))
  ;; The number of the request, by chance.
  (call $check (call $random_get (i32.const 128) (i32.const 1)))
  (local.set $high (call $digit (i32.shr_u (i32.load8_u (i32.const 128)) (i32.const 4))))
  (local.set $low (call $digit (i32.and (i32.load8_u (i32.const 128)) (i32.const 15))))
  (i32.store8 (i32.const 329) (local.get $high))
  (i32.store8 (i32.const 330) (local.get $low))
  (i32.store8 (i32.const 390) (local.get $high))
  (i32.store8 (i32.const 391) (local.get $low))
  ;; The template, filled in.
  (local.set $fd (call $open (i32.const 256) (i32.const 13) (i32.const 0) (i64.const 0x82000ae) (i32.const 0)))
  (call $vector (i32.const 4096) (i32.const 8192))
  (call $check (call $fd_read (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 64)))
  (local.set $length (i32.load (i32.const 64)))
  (call $check (call $fd_close (local.get $fd)))
  (loop $next
    (if (i32.lt_u (local.get $at) (local.get $length)) (then
      (if (i32.eq (i32.load8_u (i32.add (i32.const 4096) (local.get $at))) (i32.const 64)) (then
        (i32.store8 (i32.add (i32.const 4096) (local.get $at)) (local.get $low))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))))
  ;; Appended to the log; created or truncated, and written.
  (call $write_file (i32.const 288) (i32.const 8) (i32.const 1) (i32.const 1) (i32.const 384) (i32.const 9))
  (call $write_file (i32.const 320) (i32.const 11) (i32.const 9) (i32.const 0) (i32.const 4096) (i32.const 256))
  (call $write (i32.const 1) (i32.const 4096) (local.get $length)))

(func (export "_start") (call $handle))
"#;
