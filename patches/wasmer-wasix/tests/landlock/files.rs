//! Preopens of single host files.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::symlink,
    path::Path,
};

use wasix_landlock::{Access, HostKind, Status};
use wasix_landlock_testing::{ask, isolated};
use wasmer_wasix::landlock::HostPreopenBuilder;

use crate::common::{
    DENIED,
    guest::{CREATE, CREATE_NEW, Guest, Open, READ, TRUNCATE, WRITE},
    host::{builder, host_builder},
    tree::{Tree, assert_file, assert_granted, assert_refused},
};

/// The request of a module that only writes a file, as the poster has it.
fn write_only<'a>(p: &'a mut HostPreopenBuilder, path: &Path) -> &'a mut HostPreopenBuilder {
    p.path(path).read(false).write(true).create(true)
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Nothing of the tree is granted but `granted/<file>`.
#[track_caller]
fn assert_only_file(tree: &Tree, file: &str, access: Access) {
    assert_file(&tree.granted().join(file), access);
    assert_refused(&tree.also());
    assert_refused(&tree.outside());
    assert_eq!(ask::open_read(tree.granted()), DENIED);
    assert_eq!(ask::create_new(tree.path("granted/newer")), DENIED);
    for neighbour in ["file", "sub/file"].iter().filter(|name| **name != file) {
        assert_file(&tree.granted().join(neighbour), Access::NONE);
    }
}

for_both_users! {
    fn a_missing_file_is_made_and_the_module_writes_it() {
        let tree = Tree::new();
        let key = tree.path("granted/key.pem");
        assert_eq!(ask::open_write(&key), Err(libc::ENOENT));
        let builder = builder().preopen(|p| write_only(p, &key)).unwrap();
        let mut guest = Guest::new(builder);
        let report = guest.report();
        let preopen = &report.preopens[0];
        assert_eq!((preopen.origin.as_str(), preopen.status), ("preopen", Status::Granted));
        assert!(preopen.hosts[0].created);
        assert_eq!(preopen.hosts[0].kind, HostKind::File);
        assert_only_file(&tree, "key.pem", Access::WRITE);

        let directory = guest.preopen(name(&tree.granted()));
        guest.write(directory, "key.pem", Open { create: true, ..TRUNCATE }, b"secret").unwrap();
        assert_eq!(fs::metadata(&key).unwrap().len(), 6);
        assert_eq!(guest.list(directory).unwrap(), ["key.pem"]);
        assert_eq!(guest.stat(directory, "key.pem").unwrap().1, 6);
    }
}

#[test]
fn what_the_module_writes_arrives_in_an_existing_file() {
    isolated!(|| {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        // What was opened before the restriction keeps its rights.
        let mut reader = File::open(&file).unwrap();
        let mut guest = Guest::new(builder().preopen(|p| write_only(p, &file)).unwrap());
        assert!(!guest.report().preopens[0].hosts[0].created);
        assert_only_file(&tree, "file", Access::WRITE);
        let directory = guest.preopen(name(&tree.granted()));
        guest.write(directory, "file", WRITE, b"CON").unwrap();
        let append = Open {
            append: true,
            ..WRITE
        };
        guest.write(directory, "file", append, b"!").unwrap();
        let mut content = String::new();
        reader.read_to_string(&mut content).unwrap();
        assert_eq!(content, "CONtent!");
        guest.write(directory, "file", TRUNCATE, b"new").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().len(), 3);
    });
}

for_both_users! {
    fn a_file_for_writing_can_not_be_read() {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        let mut guest = Guest::new(builder().preopen(|p| write_only(p, &file)).unwrap());
        assert_only_file(&tree, "file", Access::WRITE);
        let directory = guest.preopen(name(&tree.granted()));
        assert!(guest.can_open(directory, "file", READ).is_err());
        assert!(guest.can_open(directory, "file", Open { write: true, ..READ }).is_err());
        assert_eq!(guest.can_open(directory, "file", WRITE), Ok(()));
        let fd = guest.open(directory, "file", WRITE).unwrap();
        assert!(guest.read_fd(fd).is_err());
    }
}

