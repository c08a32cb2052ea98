//! Host files at an offset, listings of host directories, and paths to mounts.
#![cfg(all(unix, feature = "host-fs"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Handle;
use virtual_fs::{FileSystem, MountFileSystem, OpenOptionsConfig, VirtualFile, host_fs};

type AnyFile = Box<dyn VirtualFile + Send + Sync>;

fn host(root: &Path) -> host_fs::FileSystem {
    host_fs::FileSystem::new(Handle::current(), root).unwrap()
}

fn open(root: &Path, name: &str, append: bool) -> AnyFile {
    let config = OpenOptionsConfig {
        read: true,
        write: true,
        create: true,
        create_new: false,
        append,
        truncate: false,
    };
    host(root)
        .new_open_options()
        .options(config)
        .open(name)
        .unwrap()
}

#[tokio::test]
async fn a_regular_file_is_read_and_written_at_an_offset() {
    let directory = tempfile::tempdir().unwrap();
    let file = open(directory.path(), "/file", false);
    let positional = file.positional().unwrap();
    assert_eq!(positional.write_at(b"content", 0).unwrap(), 7);
    let mut buffer = [0; 4];
    assert_eq!(positional.read_at(&mut buffer, 3).unwrap(), 4);
    assert_eq!(&buffer, b"tent");
    assert_eq!(positional.read_at(&mut buffer, 7).unwrap(), 0);
    assert_eq!(fs::read(directory.path().join("file")).unwrap(), b"content");
}

#[tokio::test]
async fn what_tokio_has_begun_is_left_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = open(directory.path(), "/file", false);
    file.positional().unwrap().write_at(b"content", 0).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "content");
    assert!(file.positional().is_none());
    file.write_all(b" and more").await.unwrap();
    file.flush().await.unwrap();
    let found = fs::read_to_string(directory.path().join("file")).unwrap();
    assert_eq!(found, "content and more");
}

#[tokio::test]
async fn flushing_begins_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = open(directory.path(), "/file", false);
    file.flush().await.unwrap();
    assert!(file.positional().is_some());
}

#[tokio::test]
async fn what_appends_or_may_wait_has_no_offsets() {
    let directory = tempfile::tempdir().unwrap();
    assert!(open(directory.path(), "/file", true).positional().is_none());
    let fifo = directory.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    assert!(
        open(directory.path(), "/fifo", false)
            .positional()
            .is_none()
    );
    // The same with a file in its place.
    fs::remove_file(&fifo).unwrap();
    assert!(
        open(directory.path(), "/fifo", false)
            .positional()
            .is_some()
    );
}

#[tokio::test]
async fn what_is_left_to_read_counts_from_the_last_offset() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "content").unwrap();
    let mut file = open(directory.path(), "/file", false);
    let mut buffer = [0; 3];
    file.positional().unwrap().read_at(&mut buffer, 2).unwrap();
    let left = std::future::poll_fn(|cx| std::pin::Pin::new(file.as_mut()).poll_read_ready(cx));
    assert_eq!(left.await.unwrap(), 2);
}

/// Returns the entries of a listing, by the one call and by the other.
fn both_listings(files: &dyn FileSystem, path: &str) -> [BTreeMap<String, String>; 2] {
    let short = files
        .list_names_and_kinds(Path::new(path))
        .unwrap()
        .into_iter();
    let long = files.read_dir(Path::new(path)).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name(), entry.file_type().unwrap())
    });
    let text = |(name, kind): (std::ffi::OsString, virtual_fs::FileType)| {
        (name.into_string().unwrap(), format!("{kind:?}"))
    };
    [short.map(text).collect(), long.map(text).collect()]
}

#[tokio::test]
async fn names_and_kinds_are_those_that_the_metadata_tells() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    fs::create_dir(directory.path().join("directory")).unwrap();
    std::os::unix::fs::symlink("nowhere", directory.path().join("link")).unwrap();
    std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();

    let [short, long] = both_listings(&host(directory.path()), "/");
    assert_eq!(short.len(), 4);
    assert_eq!(short, long);

    // With mounts between the entries, and below one.
    let mounts = MountFileSystem::new();
    let inner = tempfile::tempdir().unwrap();
    fs::write(inner.path().join("inner"), "").unwrap();
    mounts.mount("/", Arc::new(host(directory.path()))).unwrap();
    mounts
        .mount("/mounted", Arc::new(host(inner.path())))
        .unwrap();
    let [short, long] = both_listings(&mounts, "/");
    assert_eq!(short.len(), 5);
    assert_eq!(short, long);
    let [short, long] = both_listings(&mounts, "/mounted");
    assert_eq!(short.keys().collect::<Vec<_>>(), ["inner"]);
    assert_eq!(short, long);
    assert!(mounts.list_names_and_kinds(Path::new("/missing")).is_err());
}

#[tokio::test]
async fn a_mount_is_found_however_the_path_is_written() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    fs::write(directory.path().join("d/.file"), "content").unwrap();
    let mounts = MountFileSystem::new();
    mounts
        .mount("/a/b", Arc::new(host(directory.path())))
        .unwrap();
    for path in [
        "/a/b/d/.file",
        "a/b/d/.file",
        "//a//b/./d/.file",
        "/a/x/../b/d/.file",
        "/a/b/d/.file/",
        "/a/b/d/../d/.file",
    ] {
        assert_eq!(mounts.metadata(Path::new(path)).unwrap().len(), 7, "{path}");
    }
    for path in ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/."] {
        assert!(mounts.metadata(Path::new(path)).unwrap().is_dir(), "{path}");
    }
    for path in ["/a/d/.file", "/b/d/.file", "/a/b/d/.file2", "/a/b/.../d"] {
        assert!(mounts.metadata(Path::new(path)).is_err(), "{path}");
    }
    assert!(mounts.metadata(Path::new("/../a")).is_err());
}
