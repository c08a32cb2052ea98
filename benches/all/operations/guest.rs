//! A module that calls WASI preview 1 in loops, with no library in between: each export does one operation
//! `n` times and returns the first error number, or 0.

use wasix_landlock_testing::preview1;

/// The address of the path that an operation takes.
pub const PATH: usize = 1024;
/// The address of a renaming's second path.
pub const SECOND_PATH: usize = 4096;
/// The address at which the name of a preopen is put.
pub const NAME: usize = 256;

/// The imports, with their parameters.
const IMPORTS: [(&str, &str); 15] = preview1::select([
    "clock_time_get",
    "fd_close",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_seek",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_open",
    "path_rename",
    "path_unlink_file",
]);

/// The rights that the C library asks for: to read, and to write as well.
const READ: &str = "(i64.const 0x82000ae)";
const WRITE: &str = "(i64.const 0x86001fd)";

/// The module, as text.
pub fn text() -> String {
    let mut module = String::from("(module\n");
    for (name, parameters) in IMPORTS {
        module += &preview1::import(name, parameters);
    }
    module += SHARED;
    let numbered = "(call $number (i32.const 1024) (local.get $i))";
    let length = "(i32.add (global.get $length) (i32.const 8))";
    let file = "(global.get $length)";
    let close = check("(call $fd_close (local.get $fd))");

    module += &looped(
        "clock",
        "",
        &check("(call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 64))"),
        "",
    );
    module += &looped(
        "create",
        &vector(100),
        &format!(
            "{numbered}{}{}{close}",
            open(length, 1 | 8, WRITE),
            transfer("fd_write", None)
        ),
        "",
    );
    module += &looped("open", "", &format!("{}{close}", open(file, 0, READ)), "");
    module += &looped(
        "stat",
        "",
        &check(&format!(
            "(call $path_filestat_get (global.get $directory) (i32.const 1) (i32.const 1024) {file} (i32.const 128))"
        )),
        "",
    );
    module += &looped(
        "look",
        "",
        &format!(
            "{numbered}{}",
            check(&format!(
                "(call $path_filestat_get (global.get $directory) (i32.const 1) (i32.const 1024) {length} (i32.const 128))"
            ))
        ),
        "",
    );
    for (name, call, rights) in [("read", "fd_read", READ), ("write", "fd_write", WRITE)] {
        module += &looped(
            name,
            &format!("{}{}", vector(4096), open(file, 0, rights)),
            &format!("{}{REWIND}", transfer(call, None)),
            &close,
        );
    }
    for (name, call, rights) in [("pread", "fd_pread", READ), ("pwrite", "fd_pwrite", WRITE)] {
        let offset = "(i64.extend_i32_u (i32.and (i32.mul (local.get $i) (i32.const 7680)) (i32.const 0x3ffe00)))";
        module += &looped(
            name,
            &format!("{}{}", vector(512), open(file, 0, rights)),
            &transfer(call, Some(offset)),
            &close,
        );
    }
    module += &looped(
        "list",
        "",
        &format!("{}{LIST}{close}", open(file, 2, "(i64.const 0x4000)")),
        "",
    );
    for (name, call) in [
        ("unlink", "path_unlink_file"),
        ("mkdir", "path_create_directory"),
    ] {
        let call = format!("(call ${call} (global.get $directory) (i32.const 1024) {length})");
        module += &looped(name, "", &format!("{numbered}{}", check(&call)), "");
    }
    module += &looped(
        "rename",
        "",
        &format!(
            "{numbered}(call $number (i32.const 4096) (local.get $i)){}",
            check(&format!(
                "(call $path_rename (global.get $directory) (i32.const 1024) {length} (global.get $directory) (i32.const 4096) {length})"
            ))
        ),
        "",
    );
    module + ")\n"
}

/// An export that runs `before` once, `body` `n` times with `$i` counting, and `after` once.
fn looped(name: &str, before: &str, body: &str, after: &str) -> String {
    format!(
        "(func (export \"{name}\") (param $n i32) (result i32)
           (local $i i32) (local $errno i32) (local $fd i32) (local $cookie i64) (local $at i32) (local $end i32)
           {before}
           (loop $next (if (i32.lt_u (local.get $i) (local.get $n)) (then
             {body}
             (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br $next))))
           {after}
           (i32.const 0))\n"
    )
}

