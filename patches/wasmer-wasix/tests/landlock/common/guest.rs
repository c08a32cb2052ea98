//! A module that does what a test says: it imports each function of WASI preview 1 and exports it again.

use wasix_landlock_testing::preview1;
use wasmer::{Engine, Instance, Module, Store, Value};
use wasmer_types::ModuleHash;
use wasmer_wasix::{
    WasiEnvBuilder, WasiFunctionEnv, WasiRuntimeError,
    landlock::{Denial, Denials},
    runners::wasi::{PackageOrHash, RuntimeOrEngine, WasiRunner},
    wasmer_wasix_types::wasi::{Errno, Rights},
};
use webc::metadata::annotations::Wasi;

/// The address of results in the module's memory.
pub(super) const RESULT: u64 = 64;
pub(super) const VECTOR: u64 = 128;
pub(super) const FIRST_PATH: u64 = 1024;
const SECOND_PATH: u64 = 8192;
pub(super) const BUFFER: u64 = 16384;
const BUFFER_SIZE: usize = 32768;

/// The module, as text.
pub fn text() -> String {
    let (mut imports, mut exports) = (String::new(), String::new());
    for (name, parameters) in preview1::FUNCTIONS {
        imports += &preview1::import(name, parameters);
        exports += &preview1::export(name, parameters);
    }
    format!(
        "(module {imports} (memory (export \"memory\") 2) {exports} (func (export \"_start\")))"
    )
}

/// The parameters of opening a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    pub read: bool,
    pub write: bool,
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub directory: bool,
    pub append: bool,
}

/// For reading.
pub const READ: Open = Open {
    read: true,
    ..NOTHING
};
/// For writing.
pub const WRITE: Open = Open {
    write: true,
    ..NOTHING
};
/// For writing, and empties what is there.
pub const TRUNCATE: Open = Open {
    truncate: true,
    ..WRITE
};
/// For writing, made if it is missing.
pub const CREATE: Open = Open {
    create: true,
    ..WRITE
};
/// For writing, made; an error if it is there.
pub const CREATE_NEW: Open = Open {
    exclusive: true,
    ..CREATE
};
const NOTHING: Open = Open {
    read: false,
    write: false,
    create: false,
    exclusive: false,
    truncate: false,
    directory: false,
    append: false,
};

impl Open {
    fn flags(self) -> i32 {
        i32::from(self.create)
            | i32::from(self.directory) << 1
            | i32::from(self.exclusive) << 2
            | i32::from(self.truncate) << 3
    }

    /// Returns the rights that the C library asks for.
    fn rights(self) -> i64 {
        let mut rights = Rights::FD_SEEK
            | Rights::FD_TELL
            | Rights::FD_FILESTAT_GET
            | Rights::FD_ADVISE
            | Rights::POLL_FD_READWRITE;
        if self.read {
            rights |= Rights::FD_READ | Rights::FD_READDIR;
        }
        if self.write {
            rights |= Rights::FD_WRITE
                | Rights::FD_FDSTAT_SET_FLAGS
                | Rights::FD_DATASYNC
                | Rights::FD_SYNC
                | Rights::FD_ALLOCATE
                | Rights::FD_FILESTAT_SET_SIZE;
        }
        rights.bits().cast_signed()
    }
}

/// The result of a call.
pub type Outcome<T = ()> = Result<T, Errno>;

/// The running module.
pub struct Guest {
    store: Store,
    instance: Instance,
    pub env: WasiFunctionEnv,
}

impl Guest {
    /// Builds the environment, by `instantiate`, and the module in it.
    pub fn try_new(builder: WasiEnvBuilder) -> Result<Self, Box<WasiRuntimeError>> {
        Self::with_engine(builder, &super::host::singlepass())
    }

    pub fn with_engine(
        builder: WasiEnvBuilder,
        engine: &Engine,
    ) -> Result<Self, Box<WasiRuntimeError>> {
        let mut store = Store::new(engine.clone());
        let module = Module::new(engine, text()).unwrap();
        let (instance, env) = builder
            .engine(engine.clone())
            .instantiate(module, &mut store)?;
        Ok(Self {
            store,
            instance,
            env,
        })
    }

    #[track_caller]
    pub fn new(builder: WasiEnvBuilder) -> Self {
        Self::try_new(builder).unwrap()
    }

    /// The guest that a runner would run, without network.
    #[track_caller]
    pub fn of(runner: &WasiRunner) -> Self {
        let engine = super::host::singlepass();
        let builder = runner.prepare_webc_env(
            "guest",
            &Wasi::new("guest"),
            PackageOrHash::Hash(ModuleHash::random()),
            RuntimeOrEngine::Runtime(super::host::any_offline(&engine)),
            None,
        );
        Self::with_engine(builder.unwrap(), &engine).unwrap()
    }

    /// A guest whose environment was made by other means.
    pub fn from_parts(store: Store, instance: Instance, env: WasiFunctionEnv) -> Self {
        Self {
            store,
            instance,
            env,
        }
    }

    pub fn report(&self) -> std::sync::Arc<wasix_landlock::Report> {
        self.env.data(&self.store).landlock_report().unwrap()
    }

