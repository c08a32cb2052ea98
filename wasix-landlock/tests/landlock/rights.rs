//! The access table, right by right, as the kernel enforces it.

use std::{fs, path::Path};

use wasix_landlock::Access;
use wasix_landlock_testing::{ask, is_root, isolated};

use crate::common::{DENIED, Tree, directory, file, policy};

/// Something a module, or a runtime that was taken over, could try.
struct Operation {
    name: &'static str,
    /// Tries it in a directory of its own that [`populate`] has filled.
    attempt: fn(&Path) -> ask::Answer,
    /// The access that allows it; `None` if none does.
    needs: Option<Access>,
    /// True if the kernel lets only root do it, restriction or not.
    for_root: bool,
    /// The Landlock ABI that denies it.
    since: u32,
}

const fn operation(
    name: &'static str,
    needs: Option<Access>,
    attempt: fn(&Path) -> ask::Answer,
) -> Operation {
    Operation {
        name,
        attempt,
        needs,
        for_root: false,
        since: 1,
    }
}

const CREATE_AND_WRITE: Access = Access {
    read: false,
    write: true,
    create: true,
};

fn operations() -> Vec<Operation> {
    let read = Some(Access::READ);
    let write = Some(Access::WRITE);
    let create = Some(Access::CREATE);
    let both = Some(CREATE_AND_WRITE);
    vec![
        operation("read a file", read, |d| ask::open_read(d.join("file"))),
        operation("list a directory", read, |d| ask::open_read(d)),
        operation("write a file", write, |d| ask::open_write(d.join("file"))),
        Operation {
            since: 3,
            ..operation("truncate a file", write, |d| ask::truncate(d.join("file")))
        },
        operation("unlink a file", write, |d| ask::unlink(d.join("other"))),
        operation("remove a directory", write, |d| {
            ask::remove_directory(d.join("empty"))
        }),
        operation("make a file", create, |d| ask::make_file(d.join("new"))),
        operation("make and open a file", both, |d| {
            ask::create_new(d.join("new"))
        }),
        operation("make a directory", create, |d| {
            ask::make_directory(d.join("new"))
        }),
        operation("make a symbolic link", create, |d| {
            ask::make_symlink("file", d.join("new"))
        }),
        operation("rename a file", both, |d| {
            ask::rename(d.join("file"), d.join("new"))
        }),
        operation("rename a directory", both, |d| {
            ask::rename(d.join("empty"), d.join("new"))
        }),
        operation("move a file", both, |d| {
            ask::rename(d.join("file"), d.join("into/new"))
        }),
        operation("link a file into another directory", create, |d| {
            ask::link(d.join("file"), d.join("into/new"))
        }),
        operation("make a fifo", None, |d| ask::make_fifo(d.join("new"))),
        operation("make a socket", None, |d| ask::bind_socket(d.join("new"))),
        operation("execute a program", None, |d| ask::execute(d.join("true"))),
        Operation {
            for_root: true,
            ..operation("make a character device", None, |d| {
                ask::make_character_device(d.join("new"))
            })
        },
        Operation {
            for_root: true,
            ..operation("make a block device", None, |d| {
                ask::make_block_device(d.join("new"))
            })
        },
    ]
}

fn populate(directory: &Path) {
    fs::create_dir_all(directory.join("empty")).unwrap();
    fs::create_dir_all(directory.join("into")).unwrap();
    fs::write(directory.join("file"), "content").unwrap();
    fs::write(directory.join("other"), "content").unwrap();
    fs::copy("/bin/true", directory.join("true")).unwrap();
}

/// Grants a directory this access and tries every operation in it, and in one that isn't granted.
fn check_directory(access: Access) {
    let tree = Tree::new();
    for (index, operation) in operations().iter().enumerate() {
        let name = format!("{index}");
        populate(&tree.granted().join(&name));
        populate(&tree.outside().join(&name));
        // Once without the restriction, to show that nothing else is in the way.
        let unrestricted = tree.root().join(format!("before-{name}"));
        populate(&unrestricted);
        let expected = if operation.for_root && !is_root() {
            Err(libc::EPERM)
        } else {
            Ok(())
        };
        assert_eq!(
            (operation.attempt)(&unrestricted),
            expected,
            "{}",
            operation.name
        );
    }

    policy()
        .preopen(directory(tree.granted(), access))
        .enforce()
        .unwrap();

    for (index, operation) in operations().iter().enumerate() {
        let name = format!("{index}");
        let inside = (operation.attempt)(&tree.granted().join(&name));
        // What the kernel doesn't handle, it doesn't deny.
        let unhandled = operation.since > ask::landlock_abi();
        if unhandled || operation.needs.is_some_and(|needs| access.contains(needs)) {
            assert_eq!(inside, Ok(()), "{} with {access}", operation.name);
        } else {
            assert_denied(inside, &format!("{} with {access}", operation.name));
        }
        let outside = (operation.attempt)(&tree.outside().join(&name));
        if unhandled {
            assert_eq!(outside, Ok(()), "{} outside", operation.name);
        } else {
            assert_denied(outside, &format!("{} outside", operation.name));
        }
    }
    // Neither into the grant nor out of it.
    let (inside, outside) = (tree.granted().join("file"), tree.outside().join("file"));
    assert_denied(ask::rename(&inside, tree.outside().join("new")), "move out");
    assert_denied(ask::rename(&outside, tree.granted().join("new")), "move in");
    assert_denied(ask::link(&outside, tree.granted().join("new")), "link in");
}

