//! One host directory, or one single host file, with nothing around it, and with its rights.
//!
//! The kernel enforces the same rights. This is the second, independent layer: it answers before the host
//! is asked, and it also holds where no kernel does.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::fs;
use std::path::{Path, PathBuf};

use futures::future::BoxFuture;
use tokio::runtime::Handle;

use crate::host_backing::{HostAccess, HostBacking};
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
        vec![HostBacking::root(&self.host, self.access)]
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
        check(self.access, conf)?;
        let append = conf.append() && !conf.truncate();
        let file = fs::OpenOptions::new()
            .read(conf.read())
            .write(conf.write())
            .append(append)
            .truncate(conf.truncate())
            .open(&self.host)?;
        Ok(Box::new(host_fs::File::new(
            self.handle.clone(),
            file,
            self.host.clone(),
            conf.read(),
            conf.write(),
            append,
        )))
    }
}

/// A host directory of which only what is granted can be used.
#[derive(Debug, Clone)]
pub struct HostDirectory {
    inner: host_fs::FileSystem,
    access: HostAccess,
}

impl HostDirectory {
    /// Shows the host directory `host` with `access`. `handle` runs the files' asynchronous reads and writes.
    ///
    /// # Errors
    /// [`FsError::InvalidInput`] if there is no such directory.
    pub fn new(handle: Handle, host: impl Into<PathBuf>, access: HostAccess) -> Result<Self> {
        let inner = host_fs::FileSystem::new(handle, host)?;
        Ok(Self { inner, access })
    }

    fn may(&self, allowed: bool) -> Result<()> {
        if allowed {
            Ok(())
        } else {
            Err(FsError::PermissionDenied)
        }
    }
}

impl FileSystem for HostDirectory {
    fn host_backing(&self) -> Vec<HostBacking> {
        let inner = self.inner.host_backing().into_iter();
        inner.map(|b| b.limited_to(self.access)).collect()
    }

    fn readlink(&self, path: &Path) -> Result<PathBuf> {
        self.inner.readlink(path)
    }

    fn read_dir(&self, path: &Path) -> Result<ReadDir> {
        self.may(self.access.read)?;
        self.inner.read_dir(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.may(self.access.create)?;
        self.inner.create_dir(path)
    }

    fn create_symlink(&self, source: &Path, target: &Path) -> Result<()> {
        self.may(self.access.create)?;
        self.inner.create_symlink(source, target)
    }

    fn hard_link(&self, source: &Path, target: &Path) -> Result<()> {
        self.may(self.access.create)?;
        self.inner.hard_link(source, target)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.may(self.access.write)?;
        self.inner.remove_dir(path)
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.may(self.access.write && self.access.create)?;
            self.inner.rename(from, to).await
        })
    }

    fn metadata(&self, path: &Path) -> Result<Metadata> {
        self.inner.metadata(path)
    }

    fn symlink_metadata(&self, path: &Path) -> Result<Metadata> {
        self.inner.symlink_metadata(path)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.may(self.access.write)?;
        self.inner.remove_file(path)
    }

    fn new_open_options(&self) -> OpenOptions<'_> {
        OpenOptions::new(self)
    }
}

impl FileOpener for HostDirectory {
    fn open(
        &self,
        path: &Path,
        conf: &OpenOptionsConfig,
    ) -> Result<Box<dyn VirtualFile + Send + Sync + 'static>> {
        check(self.access, conf)?;
        let mut conf = conf.clone();
        if !self.access.create && (conf.create || conf.create_new) {
            // With `create`, an open of what is there already is still fine.
            if conf.create_new || self.inner.symlink_metadata(path).is_err() {
                return Err(FsError::PermissionDenied);
            }
            conf.create = false;
        }
        self.inner.new_open_options().options(conf).open(path)
    }
}

/// Whether an open asks for no more than `access`. Creating is not looked at: whether an open creates
/// depends on what is there.
fn check(access: HostAccess, conf: &OpenOptionsConfig) -> Result<()> {
    let reads = conf.read();
    let writes = conf.write() || conf.append() || conf.truncate();
    if (reads && !access.read) || (writes && !access.write) {
        return Err(FsError::PermissionDenied);
    }
    Ok(())
}
