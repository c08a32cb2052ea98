//! The current directory of a WASIX module and the programs that it starts are what the host has now, not what was there
//! when they were looked at first.

use std::{fs, os::unix::fs::symlink};

use wasix_landlock_testing::preview1;
use wasmer::{Module, Store, Value};
use wasmer_wasix::wasmer_wasix_types::wasi::Errno;

use crate::common::{
    guest::{self, Guest},
    host::{builder, singlepass, with_data},
    tree::Tree,
};

/// The number of `Fchdir` among what a program that is started does first.
const FCHDIR: u8 = 4;
const PATH: u64 = 1024;
const SIZE: u64 = 512;
const OPERATION: u64 = 2048;
const BUFFER: u64 = 4096;

/// The functions of WASIX that the module has besides those of preview 1, with their parameters.
const FUNCTIONS: [(&str, &str); 4] = [
    ("chdir", "ii"),
    ("getcwd", "ii"),
    ("proc_exec4", "iiiiiiiii"),
    ("proc_spawn3", "iiiiiiiiiiiiii"),
];

fn text() -> String {
    let (mut imports, mut exports) = (String::new(), String::new());
    for (name, parameters) in FUNCTIONS {
        imports += &preview1::import_from("wasix_32v1", name, parameters);
        exports += &preview1::export(name, parameters);
    }
    let with_preview1 = guest::text();
    let rest = with_preview1
        .strip_prefix("(module ")
        .and_then(|rest| rest.strip_suffix(')'));
    format!("(module {imports}{}{exports})", rest.unwrap())
}

/// A module in a tree in which `granted` is `/data`.
fn enter(tree: &Tree) -> Guest {
    let builder = with_data(builder(), tree, true);
    let engine = singlepass();
    let mut store = Store::new(engine.clone());
    let module = Module::new(&engine, text()).unwrap();
    let built = builder.engine(engine);
    let (instance, env) = built.instantiate(module, &mut store).unwrap();
    Guest::from_parts(store, instance, env)
}

impl Guest {
    fn change_directory(&mut self, path: &str) -> Result<(), Errno> {
        let path = self.path(PATH, path);
        self.call("chdir", &path)
    }

    fn current_directory(&mut self) -> Result<String, Errno> {
        let room = 256_u32;
        let size = self.put(SIZE, &room.to_le_bytes());
        let buffer = self.put(BUFFER, &[0; 256]);
        self.call("getcwd", &[buffer, size])?;
        let bytes: [u8; 256] = self.get(BUFFER);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap();
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// Puts a program in the place of the module, which fails.
    fn execute(&mut self, path: &str) -> Result<(), Errno> {
        let [path, length] = self.path(PATH, path);
        let mut arguments = vec![path, length];
        arguments.extend((0..7).map(|_| Value::I32(0)));
        self.call("proc_exec4", &arguments)
    }

    /// Starts a program that isn't there in the directory of a descriptor.
    fn spawn_in(&mut self, directory: i32) -> Result<(), Errno> {
        let mut operation = [0; 56];
        operation[0] = FCHDIR;
        operation[4..8].copy_from_slice(&directory.to_le_bytes());
        let operation = self.put(OPERATION, &operation);
        let [path, length] = self.path(PATH, "/data/no-program");
        let none = || Value::I32(0);
        let mut arguments = vec![path, length, none(), none(), none(), none()];
        arguments.extend([operation, Value::I32(1)]);
        arguments.extend((0..5).map(|_| none()));
        arguments.push(self.put(SIZE, &[0; 4]));
        self.call("proc_spawn3", &arguments)
    }
}

#[test]
fn the_current_directory_is_what_the_host_has_now() {
    isolated!(|| {
        let tree = Tree::new();
        symlink("sub", tree.granted().join("link")).unwrap();
        let mut guest = enter(&tree);
        assert_eq!(guest.change_directory("/data/link"), Ok(()));
        assert_eq!(guest.current_directory().unwrap(), "/data/sub");
        assert_eq!(guest.change_directory(".."), Ok(()));
        assert_eq!(guest.current_directory().unwrap(), "/data");
        assert_eq!(guest.change_directory("file"), Err(Errno::Notdir));
        assert_eq!(guest.change_directory("file/."), Err(Errno::Notdir));
        assert_eq!(guest.change_directory("new"), Err(Errno::Noent));
        // What the host does in between counts.
        fs::create_dir(tree.granted().join("new")).unwrap();
        assert_eq!(guest.change_directory("new"), Ok(()));
        fs::rename(tree.granted().join("new"), tree.granted().join("other")).unwrap();
        assert_eq!(guest.current_directory(), Err(Errno::Noent));
        assert_eq!(guest.change_directory("/data/new"), Err(Errno::Noent));
        assert_eq!(guest.change_directory("/data/other"), Ok(()));
        fs::remove_file(tree.granted().join("file")).unwrap();
        fs::create_dir(tree.granted().join("file")).unwrap();
        assert_eq!(guest.change_directory("/data/file"), Ok(()));
        fs::remove_file(tree.granted().join("link")).unwrap();
        symlink("../outside", tree.granted().join("link")).unwrap();
        assert_eq!(guest.change_directory("/data/link"), Err(Errno::Perm));
        assert_eq!(guest.current_directory().unwrap(), "/data/file");
        assert_eq!(guest.change_directory("/"), Ok(()));
        assert_eq!(guest.current_directory().unwrap(), "/");
    });
}

#[test]
fn a_program_is_looked_for_on_the_host() {
    isolated!(|| {
        let tree = Tree::new();
        let mut guest = enter(&tree);
        assert_eq!(guest.execute("/data/missing"), Err(Errno::Noent));
        assert_eq!(guest.execute("/data/file/x"), Err(Errno::Notdir));
        assert_eq!(guest.execute("/data/sub"), Err(Errno::Access));
        // The look at it is not what counts when the host removes it.
        assert_eq!(guest.change_directory("/data/file"), Err(Errno::Notdir));
        fs::remove_file(tree.granted().join("file")).unwrap();
        assert_eq!(guest.execute("/data/file"), Err(Errno::Noent));
    });
}

#[test]
fn a_program_starts_in_an_open_directory_of_the_host() {
    isolated!(|| {
        let tree = Tree::new();
        let mut guest = enter(&tree);
        let data = guest.preopen("data");
        let file = guest.open(data, "file", guest::READ).unwrap();
        assert_eq!(guest.spawn_in(file), Err(Errno::Notdir));
        let directory = guest.open_directory(data, "sub").unwrap();
        // The directory is taken, and the program is not there.
        let started = guest.spawn_in(directory);
        assert!(
            matches!(started, Err(Errno::Noent | Errno::Noexec)),
            "{started:?}"
        );
        fs::rename(tree.granted().join("sub"), tree.granted().join("moved")).unwrap();
        assert_eq!(guest.spawn_in(directory), Err(Errno::Noent));
    });
}
