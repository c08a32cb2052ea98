//! Host files as the host has them now: nothing that the module saw before, and no name that a file had when it was
//! opened, decides what a call does.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use wasix_landlock_testing::ask;
use wasmer::Value;
use wasmer_wasix::wasmer_wasix_types::wasi::{Errno, Rights};

use crate::common::{
    guest::{CREATE, CREATE_NEW, Guest, Open, READ, TRUNCATE, WRITE},
    host::{builder, tokio},
    tree::Tree,
};

const APPEND: Open = Open {
    append: true,
    ..CREATE
};
const DIRECTORY: Open = Open {
    directory: true,
    ..READ
};
/// For `set_times`: both as given, or both now.
const AS_GIVEN: i32 = 1 | 4;
const NOW: i32 = 2 | 8;

/// A guest with everything allowed in `granted`.
fn enter() -> (Tree, Guest, i32) {
    let tree = Tree::new();
    let (guest, directory) = enter_directory(&tree.granted());
    (tree, guest, directory)
}

fn enter_directory(host: &Path) -> (Guest, i32) {
    let _tokio = tokio().enter();
    let builder = builder().preopen(|p| {
        p.directory(host)
            .alias("data")
            .read(true)
            .write(true)
            .create(true)
    });
    let mut guest = Guest::new(builder.unwrap());
    let directory = guest.preopen("data");
    (guest, directory)
}

for_both_users! {
    fn what_exists_cannot_be_made() {
        let (tree, mut guest, directory) = enter();
        symlink("sub", tree.granted().join("to-sub")).unwrap();
        symlink("nothing", tree.granted().join("dangling")).unwrap();
        for there in ["file", "sub", "to-sub", "dangling", "."] {
            assert_eq!(guest.create_directory(directory, there), Err(Errno::Exist), "{there}");
            assert_eq!(guest.symlink("x", (directory, there)), Err(Errno::Exist), "{there}");
            let linked = guest.link((directory, "file"), (directory, there));
            assert_eq!(linked, Err(Errno::Exist), "{there}");
        }
        // A directory is a lock: whoever makes it has it.
        assert_eq!(guest.create_directory(directory, "lock"), Ok(()));
        assert_eq!(guest.create_directory(directory, "lock"), Err(Errno::Exist));
        assert_eq!(guest.remove_directory(directory, "lock"), Ok(()));
        assert_eq!(ask::make_directory(tree.granted().join("lock")), Ok(()));
        assert_eq!(guest.create_directory(directory, "lock"), Err(Errno::Exist));
        assert_eq!(guest.can_open(directory, "file", CREATE_NEW), Err(Errno::Exist));
    }
}

for_both_users! {
    fn what_is_named_now_is_removed() {
        let (tree, mut guest, directory) = enter();
        let at = |name: &str| tree.granted().join(name);
        let old = guest.open(directory, "file", READ).unwrap();
        guest.rename((directory, "file"), (directory, "old")).unwrap();
        guest.write(directory, "file", CREATE, b"the new one").unwrap();
        guest.unlink(directory, "old").unwrap();
        assert!(!at("old").exists());
        assert_eq!(fs::read(at("file")).unwrap(), b"the new one");
        // What is open stays what it was.
        assert_eq!(guest.read_some(old, None, 9).unwrap(), b"content");
        // The same below a directory that got another name.
        let below = guest.open(directory, "sub/file", READ).unwrap();
        guest.rename((directory, "sub"), (directory, "moved")).unwrap();
        guest.create_directory(directory, "sub").unwrap();
        guest.write(directory, "sub/file", CREATE, b"another").unwrap();
        guest.unlink(directory, "moved/file").unwrap();
        assert!(!at("moved/file").exists());
        assert_eq!(fs::read(at("sub/file")).unwrap(), b"another");
        assert_eq!(guest.read_some(below, None, 9).unwrap(), b"content");
    }
}

for_both_users! {
    fn an_open_directory_stays_the_same_under_another_name() {
        let (tree, mut guest, directory) = enter();
        let sub = guest.open_directory(directory, "sub").unwrap();
        fs::rename(tree.granted().join("sub"), tree.granted().join("moved")).unwrap();
        fs::create_dir(tree.granted().join("sub")).unwrap();
        assert_eq!(guest.list(sub).unwrap(), ["file"]);
        guest.write(sub, "made", CREATE, b"here").unwrap();
        assert_eq!(fs::read(tree.granted().join("moved/made")).unwrap(), b"here");
        assert_eq!(guest.stat(sub, "../file"), Err(Errno::Notcapable));
    }
}

