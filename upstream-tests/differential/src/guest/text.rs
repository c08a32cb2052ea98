//! The module, which makes the calls that it is told to: it exports a function for each function of preview 1.

use std::fmt::Write as _;

/// The functions, with their parameters: `i` is an `i32`, `I` an `i64`. All return an error number.
pub const FUNCTIONS: [(&str, &str); 33] = [
    ("clock_time_get", "iIi"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("sched_yield", ""),
];

/// The place where a request's data is put.
pub const DATA: u32 = 0x1_0000;
/// The number of bytes that fit there.
pub const DATA_SIZE: u32 = 0x4_0000;
/// The place where a call puts what it returns.
pub const ANSWER: u32 = DATA + DATA_SIZE;
/// The number of pages that a thread has.
const ROOM_PAGES: u32 = 12;
/// The number of bytes that a thread has.
pub const ROOM: u32 = ROOM_PAGES << 16;
/// The address of what the first thread starts with, which nothing is read from.
pub const START: u32 = 0x1000;
/// The distance to that of the next thread.
pub const START_SIZE: u32 = 64;

/// A thread's work is done by the process that the module runs in, which has the thread make the calls.
const SPAWN: &str = r#"
(func (export "spawn") (param i32) (result i32) local.get 0 call $spawn)
(func (export "wasi_thread_start") (param i32 i32) local.get 1 call $work)"#;

/// The module, as text, with room for so many threads.
#[must_use]
pub fn text(threads: u32) -> String {
    let (mut imports, mut exports) = (String::new(), String::new());
    for (name, parameters) in FUNCTIONS {
        let (mut types, mut locals) = (String::new(), String::new());
        for (index, parameter) in parameters.chars().enumerate() {
            types += if parameter == 'I' { " i64" } else { " i32" };
            // A `String` takes all.
            let _ = write!(locals, " local.get {index}");
        }
        let _ = writeln!(
            imports,
            "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param{types}) (result i32)))"
        );
        let _ = writeln!(
            exports,
            "(func (export \"{name}\") (param{types}) (result i32){locals} call ${name})"
        );
    }
    let memory = match threads {
        0 => format!("(memory (export \"memory\") {ROOM_PAGES})"),
        threads => {
            let pages = ROOM_PAGES * (threads + 1);
            exports += SPAWN;
            format!(
                "(import \"wasi\" \"thread-spawn\" (func $spawn (param i32) (result i32)))
                 (import \"differential\" \"work\" (func $work (param i32)))
                 (import \"env\" \"memory\" (memory {pages} {pages} shared))
                 (export \"memory\" (memory 0))"
            )
        }
    };
    format!("(module {imports} {memory} {exports} (func (export \"_start\")))")
}
