//! File systems that an application has written itself.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use futures::future::BoxFuture;
use virtual_fs::{
    FileOpener, FileSystem, HostBacking, Metadata, OpenOptions, OpenOptionsConfig, ReadDir, Result,
    VirtualFile,
};
use wasix_landlock_testing::{
    ask::{self, Answer},
    threads,
};

use super::host::AnyFileSystem;

/// A receiver of the requests to a file system.
type Asked = Arc<dyn Fn(&Path) + Send + Sync>;

/// A file system that the fork doesn't know, around one that it may know.
#[derive(Clone)]
pub struct Custom {
    inner: AnyFileSystem,
    backing: Vec<HostBacking>,
    asked: Option<Asked>,
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom")
    }
}

impl Custom {
    /// Doesn't say what stands behind it.
    pub fn silent(inner: AnyFileSystem) -> Self {
        Self {
            inner,
            backing: Vec::new(),
            asked: None,
        }
    }

    /// Says what stands behind it.
    pub fn saying(inner: AnyFileSystem, backing: HostBacking) -> Self {
        Self {
            backing: vec![backing],
            ..Self::silent(inner)
        }
    }

    /// Calls `asked` with each path that it is asked for, on the thread that asks.
    pub fn calling(inner: AnyFileSystem, asked: impl Fn(&Path) + Send + Sync + 'static) -> Self {
        Self {
            asked: Some(Arc::new(asked)),
            ..Self::silent(inner)
        }
    }

    fn asked(&self, path: &Path) -> &AnyFileSystem {
        if let Some(asked) = &self.asked {
            asked(path);
        }
        &self.inner
    }
}

impl FileSystem for Custom {
    fn host_backing(&self) -> Vec<HostBacking> {
        self.backing.clone()
    }

    fn readlink(&self, path: &Path) -> Result<PathBuf> {
        self.inner.readlink(path)
    }

    fn read_dir(&self, path: &Path) -> Result<ReadDir> {
        self.inner.read_dir(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.inner.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.inner.remove_dir(path)
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> BoxFuture<'a, Result<()>> {
        self.inner.rename(from, to)
    }

    fn metadata(&self, path: &Path) -> Result<Metadata> {
        self.asked(path).metadata(path)
    }

    fn symlink_metadata(&self, path: &Path) -> Result<Metadata> {
        self.asked(path).symlink_metadata(path)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.inner.remove_file(path)
    }

    fn new_open_options(&self) -> OpenOptions<'_> {
        OpenOptions::new(self)
    }
}

impl FileOpener for Custom {
    fn open(
        &self,
        path: &Path,
        conf: &OpenOptionsConfig,
    ) -> Result<Box<dyn VirtualFile + Send + Sync + 'static>> {
        let inner = self.asked(path);
        inner.new_open_options().options(conf.clone()).open(path)
    }
}

/// The abilities of a thread that a module ran on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The thread's number.
    pub thread: i32,
    /// The kernel's answer to opening the file that nobody granted.
    pub answer: Answer,
}

/// A file system that, whenever a module asks for something in it, opens a host file on the module's thread.
#[derive(Clone)]
pub struct Probe {
    forbidden: PathBuf,
    seen: Arc<Mutex<Vec<(PathBuf, Seen)>>>,
}

impl Probe {
    /// `forbidden` is the host file.
    pub fn new(forbidden: impl Into<PathBuf>) -> Self {
        let forbidden = forbidden.into();
        assert_eq!(ask::open_read(&forbidden), Ok(()));
        Self {
            forbidden,
            seen: Arc::default(),
        }
    }

    pub fn file_system(&self) -> AnyFileSystem {
        let Self { forbidden, seen } = self.clone();
        let record = move |path: &Path| {
            let found = Seen {
                thread: threads::current(),
                answer: ask::open_read(&forbidden),
            };
            seen.lock().unwrap().push((path.to_owned(), found));
        };
        Arc::new(Custom::calling(
            Arc::new(virtual_fs::TmpFileSystem::new()),
            record,
        ))
    }

    /// Returns the abilities seen when a module asked for `path`, by thread.
    #[track_caller]
    pub fn seen_at(&self, path: &str) -> Vec<Seen> {
        let mut seen: Vec<Seen> = Vec::new();
        for (at, found) in self.seen.lock().unwrap().iter() {
            if at == Path::new(path) && !seen.contains(found) {
                seen.push(found.clone());
            }
        }
        assert!(!seen.is_empty(), "no module has asked for {path}");
        seen
    }
}