for_both_users! {
    fn metadata_and_contents_are_what_the_host_has() {
        let (tree, mut guest, directory) = enter();
        let file = tree.granted().join("file");
        let fd = guest.open(directory, "file", READ).unwrap();
        for text in ["a", "longer", ""] {
            fs::write(&file, text).unwrap();
            let host = fs::metadata(&file).unwrap();
            for told in [guest.stat_fd(fd), guest.stat_path(directory, "file", true)] {
                let told = told.unwrap();
                assert_eq!(told.size, text.len() as u64);
                assert_eq!((told.device, told.inode, told.links), (host.dev(), host.ino(), host.nlink()));
            }
        }
        // Replaced, while it is open.
        fs::write(tree.granted().join("next"), "replaced").unwrap();
        fs::rename(tree.granted().join("next"), &file).unwrap();
        assert_eq!(guest.read(directory, "file").unwrap(), b"replaced");
        assert_ne!(guest.stat_fd(fd).unwrap().inode, guest.stat_path(directory, "file", true).unwrap().inode);
        assert_eq!(guest.stat_fd(fd).unwrap().links, 0);
        // A directory by now, and then nothing.
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(guest.read(directory, "file/x"), Err(Errno::Noent));
        assert_eq!(guest.stat(directory, "file").unwrap().0, 3);
        fs::remove_dir(&file).unwrap();
        assert_eq!(guest.stat(directory, "file"), Err(Errno::Noent));
        assert_eq!(guest.list(directory).unwrap(), ["sub"]);
    }
}

for_both_users! {
    fn two_that_append_lose_nothing() {
        let (tree, mut guest, directory) = enter();
        let fd = guest.open(directory, "log", APPEND).unwrap();
        let log = tree.granted().join("log");
        let host = std::thread::spawn(move || {
            use std::io::Write as _;
            let mut file = fs::OpenOptions::new().append(true).open(log).unwrap();
            for _ in 0..20_000 {
                file.write_all(b"host\n").unwrap();
            }
        });
        for _ in 0..20_000 {
            assert_eq!(guest.write_some(fd, None, b"guest\n"), Ok(6));
        }
        host.join().unwrap();
        let text = fs::read_to_string(tree.granted().join("log")).unwrap();
        let lines = |line| text.lines().filter(|l| *l == line).count();
        assert_eq!((lines("guest"), lines("host")), (20_000, 20_000));
        assert_eq!(text.lines().count(), 40_000);
        // The flag can be taken away, and be set again.
        guest.call("fd_fdstat_set_flags", &[fd.into(), 0.into()]).unwrap();
        assert_eq!(guest.write_some(fd, Some(0), b"GUEST"), Ok(5));
        assert_eq!(guest.stat_fd(fd).unwrap().size, text.len() as u64);
        guest.call("fd_fdstat_set_flags", &[fd.into(), 1.into()]).unwrap();
        assert_eq!(guest.write_some(fd, None, b"end"), Ok(3));
        assert_eq!(guest.stat_fd(fd).unwrap().size, text.len() as u64 + 3);
    }
}

for_both_users! {
    fn times_are_set_where_they_are_asked_for() {
        let (tree, mut guest, directory) = enter();
        let at = |name: &str| tree.granted().join(name);
        let modified = |name: &str| fs::metadata(at(name)).unwrap().modified().unwrap();
        let billion = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for name in ["file", "sub", "."] {
            guest.set_times(directory, name, 1_000_000_000_000_000_000, AS_GIVEN).unwrap();
            assert_eq!(modified(name), billion, "{name}");
            assert_eq!(guest.stat_path(directory, name, true).unwrap().modified, 1_000_000_000_000_000_000);
        }
        // A rename isn't a change of the contents.
        guest.rename((directory, "file"), (directory, "renamed")).unwrap();
        assert_eq!(modified("renamed"), billion);
        // By a descriptor, whatever has the name by now.
        let rights = Rights::FD_READ | Rights::FD_FILESTAT_SET_TIMES;
        let fd = guest.open_with(directory, "renamed", rights).unwrap();
        guest.rename((directory, "renamed"), (directory, "file")).unwrap();
        guest.write(directory, "renamed", CREATE, b"new").unwrap();
        let before = modified("renamed");
        let time = Value::I64(2_000_000_000_000_000_000);
        let set = [fd.into(), time.clone(), time, AS_GIVEN.into()];
        guest.call("fd_filestat_set_times", &set).unwrap();
        assert_eq!(modified("file"), billion + Duration::from_secs(1_000_000_000));
        assert_eq!(modified("renamed"), before);
        let earliest = SystemTime::now() - Duration::from_secs(3600);
        for name in ["file", "sub"] {
            guest.set_times(directory, name, 0, NOW).unwrap();
            assert!(modified(name) > earliest, "{name}");
        }
    }
}