for_both_users! {
    fn a_file_for_reading_can_not_be_changed() {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        let mut guest = Guest::new(builder().preopen(|p| p.path(&file).read(true)).unwrap());
        assert_only_file(&tree, "file", Access::READ);
        let directory = guest.preopen(name(&tree.granted()));
        assert_eq!(guest.read(directory, "file").unwrap(), b"content");
        for how in [WRITE, TRUNCATE, CREATE, CREATE_NEW, Open { append: true, ..WRITE }] {
            assert!(guest.can_open(directory, "file", how).is_err(), "{how:?}");
        }
        assert!(guest.can_open(directory, "file", Open { truncate: true, ..READ }).is_err());
        let fd = guest.open(directory, "file", READ).unwrap();
        assert!(guest.write_fd(fd, b"x").is_err());
        assert!(guest.call("fd_filestat_set_size", &[fd.into(), 0_i64.into()]).is_err());
        assert!(guest.call("fd_allocate", &[fd.into(), 0_i64.into(), 99_i64.into()]).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"content");
    }
}

#[test]
fn a_file_for_reading_and_writing_can_be_both() {
    isolated!(|| {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        let builder = builder().preopen(|p| p.path(&file).read(true).write(true));
        let mut guest = Guest::new(builder.unwrap());
        assert_only_file(&tree, "file", Access::READ_WRITE);
        let directory = guest.preopen(name(&tree.granted()));
        assert_eq!(guest.read(directory, "file").unwrap(), b"content");
        guest.write(directory, "file", TRUNCATE, b"new").unwrap();
        assert_eq!(guest.read(directory, "file").unwrap(), b"new");
        assert_eq!(fs::read(&file).unwrap(), b"new");
    });
}

for_both_users! {
    fn a_files_neighbours_are_out_of_reach() {
        let tree = Tree::new();
        let key = tree.path("granted/key.pem");
        let mut guest = Guest::new(builder().preopen(|p| write_only(p, &key)).unwrap());
        assert_only_file(&tree, "key.pem", Access::WRITE);
        let directory = guest.preopen(name(&tree.granted()));
        for path in ["file", "sub/file", "sub", "../granted/file", "../outside/file", "key.pem/file"] {
            assert!(guest.can_open(directory, path, READ).is_err(), "{path}");
            assert!(guest.can_open(directory, path, WRITE).is_err(), "{path}");
        }
        for path in ["granted/file", "outside/file"] {
            let path = tree.path(path);
            assert!(guest.can_open(directory, name(&path), READ).is_err(), "{path:?}");
        }
        assert_eq!(guest.list(directory).unwrap(), ["key.pem"]);
        // What the module makes beside the file, if it may, is in memory.
        let _memory_or_error = (
            guest.can_open(directory, "new", CREATE_NEW),
            guest.create_directory(directory, "made"),
            guest.symlink("key.pem", (directory, "link")),
            guest.link((directory, "key.pem"), (directory, "hard")),
            guest.rename((directory, "key.pem"), (directory, "moved")),
            guest.symlink(name(&tree.path("outside/file")), (directory, "out")),
        );
        assert!(guest.can_open(directory, "out", READ).is_err());
        for made in ["new", "made", "link", "hard", "moved", "out"] {
            assert!(tree.granted().join(made).symlink_metadata().is_err(), "{made}");
        }
        assert_file(&key, Access::WRITE);
    }
}

for_both_users! {
    fn a_file_can_not_be_replaced_moved_or_removed() {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        let builder = builder().preopen(|p| p.path(&file).read(true).write(true));
        let builder = builder.and_then(|b| b.map_dir("memory", "/tmp"));
        let mut guest = Guest::new(builder.unwrap());
        assert_only_file(&tree, "file", Access::READ_WRITE);
        let directory = guest.preopen(name(&tree.granted()));
        let memory = guest.preopen("memory");
        guest.write(memory, "evil", CREATE_NEW, b"evil").unwrap();
        assert!(guest.rename((memory, "evil"), (directory, "file")).is_err());
        assert!(guest.link((memory, "evil"), (directory, "file")).is_err());
        assert!(guest.symlink("/tmp/evil", (directory, "file")).is_err());
        assert!(guest.create_directory(directory, "file").is_err());
        assert!(guest.unlink(directory, "file").is_err());
        assert!(guest.remove_directory(directory, "file").is_err());
        assert!(guest.rename((directory, "file"), (memory, "file")).is_err());
        assert!(guest.rename((directory, "file"), (directory, "moved")).is_err());
        assert!(guest.can_open(directory, "file", CREATE_NEW).is_err());
        // It is as it was, in the module as on the host.
        assert_eq!(guest.read(directory, "file").unwrap(), b"content");
        assert_eq!(fs::read(&file).unwrap(), b"content");
        for answer in [
            ask::unlink(&file),
            ask::rename(&file, tree.path("granted/moved")),
            ask::rename(tree.path("granted/sub/file"), &file),
            ask::link(&file, tree.path("granted/hard")),
        ] {
            assert_eq!(answer, DENIED);
        }
    }
}