    pub fn unsaved_files(&self) -> Vec<wasmer_wasix::landlock::UnsavedFile> {
        self.env.data(&self.store).landlock_unsaved_files()
    }

    pub fn denials(&self) -> Denials {
        self.env.data(&self.store).landlock_denials()
    }

    pub fn explain(&self, path: &str, access: wasix_landlock::Access) -> Option<Denial> {
        self.env.data(&self.store).landlock_explain(path, access)
    }

    pub fn refused_accesses(&self) -> u64 {
        self.env.data(&self.store).refused_accesses()
    }

    /// Calls a function of preview 1.
    #[track_caller]
    pub fn call(&mut self, name: &str, arguments: &[Value]) -> Outcome {
        let function = self.instance.exports.get_function(name).unwrap();
        let results = function.call(&mut self.store, arguments).unwrap();
        let number = u16::try_from(results[0].unwrap_i32()).unwrap();
        match Errno::try_from(number).unwrap() {
            Errno::Success => Ok(()),
            error => Err(error),
        }
    }

    pub(crate) fn put(&mut self, at: u64, bytes: &[u8]) -> Value {
        let memory = self.instance.exports.get_memory("memory").unwrap();
        memory.view(&self.store).write(at, bytes).unwrap();
        i32::try_from(at).unwrap().into()
    }

    pub(crate) fn get<const N: usize>(&self, at: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let memory = self.instance.exports.get_memory("memory").unwrap();
        memory.view(&self.store).read(at, &mut bytes).unwrap();
        bytes
    }

    pub(super) fn number(&self) -> u32 {
        u32::from_le_bytes(self.get(RESULT))
    }

    pub(crate) fn path(&mut self, at: u64, path: &str) -> [Value; 2] {
        [self.put(at, path.as_bytes()), length(path.len())]
    }

    /// The descriptor of the preopen with this name; of the last one, as the C library takes it.
    #[track_caller]
    pub fn preopen(&mut self, name: &str) -> i32 {
        let (mut names, mut last) = (Vec::new(), None);
        for fd in 3.. {
            if self.call("fd_prestat_get", &[fd.into(), result()]).is_err() {
                break;
            }
            let size = u32::from_le_bytes(self.get(RESULT + 4));
            let found = self.preopen_name(fd, size as usize);
            if found == name {
                last = Some(fd);
            }
            names.push(found);
        }
        last.unwrap_or_else(|| panic!("no preopen is called {name}: {names:?}"))
    }

    #[track_caller]
    fn preopen_name(&mut self, fd: i32, size: usize) -> String {
        let arguments = [fd.into(), address(BUFFER), length(size)];
        self.call("fd_prestat_dir_name", &arguments).unwrap();
        let bytes = self.get::<BUFFER_SIZE>(BUFFER);
        let name = String::from_utf8_lossy(&bytes[..size]);
        name.trim_end_matches('\0').to_owned()
    }

    /// Opens a path and returns its descriptor.
    #[track_caller]
    pub fn open(&mut self, directory: i32, path: &str, how: Open) -> Outcome<i32> {
        let rights = [how.rights(); 2];
        self.path_open(directory, path, how.flags(), rights, how.append.into())
    }

    /// Opens a directory with all rights that can be had there.
    #[track_caller]
    pub fn open_directory(&mut self, directory: i32, path: &str) -> Outcome<i32> {
        let rights = [Rights::all() & !Rights::FD_WRITE, Rights::all()];
        let rights = rights.map(|rights| rights.bits().cast_signed());
        self.path_open(directory, path, 1 << 1, rights, 0)
    }

    /// Opens what the path leads to, with the rights of the descriptor and those that it hands on.
    #[track_caller]
    pub(super) fn path_open(
        &mut self,
        directory: i32,
        path: &str,
        flags: i32,
        [rights, inherited]: [i64; 2],
        descriptor_flags: i32,
    ) -> Outcome<i32> {
        let [path, path_length] = self.path(FIRST_PATH, path);
        let follow = 1;
        let arguments = [
            directory.into(),
            Value::I32(follow),
            path,
            path_length,
            flags.into(),
            rights.into(),
            inherited.into(),
            descriptor_flags.into(),
            result(),
        ];
        self.call("path_open", &arguments)?;
        Ok(self.number().cast_signed())
    }

    #[track_caller]
    pub fn close(&mut self, fd: i32) {
        self.call("fd_close", &[fd.into()]).unwrap();
    }

    /// True if a path can be opened in this way; it is closed again.
    #[track_caller]
    pub fn can_open(&mut self, directory: i32, path: &str, how: Open) -> Outcome {
        let fd = self.open(directory, path, how)?;
        self.close(fd);
        Ok(())
    }

    /// Reads what a descriptor has, up to the buffer's size.
    #[track_caller]
    pub fn read_fd(&mut self, fd: i32) -> Outcome<Vec<u8>> {
        let vector = [BUFFER as u32, BUFFER_SIZE as u32].map(u32::to_le_bytes);
        let vector = self.put(VECTOR, &vector.concat());
        self.call("fd_read", &[fd.into(), vector, 1.into(), result()])?;
        let read = self.number() as usize;
        Ok(self.get::<BUFFER_SIZE>(BUFFER)[..read].to_vec())
    }

