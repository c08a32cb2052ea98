//! The file system in memory: bounded, and changed by several threads at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use virtual_fs::limiter::FsMemoryLimiter;
use virtual_fs::mem_fs::FileSystem;
use virtual_fs::memory_bound::DEFAULT_BYTES;
use virtual_fs::{FileSystem as _, FsError, VirtualFile};

fn open(fs: &FileSystem, path: &str) -> Result<Box<dyn VirtualFile + Send + Sync>, FsError> {
    let mut options = fs.new_open_options();
    options.read(true).write(true).create(true).open(path)
}

#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl FsMemoryLimiter for Counting {
    fn on_grow(&self, bytes: usize) -> Result<(), FsError> {
        self.0.fetch_add(bytes, Ordering::SeqCst);
        Ok(())
    }

    fn on_shrink(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_write_far_behind_the_end_is_storage_full_without_a_limiter() {
    let fs = FileSystem::default();
    let mut file = open(&fs, "/f").expect("there is room");
    for offset in [DEFAULT_BYTES as u64, 1_000_000_000_000, 1 << 62] {
        let sought = file.seek(std::io::SeekFrom::Start(offset)).await;
        sought.expect("a seek asks for no room");
        let error = file.write(b"x").await.expect_err("there is no room");
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "at {offset}");
        assert_eq!(file.set_len(offset + 1), Err(FsError::StorageFull));
    }
    assert_eq!(file.size(), 0);
    // The file is as it was.
    file.seek(std::io::SeekFrom::Start(0)).await.expect("back");
    file.write_all(b"there is room").await.expect("written");
    assert_eq!(file.size(), 13);
}

#[tokio::test]
async fn a_limiter_counts_the_bytes_that_are_there() {
    let fs = FileSystem::default();
    let counting = Arc::new(Counting::default());
    fs.set_memory_limiter(counting.clone());
    fs.bound_memory(1);
    let counted = || counting.0.load(Ordering::SeqCst);
    let mut file = open(&fs, "/f").expect("made");
    file.write_all(&[1; 1000]).await.expect("written");
    assert_eq!(counted(), 1000);
    file.set_len(5000).expect("a hole is counted too");
    assert_eq!(counted(), 5000);
    file.set_len(10).expect("cut");
    assert_eq!(counted(), 10);
    drop(file);
    fs.remove_file(Path::new("/f")).expect("removed");
    assert_eq!(counted(), 0);
}

#[tokio::test]
async fn a_bound_is_for_all_files_together_and_what_is_removed_makes_room() {
    let fs = FileSystem::default();
    fs.bound_memory(100);
    let mut one = open(&fs, "/one").expect("made");
    one.write_all(&[1; 60]).await.expect("written");
    let mut two = open(&fs, "/two").expect("made");
    two.write_all(&[1; 60]).await.expect_err("full");
    drop(one);
    fs.remove_file(Path::new("/one")).expect("removed");
    two.write_all(&[1; 60]).await.expect("written");
}

#[test]
fn names_and_targets_are_as_long_as_on_linux() {
    let fs = FileSystem::default();
    let name = |length: usize| PathBuf::from(format!("/{}", "n".repeat(length)));
    assert_eq!(fs.create_dir(&name(255)), Ok(()));
    assert_eq!(fs.create_dir(&name(256)), Err(FsError::InvalidInput));
    let link = |length| fs.create_symlink(&name(length), Path::new("/link"));
    assert_eq!(link(4095), Err(FsError::InvalidInput));
    assert_eq!(link(4094), Ok(()));
}

#[tokio::test]
async fn a_file_that_was_renamed_over_keeps_its_contents_while_it_is_open() {
    let fs = FileSystem::default();
    let mut old = open(&fs, "/old").expect("made");
    old.write_all(b"old").await.expect("written");
    open(&fs, "/new").expect("made");
    let renamed = fs.rename(Path::new("/new"), Path::new("/old")).await;
    assert_eq!(renamed, Ok(()));
    let mut other = open(&fs, "/other").expect("made");
    other.write_all(b"something else").await.expect("written");
    assert_eq!(old.size(), 3);
    let renamed = fs.rename(Path::new("/old"), Path::new("/old")).await;
    assert_eq!(renamed, Ok(()));
    assert!(fs.metadata(Path::new("/old")).is_ok());
}

/// Six threads that make, rename and remove the same few names.
#[test]
fn threads_that_race_for_names_panic_nowhere_and_poison_no_lock() {
    const NAMES: [&str; 8] = ["/a", "/b", "/c", "/d", "/d/a", "/d/b", "/e", "/e/a"];
    let fs = FileSystem::default();
    std::thread::scope(|scope| {
        for thread in 0..6_usize {
            let fs = &fs;
            scope.spawn(move || {
                let mut seed = thread * 7919 + 12345;
                let mut next = |below: usize| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 33) % below
                };
                for _ in 0..20_000 {
                    let (a, b) = (NAMES[next(8)], NAMES[next(8)]);
                    let (from, to) = (Path::new(a), Path::new(b));
                    match next(7) {
                        0 | 1 => drop(open(fs, a)),
                        2 => drop(fs.remove_file(from)),
                        3 => drop(fs.create_dir(from)),
                        4 => drop(fs.remove_dir(from)),
                        5 => drop(futures::executor::block_on(fs.rename(from, to))),
                        _ => drop(fs.create_symlink(to, from)),
                    }
                }
            });
        }
    });
    // Nothing has two entries of the same name, and everything can still be done.
    let listed = fs
        .read_dir(Path::new("/"))
        .expect("the lock isn't poisoned");
    let mut names: Vec<_> = listed.map(|entry| entry.expect("an entry").path).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
    assert_eq!(fs.create_dir(Path::new("/end")), Ok(()));
}
