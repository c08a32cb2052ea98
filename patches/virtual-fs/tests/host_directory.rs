//! A host directory behind a path of the virtual tree: what it is, and what its rights allow.
#![cfg(all(target_os = "linux", feature = "host-fs", not(landlock_kernel_alone)))]

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use virtual_fs::host_backing::HostAccess;
use virtual_fs::host_directory::{HostDirectory, HostNode, HostOpen, HostPlace};
use virtual_fs::limited::Limited;
use virtual_fs::{FileSystem, MountFileSystem, TmpFileSystem, host_fs};

type Files = Arc<dyn FileSystem + Send + Sync>;

fn host(root: &Path) -> Files {
    let handle = tokio::runtime::Handle::current();
    Arc::new(host_fs::FileSystem::new(handle, root).unwrap())
}

fn tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        fs::create_dir_all(tree.path().join(name).join("sub")).unwrap();
        fs::write(tree.path().join(name).join("file"), "content").unwrap();
    }
    tree
}

fn place(directory: &HostDirectory, path: &str) -> HostPlace {
    HostPlace {
        directory: directory.clone(),
        path: path.into(),
    }
}

fn code(result: io::Result<()>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

#[tokio::test]
async fn a_mount_says_which_directory_is_behind_it_and_memory_has_none() {
    let tree = tree();
    let mounts = MountFileSystem::new();
    mounts.mount("/", Arc::new(TmpFileSystem::new())).unwrap();
    mounts
        .mount("/data", host(&tree.path().join("one")))
        .unwrap();
    assert!(mounts.host_place(Path::new("/")).is_none());
    assert!(mounts.host_place(Path::new("/other")).is_none());
    let found = mounts.host_place(Path::new("/data/sub")).unwrap();
    let stat = found.directory.stat(&found.path, true).unwrap();
    let own =
        std::os::unix::fs::MetadataExt::ino(&fs::metadata(tree.path().join("one/sub")).unwrap());
    assert_eq!(stat.inode, own);
    // What is mounted below isn't part of it.
    mounts
        .mount("/data/sub/below", host(&tree.path().join("two")))
        .unwrap();
    assert!(mounts.host_place(Path::new("/data")).is_none());
    assert!(mounts.place_in_mount(Path::new("/data")).is_some());
    assert!(
        mounts.has_mounts_below(Path::new("/data"))
            && mounts.leads_to_mount(Path::new("/data/sub"))
    );
}

#[tokio::test]
async fn nothing_is_allowed_that_the_directory_does_not_allow() {
    let tree = tree();
    let files = host(&tree.path().join("one"));
    let limited = |access| {
        let limited = Limited::new(files.clone(), "/", access);
        limited.host_place(Path::new("/")).unwrap().directory
    };
    let all = limited(HostAccess::ALL);
    let read = limited(HostAccess::READ);
    let write = limited(HostAccess {
        create: false,
        ..HostAccess::ALL
    });
    for made in [
        read.make_directory(Path::new("new")),
        read.remove_file(Path::new("file")),
        read.make_symlink(Path::new("file"), Path::new("new")),
        write.make_directory(Path::new("new")),
        place(&read, "file").rename(&place(&all, "new")),
        place(&all, "file").rename(&place(&read, "new")),
    ] {
        assert_eq!(code(made), libc::EACCES);
    }
    // More could be done with it there.
    for moved in [
        place(&write, "file").rename(&place(&all, "new")),
        place(&write, "file").link(false, &place(&all, "new")),
    ] {
        assert_eq!(code(moved), libc::EXDEV);
    }
    let writing = HostOpen {
        write: true,
        follow: true,
        ..HostOpen::default()
    };
    assert_eq!(
        code(read.open(Path::new("file"), writing).map(drop)),
        libc::EACCES
    );
    assert!(all.open(Path::new("file"), writing).is_ok());
    assert_eq!(fs::read(tree.path().join("one/file")).unwrap(), b"content");
}

#[tokio::test]
async fn no_path_leads_out() {
    let tree = tree();
    std::os::unix::fs::symlink("../two", tree.path().join("one/out")).unwrap();
    let found = host(&tree.path().join("one"))
        .host_place(Path::new("/"))
        .unwrap();
    let directory = found.directory;
    let reading = HostOpen {
        read: true,
        follow: true,
        ..HostOpen::default()
    };
    for path in [
        "../two/file",
        "out/file",
        "/etc/passwd",
        "sub/../../two/file",
    ] {
        assert_eq!(
            code(directory.open(Path::new(path), reading).map(drop)),
            libc::EPERM,
            "{path}"
        );
        assert_eq!(
            code(directory.stat(Path::new(path), true).map(drop)),
            libc::EPERM,
            "{path}"
        );
    }
    let sub = directory.open(Path::new("sub"), reading).unwrap();
    let sub = sub.as_directory().unwrap();
    assert_eq!(
        code(sub.stat(Path::new("../file"), true).map(drop)),
        libc::EPERM
    );
    assert_eq!(sub.opened_in().unwrap().path, Path::new("sub"));
}

/// Reads from a fifo for as long as the writer may take.
async fn read(fifo: &mut HostNode) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 9];
    let read = tokio::time::timeout(Duration::from_millis(200), fifo.read(&mut bytes)).await;
    read.ok().map(|size| {
        bytes.truncate(size.unwrap());
        bytes
    })
}

#[tokio::test]
async fn the_reader_of_a_fifo_waits_for_a_writer_and_ends_with_the_last_one() {
    let tree = tree();
    let path = tree.path().join("one/fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let directory = HostDirectory::open_root(&tree.path().join("one")).unwrap();
    let how = HostOpen {
        read: true,
        ..HostOpen::default()
    };
    let open = || directory.open(Path::new("fifo"), how).unwrap();
    let writer = || fs::OpenOptions::new().write(true).open(&path).unwrap();
    let mut fifo = open();
    assert_eq!(read(&mut fifo).await, None, "nobody has written yet");
    let mut writing = writer();
    assert_eq!(read(&mut fifo).await, None, "nothing is written yet");
    io::Write::write_all(&mut writing, b"text").unwrap();
    assert_eq!(read(&mut fifo).await.unwrap(), b"text");
    drop(writing);
    assert_eq!(read(&mut fifo).await.unwrap(), b"");
    // A writer that has come and gone before the first read, without a byte.
    let mut fifo = open();
    drop(writer());
    assert_eq!(read(&mut fifo).await.unwrap(), b"");
}