/// The file shows in the module as `path` in the preopen `directory`.
fn shows_as(alias: &str, current_dir: Option<&str>, directory: &str, path: &str) {
    let tree = Tree::new();
    let file = tree.path("granted/file");
    let mut builder = builder()
        .preopen(|p| p.path(&file).alias(alias).read(true).write(true))
        .unwrap();
    if let Some(current_dir) = current_dir {
        builder.set_current_dir(current_dir);
    }
    let mut guest = Guest::new(builder);
    assert_only_file(&tree, "file", Access::READ_WRITE);
    assert_eq!(guest.report().preopens[0].guest, alias);
    let directory = guest.preopen(directory);
    assert_eq!(guest.read(directory, path).unwrap(), b"content");
    guest.write(directory, path, TRUNCATE, b"new").unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

#[test]
fn a_files_alias_may_be_a_name() {
    isolated!(|| shows_as("key", None, ".", "key"));
}

#[test]
fn a_files_alias_may_start_with_a_dot() {
    isolated!(|| shows_as("./key", None, ".", "key"));
}

#[test]
fn a_files_alias_may_be_nested() {
    isolated!(|| shows_as("a/b/key", None, "a/b", "key"));
}

#[test]
fn a_files_alias_may_be_absolute() {
    isolated!(|| shows_as("/a/b/key", None, "/a/b", "key"));
}

#[test]
fn a_files_alias_may_be_at_the_root() {
    isolated!(|| shows_as("/key", None, "/", "key"));
}

#[test]
fn a_files_alias_may_be_where_the_virtual_tree_has_something() {
    isolated!(|| shows_as("/tmp/key", None, "/tmp", "key"));
}

#[test]
fn a_files_relative_alias_counts_from_the_current_directory() {
    isolated!(|| shows_as("out/key", Some("/inside"), "out", "key"));
}

#[test]
fn a_files_absolute_alias_does_not_count_from_the_current_directory() {
    isolated!(|| shows_as("/out/key", Some("/inside"), "/out", "key"));
}

#[test]
fn a_file_with_a_relative_host_path_stays_where_it_was() {
    isolated!(|| {
        let tree = Tree::new();
        std::env::set_current_dir(tree.granted()).unwrap();
        let builder = builder().preopen(|p| p.path("file").read(true).write(true));
        let mut guest = Guest::new(builder.unwrap());
        assert_only_file(&tree, "file", Access::READ_WRITE);
        // Changing the directory is not restricted.
        std::env::set_current_dir(tree.outside()).unwrap();
        let directory = guest.preopen(".");
        guest.write(directory, "file", TRUNCATE, b"new").unwrap();
        assert_eq!(fs::read(tree.path("granted/file")).unwrap(), b"new");
    });
}

#[test]
fn a_file_behind_a_link_that_the_application_named_is_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let link = tree.path("also/link");
        symlink(tree.path("granted/file"), &link).unwrap();
        let builder = builder().preopen(|p| p.path(&link).read(true).write(true));
        let mut guest = Guest::new(builder.unwrap());
        assert_only_file(&tree, "file", Access::READ_WRITE);
        let directory = guest.preopen(name(&tree.also()));
        assert_eq!(guest.read(directory, "link").unwrap(), b"content");
    });
}