for_both_users! {
    fn links_are_the_hosts() {
        let (tree, mut guest, directory) = enter();
        let at = |name: &str| tree.granted().join(name);
        guest.symlink("file", (directory, "link")).unwrap();
        guest.symlink("../file", (directory, "sub/up")).unwrap();
        assert_eq!(fs::read_link(at("link")).unwrap(), PathBuf::from("file"));
        assert_eq!(fs::read_link(at("sub/up")).unwrap(), PathBuf::from("../file"));
        assert_eq!(guest.read(directory, "sub/up").unwrap(), b"content");
        assert_eq!(guest.read_link(directory, "link").unwrap(), b"file");
        assert_eq!(guest.read_link(directory, "file"), Err(Errno::Inval));
        assert_eq!(guest.read_link(directory, "nothing"), Err(Errno::Noent));
        assert_eq!(guest.stat_path(directory, "link", false).unwrap().kind, 7);
        assert_eq!(guest.stat_path(directory, "link", true).unwrap().kind, 4);
        // They go with their directory.
        guest.rename((directory, "sub"), (directory, "moved")).unwrap();
        assert_eq!(guest.read(directory, "moved/up").unwrap(), b"content");
        // One that leads out can be made, and leads nowhere.
        guest.symlink("../outside/file", (directory, "out")).unwrap();
        assert_eq!(guest.read(directory, "out"), Err(Errno::Perm));
        assert_eq!(guest.symlink("/etc/passwd", (directory, "absolute")), Err(Errno::Notcapable));
        assert!(!at("absolute").exists());
        guest.symlink("round", (directory, "round")).unwrap();
        assert_eq!(guest.read(directory, "round"), Err(Errno::Loop));
        // Two names are one file.
        guest.link((directory, "file"), (directory, "other")).unwrap();
        let [one, two] = ["file", "other"].map(|name| guest.stat_path(directory, name, true).unwrap());
        assert_eq!(one, two);
        assert_eq!((one.links, one.inode), (2, fs::metadata(at("other")).unwrap().ino()));
        guest.unlink(directory, "link").unwrap();
        assert!(at("file").exists() && !at("link").is_symlink());
    }
}

for_both_users! {
    fn a_refused_call_has_the_hosts_error() {
        let (_tree, mut guest, directory) = enter();
        let long = "x".repeat(300);
        assert_eq!(guest.stat(directory, &long), Err(Errno::Nametoolong));
        assert_eq!(guest.can_open(directory, &long, CREATE), Err(Errno::Nametoolong));
        assert_eq!(guest.create_directory(directory, &long), Err(Errno::Nametoolong));
        assert_eq!(guest.remove_directory(directory, "sub"), Err(Errno::Notempty));
        assert_eq!(guest.remove_directory(directory, "file"), Err(Errno::Notdir));
        assert_eq!(guest.unlink(directory, "sub"), Err(Errno::Isdir));
        assert_eq!(guest.stat(directory, "file/"), Err(Errno::Notdir));
        assert_eq!(guest.stat(directory, "file/below"), Err(Errno::Notdir));
        assert_eq!(guest.can_open(directory, "sub", WRITE), Err(Errno::Isdir));
        assert_eq!(guest.can_open(directory, "file", DIRECTORY), Err(Errno::Notdir));
        assert_eq!(guest.can_open(directory, "nothing", TRUNCATE), Err(Errno::Noent));
        let into_itself = guest.rename((directory, "sub"), (directory, "sub/below"));
        assert_eq!(into_itself, Err(Errno::Inval));
        assert_eq!(guest.rename((directory, "file"), (directory, "sub")), Err(Errno::Isdir));
        assert_eq!(guest.rename((directory, "sub"), (directory, "file")), Err(Errno::Notdir));
        assert_eq!(guest.link((directory, "sub"), (directory, "new")), Err(Errno::Perm));
    }
}