fn assert_denied(answer: ask::Answer, what: &str) {
    // Moving between directories is refused as if they were different file systems when it is the
    // right to refer that lacks.
    assert!(
        matches!(answer, Err(libc::EACCES | libc::EXDEV)),
        "{what}: {answer:?}"
    );
}

for_both_users! {
    fn a_directory_granted_nothing_but_read() {
        check_directory(Access::READ);
    }
}

for_both_users! {
    fn a_directory_granted_nothing_but_write() {
        check_directory(Access::WRITE);
    }
}

for_both_users! {
    fn a_directory_granted_nothing_but_create() {
        check_directory(Access::CREATE);
    }
}

for_both_users! {
    fn a_directory_granted_read_and_write() {
        check_directory(Access::READ_WRITE);
    }
}

for_both_users! {
    fn a_directory_granted_everything() {
        check_directory(Access::ALL);
    }
}

/// Grants one file this access.
fn check_file(access: Access) {
    let tree = Tree::new();
    let granted = tree.granted().join("file");
    fs::copy("/bin/true", &granted).unwrap();
    assert_eq!(ask::open_read(&granted), Ok(()));
    assert_eq!(ask::open_write(&granted), Ok(()));
    assert_eq!(ask::execute(&granted), Ok(()));

    policy().preopen(file(&granted, access)).enforce().unwrap();

    let expect = |allowed: bool| if allowed { Ok(()) } else { DENIED };
    assert_eq!(ask::execute(&granted), DENIED);
    assert_eq!(ask::open_read(&granted), expect(access.read));
    assert_eq!(ask::open_write(&granted), expect(access.write));
    let truncates = access.write || ask::landlock_abi() < 3;
    assert_eq!(ask::truncate(&granted), expect(truncates));
    assert_eq!(ask::unlink(&granted), DENIED);
    assert_eq!(ask::rename(&granted, tree.granted().join("new")), DENIED);
    assert_eq!(ask::open_read(tree.granted()), DENIED);
    assert_eq!(ask::open_read(tree.outside().join("file")), DENIED);
}

for_both_users! {
    fn a_file_granted_read() {
        check_file(Access::READ);
    }
}

for_both_users! {
    fn a_file_granted_write() {
        check_file(Access::WRITE);
    }
}

for_both_users! {
    fn a_file_granted_everything() {
        check_file(Access::ALL);
    }
}

for_both_users! {
    fn a_device_in_a_granted_directory_takes_no_ioctl() {
        if ask::landlock_abi() < 5 {
            skip!("ioctls on devices are denied from Landlock ABI 5 on");
        }
        // The device isn't a terminal, and says so.
        assert_eq!(ask::ioctl_device("/dev/null"), Err(libc::ENOTTY));
        policy()
            .preopen(directory("/dev", Access::READ))
            .enforce()
            .unwrap();
        assert_eq!(ask::open_read("/dev/null"), Ok(()));
        assert_eq!(ask::ioctl_device("/dev/null"), DENIED);
    }
}

#[test]
fn a_runtime_path_may_be_a_device() {
    isolated!(|| {
        policy()
            .runtime_path("/dev/null", Access::READ_WRITE, "standard streams")
            .enforce()
            .unwrap();
        assert_eq!(ask::open_write("/dev/null"), Ok(()));
        assert_eq!(ask::open_read("/dev/zero"), DENIED);
    });
}

#[test]
fn the_preopens_access_bounds_what_its_targets_get() {
    isolated!(|| {
        let tree = Tree::new();
        let mut preopen = directory(tree.granted(), Access::ALL);
        preopen.access = Access::READ;
        policy().preopen(preopen).enforce().unwrap();
        assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));
        assert_eq!(ask::open_write(tree.granted().join("file")), DENIED);
    });
}

#[test]
fn a_policy_without_preopens_denies_everything() {
    isolated!(|| {
        let tree = Tree::new();
        policy().enforce().unwrap();
        assert_eq!(ask::open_read("/"), DENIED);
        assert_eq!(ask::open_read(tree.granted().join("file")), DENIED);
        assert_eq!(ask::make_directory(tree.root().join("new")), DENIED);
    });
}
