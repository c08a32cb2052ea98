//! The module that attacks: it does the calls that it reads from its standard input, and writes what each
//! came to. So a case is data, and whoever wrote it can do something on the host between two calls.

use std::fmt::Write as _;

use wasix_landlock_testing::preview1;

/// The functions of preview 1 that are called, with their parameters.
pub const FUNCTIONS: [(&str, &str); 26] = preview1::select([
    "fd_allocate",
    "fd_close",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
]);

/// The addresses of the module's own data: a vector, a count, the head of a request, an error number.
const VECTOR: u32 = 64;
const COUNT: u32 = 96;
const HEAD: u32 = 128;
const ERROR: u32 = 512;

/// The number of arguments that a request has room for.
pub const ARGUMENTS: usize = 10;
/// The size of a request's head: the function's number, the data's size, where the answer is and its size,
/// and the arguments, each of 8 bytes.
pub const HEAD_SIZE: usize = 16 + 8 * ARGUMENTS;
/// The address of a request's data.
pub const DATA: u32 = 0x1_0000;
/// The address at which a call may put its answer.
pub const ANSWER: u32 = 0x2_0000;
/// The room for an answer.
pub const ANSWER_SIZE: u32 = 0x1_0000;

/// The module, as text.
#[must_use]
pub fn text() -> String {
    let (mut imports, mut stubs, mut table) = (String::new(), String::new(), String::new());
    for (name, parameters) in FUNCTIONS {
        imports += &preview1::import(name, parameters);
        let mut arguments = String::new();
        for (index, parameter) in parameters.chars().enumerate() {
            let at = HEAD as usize + 16 + 8 * index;
            let load = match parameter {
                'I' => "i64.load",
                _ => "i32.load",
            };
            // A `String` takes all.
            let _ = write!(arguments, " ({load} (i32.const {at}))");
        }
        let _ = writeln!(
            stubs,
            "(func $do_{name} (result i32) (call ${name}{arguments}))"
        );
        let _ = write!(table, " $do_{name}");
    }
    let vector_size = VECTOR + 4;
    let (data_size, answer, answer_size) = (HEAD + 4, HEAD + 8, HEAD + 12);
    format!(
        r#"(module
{imports}
(memory (export "memory") 4)
(table funcref (elem{table}))
{stubs}
(func $read (param $at i32) (param $size i32) (result i32)
  (block $done
    (loop $more
      (br_if $done (i32.eqz (local.get $size)))
      (i32.store (i32.const {VECTOR}) (local.get $at))
      (i32.store (i32.const {vector_size}) (local.get $size))
      (if (call $fd_read (i32.const 0) (i32.const {VECTOR}) (i32.const 1) (i32.const {COUNT}))
        (then (return (i32.const 0))))
      (if (i32.eqz (i32.load (i32.const {COUNT}))) (then (return (i32.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const {COUNT}))))
      (local.set $size (i32.sub (local.get $size) (i32.load (i32.const {COUNT}))))
      (br $more)))
  (i32.const 1))
(func $write (param $at i32) (param $size i32)
  (block $done
    (loop $more
      (br_if $done (i32.eqz (local.get $size)))
      (i32.store (i32.const {VECTOR}) (local.get $at))
      (i32.store (i32.const {vector_size}) (local.get $size))
      (if (call $fd_write (i32.const 1) (i32.const {VECTOR}) (i32.const 1) (i32.const {COUNT}))
        (then unreachable))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const {COUNT}))))
      (local.set $size (i32.sub (local.get $size) (i32.load (i32.const {COUNT}))))
      (br $more))))
(func (export "_start")
  (loop $next
    (if (call $read (i32.const {HEAD}) (i32.const {HEAD_SIZE}))
      (then
        (if (i32.eqz (call $read (i32.const {DATA}) (i32.load (i32.const {data_size}))))
          (then unreachable))
        (i32.store (i32.const {ERROR}) (call_indirect (result i32) (i32.load (i32.const {HEAD}))))
        (call $write (i32.const {ERROR}) (i32.const 4))
        (call $write (i32.load (i32.const {answer})) (i32.load (i32.const {answer_size})))
        (br $next)))))
)"#
    )
}

/// The number of a function of [`FUNCTIONS`].
#[must_use]
pub fn number(name: &str) -> Option<u32> {
    let position = FUNCTIONS.iter().position(|(known, _)| *known == name);
    position.and_then(|position| u32::try_from(position).ok())
}
