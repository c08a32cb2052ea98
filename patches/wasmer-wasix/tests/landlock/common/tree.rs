//! Directories and files on the host, of which some are granted.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use wasix_landlock::Access;
use wasix_landlock_testing::ask;

use super::DENIED;

/// A temporary directory with two directories to grant, `granted` and `also`, and one to leave out,
/// `outside`. In each there is a file `file`, and below it `sub/file`.
pub struct Tree {
    directory: TempDir,
}

impl Tree {
    pub fn new() -> Self {
        let tree = Self {
            directory: TempDir::new().unwrap(),
        };
        for name in ["granted", "also", "outside"] {
            let directory = tree.path(name);
            fs::create_dir_all(directory.join("sub")).unwrap();
            fs::write(directory.join("file"), "content").unwrap();
            fs::write(directory.join("sub/file"), "content").unwrap();
        }
        assert_granted(&tree.granted(), Access::ALL);
        assert_granted(&tree.also(), Access::ALL);
        assert_granted(&tree.outside(), Access::ALL);
        tree
    }

    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn granted(&self) -> PathBuf {
        self.path("granted")
    }

    pub fn also(&self) -> PathBuf {
        self.path("also")
    }

    pub fn outside(&self) -> PathBuf {
        self.path("outside")
    }

    /// The kernel grants this on `granted`, and nothing beside it.
    pub fn assert_only_granted(&self, access: Access) {
        assert_granted(&self.granted(), access);
        assert_refused(&self.also());
        assert_refused(&self.outside());
        assert_eq!(ask::open_read(self.root()), DENIED);
    }
}

/// The kernel grants exactly this on the directory, and leaves it as it was: asked of the kernel by this
/// process itself, in the place of a runtime with a bug.
#[track_caller]
pub fn assert_granted(directory: &Path, access: Access) {
    let (file, below) = (directory.join("file"), directory.join("sub/file"));
    for path in [directory, &file, &directory.join("sub"), &below] {
        check(access.read, ask::open_read(path), "read", path);
    }
    for path in [&file, &below] {
        check(access.write, ask::open_write(path), "write", path);
    }
    let empty = directory.join("made-file");
    check(access.create, ask::create_new(&empty), "create", &empty);
    let made = directory.join("made-directory");
    check(access.create, ask::make_directory(&made), "make", &made);
    let link = directory.join("made-link");
    check(
        access.create,
        ask::make_symlink("file", &link),
        "link",
        &link,
    );
    // What was made is removed again, where that is allowed.
    if access.create && access.write {
        assert_eq!(ask::truncate(&empty), Ok(()));
        assert_eq!(ask::unlink(&empty), Ok(()));
        assert_eq!(ask::unlink(&link), Ok(()));
        assert_eq!(ask::remove_directory(&made), Ok(()));
    }
    if !access.write {
        assert_eq!(ask::truncate(&file), DENIED, "truncate {}", file.display());
        assert_eq!(ask::unlink(&file), DENIED, "unlink {}", file.display());
    }
    assert_eq!(fs::metadata(&file).unwrap().len(), 7);
}

/// The kernel grants nothing of the directory.
#[track_caller]
pub fn assert_refused(directory: &Path) {
    assert_granted(directory, Access::NONE);
}

#[track_caller]
fn check(allowed: bool, answer: ask::Answer, what: &str, path: &Path) {
    let expected = if allowed { Ok(()) } else { DENIED };
    assert_eq!(answer, expected, "{what} {}", path.display());
}

/// True if the kernel lets this file be read and written.
#[track_caller]
pub fn assert_file(path: &Path, access: Access) {
    check(access.read, ask::open_read(path), "read", path);
    check(access.write, ask::open_write(path), "write", path);
    // Without changing a file that may be changed.
    if !access.write {
        assert_eq!(ask::truncate(path), DENIED, "truncate {}", path.display());
    }
}