/// Returns the error of a call, if there is one.
fn check(call: &str) -> String {
    format!("(if (local.tee $errno {call}) (then (return (local.get $errno))))")
}

/// Puts the descriptor of the path into `$fd`.
fn open(length: &str, flags: u32, rights: &str) -> String {
    check(&format!(
        "(call $path_open (global.get $directory) (i32.const 1) (i32.const 1024) {length} \
         (i32.const {flags}) {rights} (i64.const 0x1fffffff) (i32.const 0) (i32.const 64))"
    )) + "(local.set $fd (i32.load (i32.const 64)))"
}

/// A vector of one buffer of this size.
fn vector(size: u32) -> String {
    format!(
        "(i32.store (i32.const 80) (i32.const 16384)) (i32.store (i32.const 84) (i32.const {size}))"
    )
}

/// Reads or writes the vector.
fn transfer(call: &str, offset: Option<&str>) -> String {
    let offset = offset.unwrap_or_default();
    check(&format!(
        "(call ${call} (local.get $fd) (i32.const 80) (i32.const 1) {offset} (i32.const 64))"
    ))
}

const SHARED: &str = r#"
(memory (export "memory") 2)
(global $directory (mut i32) (i32.const 3))
(global $length (mut i32) (i32.const 0))
(global $entries (export "entries") (mut i32) (i32.const 0))
(func (export "_start"))
;; The length of the name of a preopen, or -1.
(func (export "preopen_name") (param $fd i32) (result i32)
  (if (call $fd_prestat_get (local.get $fd) (i32.const 64)) (then (return (i32.const -1))))
  (if (call $fd_prestat_dir_name (local.get $fd) (i32.const 256) (i32.load (i32.const 68)))
    (then (return (i32.const -1))))
  (i32.load (i32.const 68)))
;; The directory's descriptor, and the length of the path.
(func (export "use") (param $directory i32) (param $length i32)
  (global.set $directory (local.get $directory))
  (global.set $length (local.get $length)))
;; Eight digits behind the path.
(func $number (param $at i32) (param $n i32)
  (local $i i32)
  (local.set $at (i32.add (local.get $at) (global.get $length)))
  (local.set $i (i32.const 8))
  (loop $digit
    (local.set $i (i32.sub (local.get $i) (i32.const 1)))
    (i32.store8 (i32.add (local.get $at) (local.get $i))
      (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
    (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
    (br_if $digit (local.get $i))))
"#;

/// To the beginning again, each 4 MiB.
const REWIND: &str = "
(if (i32.eq (i32.and (local.get $i) (i32.const 1023)) (i32.const 1023)) (then
  (if (local.tee $errno (call $fd_seek (local.get $fd) (i64.const 0) (i32.const 0) (i32.const 64)))
    (then (return (local.get $errno))))))";

/// All entries of `$fd`, in buffers of the size that the C library takes.
const LIST: &str = "
(global.set $entries (i32.const 0))
(local.set $cookie (i64.const 0))
(loop $more
  (if (local.tee $errno (call $fd_readdir (local.get $fd) (i32.const 16384) (i32.const 4096) (local.get $cookie) (i32.const 64)))
    (then (return (local.get $errno))))
  (local.set $at (i32.const 16384))
  (local.set $end (i32.add (i32.const 16384) (i32.load (i32.const 64))))
  (block $done (loop $entry
    (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 24)) (local.get $end)))
    (br_if $done (i32.gt_u
      (i32.add (i32.add (local.get $at) (i32.const 24)) (i32.load offset=16 (local.get $at)))
      (local.get $end)))
    (local.set $cookie (i64.load (local.get $at)))
    (local.set $at (i32.add (i32.add (local.get $at) (i32.const 24)) (i32.load offset=16 (local.get $at))))
    (global.set $entries (i32.add (global.get $entries) (i32.const 1)))
    (br $entry)))
  (br_if $more (i32.eq (i32.load (i32.const 64)) (i32.const 4096))))";