    #[track_caller]
    pub fn write_fd(&mut self, fd: i32, bytes: &[u8]) -> Outcome<u32> {
        self.put(BUFFER, bytes);
        let vector = [BUFFER as u32, u32::try_from(bytes.len()).unwrap()].map(u32::to_le_bytes);
        let vector = self.put(VECTOR, &vector.concat());
        self.call("fd_write", &[fd.into(), vector, 1.into(), result()])?;
        Ok(self.number())
    }

    /// Opens a file and reads it.
    #[track_caller]
    pub fn read(&mut self, directory: i32, path: &str) -> Outcome<Vec<u8>> {
        let fd = self.open(directory, path, READ)?;
        let read = self.read_fd(fd);
        self.close(fd);
        read
    }

    /// Opens a file in this way and writes to it.
    #[track_caller]
    pub fn write(&mut self, directory: i32, path: &str, how: Open, bytes: &[u8]) -> Outcome {
        let fd = self.open(directory, path, how)?;
        let written = self.write_fd(fd, bytes);
        self.close(fd);
        assert_eq!(written? as usize, bytes.len());
        Ok(())
    }

    /// The names in a directory, without `.` and `..`, sorted.
    #[track_caller]
    pub fn list(&mut self, directory: i32) -> Outcome<Vec<String>> {
        let arguments = [
            directory.into(),
            address(BUFFER),
            length(BUFFER_SIZE),
            Value::I64(0),
            result(),
        ];
        self.call("fd_readdir", &arguments)?;
        let used = self.number() as usize;
        let bytes = self.get::<BUFFER_SIZE>(BUFFER);
        let mut rest = &bytes[..used];
        let mut names = Vec::new();
        // An entry is 24 bytes, with the name's length at 16, and the name.
        while let Some((entry, after)) = rest.split_at_checked(24) {
            let length = u32::from_le_bytes(entry[16..20].try_into().unwrap()) as usize;
            let (name, after) = after.split_at(length);
            names.push(String::from_utf8(name.to_vec()).unwrap());
            rest = after;
        }
        names.retain(|name| name != "." && name != "..");
        names.sort();
        Ok(names)
    }

    /// The kind of a path, as its number in WASI, and its size.
    #[track_caller]
    pub fn stat(&mut self, directory: i32, path: &str) -> Outcome<(u8, u64)> {
        let [path, path_length] = self.path(FIRST_PATH, path);
        let arguments = [directory.into(), 1.into(), path, path_length, result()];
        self.call("path_filestat_get", &arguments)?;
        let [kind] = self.get(RESULT + 16);
        Ok((kind, u64::from_le_bytes(self.get(RESULT + 32))))
    }

    #[track_caller]
    pub fn create_directory(&mut self, directory: i32, path: &str) -> Outcome {
        let [path, path_length] = self.path(FIRST_PATH, path);
        self.call(
            "path_create_directory",
            &[directory.into(), path, path_length],
        )
    }

    #[track_caller]
    pub fn remove_directory(&mut self, directory: i32, path: &str) -> Outcome {
        let [path, path_length] = self.path(FIRST_PATH, path);
        self.call(
            "path_remove_directory",
            &[directory.into(), path, path_length],
        )
    }

    #[track_caller]
    pub fn unlink(&mut self, directory: i32, path: &str) -> Outcome {
        let [path, path_length] = self.path(FIRST_PATH, path);
        self.call("path_unlink_file", &[directory.into(), path, path_length])
    }

    #[track_caller]
    pub fn rename(&mut self, (from, old): (i32, &str), (to, new): (i32, &str)) -> Outcome {
        let [old, old_length] = self.path(FIRST_PATH, old);
        let [new, new_length] = self.path(SECOND_PATH, new);
        let arguments = [from.into(), old, old_length, to.into(), new, new_length];
        self.call("path_rename", &arguments)
    }

    #[track_caller]
    pub fn link(&mut self, (from, old): (i32, &str), (to, new): (i32, &str)) -> Outcome {
        let [old, old_length] = self.path(FIRST_PATH, old);
        let [new, new_length] = self.path(SECOND_PATH, new);
        let (from, to) = (from.into(), to.into());
        let arguments = [from, 0.into(), old, old_length, to, new, new_length];
        self.call("path_link", &arguments)
    }

    #[track_caller]
    pub fn symlink(&mut self, target: &str, (directory, path): (i32, &str)) -> Outcome {
        let [target, target_length] = self.path(FIRST_PATH, target);
        let [path, path_length] = self.path(SECOND_PATH, path);
        let arguments = [target, target_length, directory.into(), path, path_length];
        self.call("path_symlink", &arguments)
    }
}

pub(super) fn address(at: u64) -> Value {
    i32::try_from(at).unwrap().into()
}

pub(super) fn length(length: usize) -> Value {
    i32::try_from(length).unwrap().into()
}

pub(super) fn result() -> Value {
    address(RESULT)
}
