//! The module, which makes the calls that it is told to: it exports a function for each function of preview 1.

use wasix_landlock_testing::preview1;

/// The functions, with their parameters.
pub const FUNCTIONS: [(&str, &str); 33] = preview1::select([
    "clock_time_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
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
    "fd_sync",
    "fd_tell",
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
    "poll_oneoff",
    "sched_yield",
]);

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
        imports += &preview1::import(name, parameters);
        exports += &preview1::export(name, parameters);
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
