//! The functions of WASI preview 1 with their parameters, for modules in text form.

/// The functions that return an error number, in the order of their names. Of the parameters `i` is an `i32`, `I` an
/// `i64`.
pub const FUNCTIONS: [(&str, &str); 45] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
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
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// The named ones of the [`FUNCTIONS`], in the order that is given.
///
/// # Panics
///
/// For a name that isn't among them.
#[must_use]
pub const fn select<const N: usize>(names: [&'static str; N]) -> [(&'static str, &'static str); N] {
    let mut selected = [("", ""); N];
    let mut at = 0;
    while at < N {
        let mut known = 0;
        while !same(FUNCTIONS[known].0, names[at]) {
            known += 1;
        }
        selected[at] = FUNCTIONS[known];
        at += 1;
    }
    selected
}

/// True if the two texts are equal; `==` isn't there at compile time.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The import of a function of preview 1, as `$name`.
#[must_use]
pub fn import(name: &str, parameters: &str) -> String {
    import_from("wasi_snapshot_preview1", name, parameters)
}

/// The import of a function of another module, as `$name`.
#[must_use]
pub fn import_from(module: &str, name: &str, parameters: &str) -> String {
    let types: String = parameters.chars().map(type_of).collect();
    format!("(import \"{module}\" \"{name}\" (func ${name} (param{types}) (result i32)))\n")
}

/// The export of an imported function under its own name.
#[must_use]
pub fn export(name: &str, parameters: &str) -> String {
    let types: String = parameters.chars().map(type_of).collect();
    let locals: String = (0..parameters.len())
        .map(|index| format!(" local.get {index}"))
        .collect();
    format!("(func (export \"{name}\") (param{types}) (result i32){locals} call ${name})\n")
}

fn type_of(parameter: char) -> &'static str {
    if parameter == 'I' { " i64" } else { " i32" }
}