for_both_users! {
    fn a_rename_to_another_device_leaves_both_files() {
        let tree = Tree::new();
        let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
            wasix_landlock_testing::skipped("/dev/shm is missing");
            return;
        };
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        if device(other.path()) == device(&tree.granted()) {
            wasix_landlock_testing::skipped("there is one device only");
            return;
        }
        fs::write(other.path().join("file"), "there").unwrap();
        let _tokio = tokio().enter();
        let builder = builder()
            .preopen(|p| p.directory(tree.granted()).alias("here").read(true).write(true).create(true))
            .unwrap()
            .preopen(|p| p.directory(other.path()).alias("there").read(true).write(true).create(true));
        let mut guest = Guest::new(builder.unwrap());
        let (here, there) = (guest.preopen("here"), guest.preopen("there"));
        assert_eq!(guest.rename((here, "file"), (there, "file")), Err(Errno::Xdev));
        assert_eq!(guest.link((here, "file"), (there, "new")), Err(Errno::Xdev));
        assert_eq!(fs::read(tree.granted().join("file")).unwrap(), b"content");
        assert_eq!(fs::read(other.path().join("file")).unwrap(), b"there");
    }
}

for_both_users! {
    fn data_and_directories_are_synchronized() {
        let (_tree, mut guest, directory) = enter();
        let file = guest.open(directory, "file", WRITE).unwrap();
        let sub = guest.open_directory(directory, "sub").unwrap();
        for fd in [file, sub, directory] {
            for call in ["fd_sync", "fd_datasync"] {
                assert_eq!(guest.call(call, &[fd.into()]), Ok(()), "{call} {fd}");
            }
        }
    }
}

for_both_users! {
    fn output_that_is_redirected_comes_back() {
        let (tree, mut guest, directory) = enter();
        let fd = guest.open(directory, "captured", CREATE).unwrap();
        let away = guest.open(directory, "file", READ).unwrap();
        let mv = |guest: &mut Guest, from: i32, to: i32| guest.call("fd_renumber", &[from.into(), to.into()]);
        mv(&mut guest, 1, away).unwrap();
        mv(&mut guest, fd, 1).unwrap();
        // The number isn't free, and what is written goes to the file.
        let other = guest.open(directory, "file", READ).unwrap();
        assert_ne!(other, 1);
        assert_eq!(guest.write_some(1, None, b"to the file"), Ok(11));
        mv(&mut guest, away, 1).unwrap();
        assert_eq!(fs::read(tree.granted().join("captured")).unwrap(), b"to the file");
        assert_eq!(guest.write_some(1, None, b"the end\n"), Ok(8));
        assert_eq!(guest.write_some(away, None, b"x"), Err(Errno::Badf));
    }
}

for_both_users! {
    fn a_look_without_waiting_comes_back() {
        let (_tree, mut guest, _directory) = enter();
        let result = guest.poll_clock(0);
        assert_eq!(result, Ok(1));
    }
}

for_both_users! {
    fn a_stream_that_is_no_terminal_is_not_taken_for_one() {
        use std::io::IsTerminal as _;
        let (_tree, mut guest, _directory) = enter();
        let terminals = [std::io::stdin().is_terminal(), std::io::stdout().is_terminal(), std::io::stderr().is_terminal()];
        for (fd, is_terminal) in (0..).zip(terminals) {
            // As libc asks: a character device without an offset.
            let kind = guest.kind_of_fd(fd);
            let has_offset = guest.rights_of_fd(fd).intersects(Rights::FD_SEEK | Rights::FD_TELL);
            assert_eq!(kind == 2 && !has_offset, is_terminal, "{fd}: {kind}");
        }
    }
}

for_both_users! {
    fn a_file_in_memory_that_cannot_grow_is_an_error() {
        let _tokio = tokio().enter();
        let mut guest = Guest::new(builder().preopen_dir("/").unwrap());
        let root = guest.preopen("/");
        let fd = guest.open(root, "file", CREATE).unwrap();
        assert_eq!(guest.write_some(fd, Some(1_000_000_000_000_000), b"x"), Err(Errno::Nospc));
        assert_eq!(guest.write_some(fd, Some(0), b"x"), Ok(1));
    }
}
