//! Reads and writes of host files, which are done on the module's own thread; and of what still goes through
//! tokio, since it can make a reader wait.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use virtual_fs::{FileSystem as _, Pipe};
use wasix_landlock_testing::ask;
use wasmer::Value;
use wasmer_wasix::WasiEnv;
use wasmer_wasix::wasmer_wasix_types::wasi::{Errno, Rights};

use crate::common::{
    guest::{CREATE, Guest, Open, READ, WRITE},
    host::{builder, host_fs, singlepass, tokio, with_data},
    tree::Tree,
};

const BOTH: Open = Open {
    write: true,
    ..READ
};
const APPEND: Open = Open {
    append: true,
    ..CREATE
};

/// A guest with a directory that it may read and write.
fn enter() -> (Tree, Guest, i32) {
    let tree = Tree::new();
    let (guest, directory) = enter_tree(&tree, true);
    (tree, guest, directory)
}

fn enter_tree(tree: &Tree, writable: bool) -> (Guest, i32) {
    let _tokio = tokio().enter();
    let mut guest = Guest::new(with_data(builder(), tree, writable));
    let directory = guest.preopen("data");
    (guest, directory)
}

for_both_users! {
    fn an_offset_is_named_or_moves() {
        let (tree, mut guest, directory) = enter();
        let fd = guest.open(directory, "new", Open { create: true, ..BOTH }).unwrap();
        assert_eq!(guest.write_some(fd, None, b"abcdef"), Ok(6));
        assert_eq!(guest.write_some(fd, Some(2), b"CD"), Ok(2));
        assert_eq!(guest.read_some(fd, Some(1), 3).unwrap(), b"bCD");
        // Neither moved it.
        assert_eq!(guest.seek(fd, 0, 1), Ok(6));
        assert_eq!(guest.seek(fd, -4, 1), Ok(2));
        assert_eq!(guest.read_some(fd, None, 3).unwrap(), b"CDe");
        assert_eq!(guest.seek(fd, -1, 2), Ok(5));
        assert_eq!(guest.read_some(fd, None, 8).unwrap(), b"f");
        assert_eq!(guest.read_some(fd, None, 8).unwrap(), b"");
        assert_eq!(guest.read_some(fd, Some(100), 8).unwrap(), b"");
        assert_eq!(guest.seek(fd, -7, 2), Err(Errno::Inval));
        assert_eq!(guest.seek(fd, 0, 1), Ok(6));
        // Behind the end there are zeros.
        assert_eq!(guest.seek(fd, 2, 2), Ok(8));
        assert_eq!(guest.write_some(fd, None, b"x"), Ok(1));
        assert_eq!(guest.stat(directory, "new").unwrap().1, 9);
        // The host has it at once, with the descriptor open.
        assert_eq!(fs::read(tree.granted().join("new")).unwrap(), b"abCDef\0\0x");
    }
}

for_both_users! {
    fn several_places_of_the_memory_are_one_read_or_write() {
        let (tree, mut guest, directory) = enter();
        let fd = guest.open(directory, "new", Open { create: true, ..BOTH }).unwrap();
        guest.place(20_000, b"first");
        guest.place(21_000, b"second");
        assert_eq!(guest.write_places(fd, &[(20_000, 5), (0, 0), (21_000, 6)]), Ok(11));
        assert_eq!(fs::read(tree.granted().join("new")).unwrap(), b"firstsecond");
        assert_eq!(guest.seek(fd, 0, 0), Ok(0));
        assert_eq!(guest.read_places(fd, &[(22_000, 3), (23_000, 100)]), Ok(11));
        guest.place(20_000, b"-----");
        assert_eq!(guest.seek(fd, 0, 0), Ok(0));
        assert_eq!(guest.write_places(fd, &[(22_000, 3), (23_000, 8)]), Ok(11));
        assert_eq!(fs::read(tree.granted().join("new")).unwrap(), b"firstsecond");
        // Memory that isn't there is neither read nor written, and the file stays.
        let outside = (2 * 65_536 - 4, 8);
        assert!(guest.write_places(fd, &[outside]).is_err());
        assert_eq!(guest.seek(fd, 0, 0), Ok(0));
        assert!(guest.read_places(fd, &[outside]).is_err());
        assert_eq!(fs::read(tree.granted().join("new")).unwrap(), b"firstsecond");
    }
}

for_both_users! {
    fn appending_is_at_the_end_that_the_file_has() {
        let (tree, mut guest, directory) = enter();
        let one = guest.open(directory, "log", APPEND).unwrap();
        let two = guest.open(directory, "log", APPEND).unwrap();
        let mut host = OpenOptions::new()
            .append(true)
            .open(tree.granted().join("log"))
            .unwrap();
        let mut expected: Vec<u8> = Vec::new();
        for round in 0..10 {
            for (fd, text) in [(one, "one "), (two, "two ")] {
                assert_eq!(guest.write_some(fd, None, text.as_bytes()), Ok(4));
                expected.extend(text.as_bytes());
            }
            // Nobody told the module.
            let text = format!("host{round} ");
            host.write_all(text.as_bytes()).unwrap();
            expected.extend(text.as_bytes());
        }
        assert_eq!(fs::read(tree.granted().join("log")).unwrap(), expected);
        // The offset is behind what was written.
        assert_eq!(guest.write_some(one, None, b"."), Ok(1));
        assert_eq!(guest.seek(one, 0, 1), Ok(expected.len() as u64 + 1));
    }
}

