//! One single host file, with nothing around it, and with its rights.
//!
//! The kernel enforces the same rights. This is the second, independent layer: it answers before the host
//! is asked, and it also holds where no kernel does. A host directory with its rights is a
//! [`Limited`](crate::limited::Limited) one.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::fs;
use std::path::{Path, PathBuf};

use futures::future::BoxFuture;
use tokio::runtime::Handle;

use crate::host_backing::{HostAccess, HostBacking};
use crate::limited::may_open;
use crate::{
    FileOpener, FileSystem, FsError, Metadata, OpenOptions, OpenOptionsConfig, ReadDir, Result,
    VirtualFile, host_fs,
};

/// A single host file, as a file system whose root is that file.
///
/// Mounted at a path, the file shows there, and nothing else does: it has no neighbours, can't be replaced,
/// renamed, linked or removed.
#[derive(Debug, Clone)]
pub struct HostFile {
    handle: Handle,
    host: PathBuf,
    access: HostAccess,
}

impl HostFile {
    /// Shows the host file `host`, which need not exist yet, with `access`.
    ///
    /// `handle` runs the file's asynchronous reads and writes.
    pub fn new(handle: Handle, host: impl Into<PathBuf>, access: HostAccess) -> Self {
        Self {
            handle,
            host: host.into(),
            access,
        }
    }

    fn metadata_of(
        &self,
        path: &Path,
        ask: fn(&Path) -> std::io::Result<fs::Metadata>,
    ) -> Result<Metadata> {
        if !is_root(path) {
            return Err(FsError::BaseNotDirectory);
        }
        let metadata = ask(&self.host)?;
        Ok(metadata.try_into()?)
    }
}

fn is_root(path: &Path) -> bool {
    path == Path::new("/") || path == Path::new("")
}

impl FileSystem for HostFile {
    fn host_backing(&self) -> Vec<HostBacking> {
        vec![HostBacking::root(&self.host, self.access).served_by(&self.handle)]
    }

    #[cfg(target_os = "linux")]
    fn host_place(&self, path: &Path) -> Option<crate::host_directory::HostPlace> {
        use crate::host_directory::{HostDirectory, HostPlace};
        is_root(path).then(|| HostPlace {
            directory: HostDirectory::single_file(&self.host, self.access),
            path: PathBuf::new(),
        })
    }

    fn readlink(&self, _path: &Path) -> Result<PathBuf> {
        Err(FsError::InvalidInput)
    }

    fn read_dir(&self, _path: &Path) -> Result<ReadDir> {
        Err(FsError::BaseNotDirectory)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        Err(if is_root(path) {
            // Not `AlreadyExists`: whoever mounts this takes it to mean that there is such a directory now.
            FsError::PermissionDenied
        } else {
            FsError::BaseNotDirectory
        })
    }

    fn remove_dir(&self, _path: &Path) -> Result<()> {
        Err(FsError::BaseNotDirectory)
    }

    fn rename<'a>(&'a self, _from: &'a Path, _to: &'a Path) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Err(FsError::PermissionDenied) })
    }

    fn metadata(&self, path: &Path) -> Result<Metadata> {
        self.metadata_of(path, |host| fs::metadata(host))
    }

    fn symlink_metadata(&self, path: &Path) -> Result<Metadata> {
        self.metadata(path)
    }

    fn remove_file(&self, _path: &Path) -> Result<()> {
        Err(FsError::PermissionDenied)
    }

    fn new_open_options(&self) -> OpenOptions<'_> {
        OpenOptions::new(self)
    }
}

impl FileOpener for HostFile {
    fn open(
        &self,
        path: &Path,
        conf: &OpenOptionsConfig,
    ) -> Result<Box<dyn VirtualFile + Send + Sync + 'static>> {
        if !is_root(path) {
            return Err(FsError::BaseNotDirectory);
        }
        // The file was made when it was granted. One that is missing now was removed by somebody else, and
        // a new one in its place would have no rule.
        if conf.create_new() {
            return Err(FsError::AlreadyExists);
        }
        may_open(self.access, conf)?;
        let append = conf.append() && !conf.truncate();
        let file = fs::OpenOptions::new()
            .read(conf.read())
            .write(conf.write())
            .append(append)
            .truncate(conf.truncate())
            .open(&self.host)?;
        let mut file = host_fs::File::new(
            self.handle.clone(),
            file,
            self.host.clone(),
            conf.read(),
            conf.write(),
            append,
        );
        file.removable = false;
        Ok(Box::new(file))
    }
}