/// In which order a directory and a file in it are named makes no difference.
fn a_file_in_a_directory(file_first: bool) {
    let tree = Tree::new();
    let new = tree.path("granted/new");
    let directory = |p: &mut HostPreopenBuilder| {
        p.directory(tree.granted()).read(true);
    };
    let builder = if file_first {
        builder().preopen(|p| write_only(p, &new)).and_then(|b| {
            b.preopen(|p| {
                directory(p);
                p
            })
        })
    } else {
        builder()
            .preopen(|p| {
                directory(p);
                p
            })
            .and_then(|b| b.preopen(|p| write_only(p, &new)))
    };
    let mut guest = Guest::new(builder.unwrap());
    assert_granted(&tree.granted(), Access::READ);
    assert_file(&new, Access::READ_WRITE);
    assert_refused(&tree.outside());

    let directory = guest.preopen(name(&tree.granted()));
    assert_eq!(guest.read(directory, "file").unwrap(), b"content");
    assert!(guest.can_open(directory, "file", WRITE).is_err());
    assert!(guest.can_open(directory, "newer", CREATE_NEW).is_err());
    guest.write(directory, "new", TRUNCATE, b"new").unwrap();
    assert_eq!(fs::read(&new).unwrap(), b"new");
    let mut names = guest.list(directory).unwrap();
    names.dedup();
    assert_eq!(names, ["file", "new", "sub"]);
}

#[test]
fn a_file_can_be_written_in_a_directory_for_reading() {
    isolated!(|| a_file_in_a_directory(false));
}

#[test]
fn a_file_can_be_written_in_a_directory_for_reading_that_is_named_later() {
    isolated!(|| a_file_in_a_directory(true));
}

#[test]
fn a_file_in_a_recorded_directory_with_fewer_rights_is_an_error_that_names_both() {
    isolated!(|| {
        let tree = Tree::new();
        let build = |read_only: bool, new: &str| {
            let new = tree.path(new);
            let builder = host_builder()
                .preopen_build(|p| {
                    p.directory(tree.granted())
                        .alias("data")
                        .read(true)
                        .write(!read_only)
                })
                .and_then(|b| b.preopen(|p| p.path(&new).alias("data/new").create(true)));
            Guest::try_new(builder.unwrap())
        };
        let error = build(true, "also/new").map(drop).unwrap_err().to_string();
        assert!(
            error.contains("also/new") && error.contains("`data`"),
            "{error}"
        );
        assert!(!tree.path("also/new").exists());
        assert_eq!(ask::open_read(tree.path("outside/file")), Ok(()));

        build(false, "also/new").map(drop).unwrap();
        assert_file(&tree.path("also/new"), Access::WRITE);
        assert_refused(&tree.outside());
    });
}

#[test]
fn two_files_of_one_directory_have_their_own_rights() {
    isolated!(|| {
        let tree = Tree::new();
        let (file, new) = (tree.path("granted/file"), tree.path("granted/new"));
        let builder = builder()
            .preopen(|p| p.path(&file).read(true))
            .and_then(|b| b.preopen(|p| write_only(p, &new)));
        let mut guest = Guest::new(builder.unwrap());
        assert_file(&file, Access::READ);
        assert_file(&new, Access::WRITE);
        assert_eq!(ask::open_read(tree.granted()), DENIED);
        assert_eq!(ask::open_read(tree.path("granted/sub/file")), DENIED);
        let directory = guest.preopen(name(&tree.granted()));
        assert_eq!(guest.list(directory).unwrap(), ["file", "new"]);
        assert_eq!(guest.read(directory, "file").unwrap(), b"content");
        assert!(guest.can_open(directory, "file", WRITE).is_err());
        guest.write(directory, "new", WRITE, b"new").unwrap();
        assert!(guest.can_open(directory, "new", READ).is_err());
    });
}

#[test]
fn a_file_shows_as_a_file() {
    isolated!(|| {
        const REGULAR_FILE: u8 = 4;
        let tree = Tree::new();
        let file = tree.path("granted/file");
        let builder = builder().preopen(|p| p.path(&file).alias("/a/key").read(true));
        let mut guest = Guest::new(builder.unwrap());
        let directory = guest.preopen("/a");
        assert_eq!(guest.stat(directory, "key").unwrap(), (REGULAR_FILE, 7));
        let as_directory = Open {
            directory: true,
            ..READ
        };
        assert!(guest.can_open(directory, "key", as_directory).is_err());
        assert!(guest.can_open(directory, "key/", READ).is_err());
    });
}