for_both_users! {
    fn a_descriptor_keeps_its_offset_under_another_number() {
        let (_tree, mut guest, directory) = enter();
        let fd = guest.open(directory, "file", READ).unwrap();
        assert_eq!(guest.read_some(fd, None, 3).unwrap(), b"con");
        let other = guest.open(directory, "file", READ).unwrap();
        assert_eq!(guest.read_some(other, None, 1).unwrap(), b"c");
        guest
            .call("fd_renumber", &[fd.into(), other.into()])
            .unwrap();
        assert_eq!(guest.read_some(other, None, 9).unwrap(), b"tent");
        assert_eq!(guest.read_some(fd, None, 1), Err(Errno::Badf));
    }
}

for_both_users! {
    fn a_file_that_is_read_can_be_written_later_and_goes_on_being_read() {
        let (_tree, mut guest, directory) = enter();
        let reader = guest.open(directory, "file", READ).unwrap();
        assert_eq!(guest.read_some(reader, None, 3).unwrap(), b"con");
        assert_eq!(guest.write_some(reader, None, b"x"), Err(Errno::Badf));
        let writer = guest.open(directory, "file", WRITE).unwrap();
        assert_eq!(guest.read_some(writer, None, 1), Err(Errno::Badf));
        assert_eq!(guest.write_some(writer, Some(3), b"TENT"), Ok(4));
        assert_eq!(guest.read_some(reader, None, 9).unwrap(), b"TENT");
        guest.close(writer);
        assert_eq!(guest.read_some(reader, Some(0), 9).unwrap(), b"conTENT");
    }
}

for_both_users! {
    fn the_times_of_a_file_that_is_only_read_can_be_set_if_it_may_be_written() {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let builder = builder()
            .preopen(|p| p.directory(tree.granted()).alias("rw").read(true).write(true))
            .unwrap()
            .preopen(|p| p.directory(tree.also()).alias("ro").read(true));
        let mut guest = Guest::new(builder.unwrap());
        for (name, host, may) in [("rw", tree.granted(), true), ("ro", tree.also(), false)] {
            let modified = || fs::metadata(host.join("file")).unwrap().modified().unwrap();
            let before = modified();
            let directory = guest.preopen(name);
            let rights = Rights::FD_READ | Rights::FD_FILESTAT_SET_TIMES;
            let fd = guest.open_with(directory, "file", rights).unwrap();
            // Both, to a billion seconds.
            let time = Value::I64(1_000_000_000 * 1_000_000_000);
            let arguments = [fd.into(), time.clone(), time, (1 | 4).into()];
            let outcome = guest.call("fd_filestat_set_times", &arguments);
            assert_eq!(outcome.is_ok(), may, "{name}: {outcome:?}");
            assert_eq!(modified() != before, may, "{name}");
        }
    }
}

for_both_users! {
    fn a_fifo_is_opened_without_waiting_and_read_when_somebody_writes() {
        let tree = Tree::new();
        assert_eq!(ask::make_fifo(tree.granted().join("fifo")), Ok(()));
        let (mut guest, directory) = enter_tree(&tree, true);
        // Nobody writes: an open that waited would not come back, and other calls go on meanwhile.
        let fd = guest.open(directory, "fifo", READ).unwrap();
        assert_eq!(guest.read(directory, "file").unwrap(), b"content");
        assert_eq!(guest.read_some(fd, Some(0), 1), Err(Errno::Spipe));
        let other = guest.open(directory, "fifo", WRITE).unwrap();
        assert_eq!(guest.write_some(other, None, b"text"), Ok(4));
        assert_eq!(guest.read_some(fd, None, 9).unwrap(), b"text");
        guest.close(other);
        assert_eq!(guest.read_some(fd, None, 9).unwrap(), b"");
    }
}

for_both_users! {
    fn standard_input_from_a_host_file_is_read_from_where_it_is() {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let stdin = host_fs(tree.granted()).new_open_options().read(true).open("/file");
        let mut guest = Guest::new(
            WasiEnv::builder("guest").engine(singlepass()).stdin(stdin.unwrap()),
        );
        assert_eq!(guest.read_some(0, None, 3).unwrap(), b"con");
        assert_eq!(guest.read_some(0, None, 9).unwrap(), b"tent");
        assert_eq!(guest.read_some(0, None, 9).unwrap(), b"");
    }
}

for_both_users! {
    fn standard_input_from_a_pipe_waits_for_what_comes() {
        let _tokio = tokio().enter();
        let (mut sender, receiver) = Pipe::channel();
        let builder = WasiEnv::builder("guest").engine(singlepass());
        let mut guest = Guest::new(builder.stdin(Box::new(receiver)));
        let writer = thread::spawn(move || {
            for part in ["one", "two"] {
                thread::sleep(Duration::from_millis(50));
                sender.write_all(part.as_bytes()).unwrap();
            }
        });
        assert_eq!(guest.read_some(0, None, 3).unwrap(), b"one");
        assert_eq!(guest.read_some(0, None, 3).unwrap(), b"two");
        writer.join().unwrap();
        assert_eq!(guest.read_some(0, None, 3).unwrap(), b"");
    }
}
