//! A part of another file system, of which only what is granted can be used, whichever path leads to it.
//!
//! The kernel enforces the same rights. This is the WASI layer's own check, independent of that: it answers before the host
//! is asked, and it also holds where no kernel does.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::host_backing::{HostAccess, HostBacking};
use crate::plain_path::below_root;
use crate::{
    FileOpener, FileSystem, FileType, FsError, Metadata, OpenOptions, OpenOptionsConfig, ReadDir,
    Result, VirtualFile,
};

/// A directory of a file system, with its rights.
#[derive(Debug, Clone)]
pub struct Limited {
    inner: Arc<dyn FileSystem + Send + Sync>,
    /// The directory there.
    base: PathBuf,
    access: HostAccess,
}

impl Limited {
    /// Shows the directory `base` of `inner` with `access`.
    ///
    /// Where `inner` can be narrowed, no path and no link leads out of the directory.
    pub fn new(
        inner: Arc<dyn FileSystem + Send + Sync>,
        base: impl Into<PathBuf>,
        access: HostAccess,
    ) -> Self {
        let base = base.into();
        match inner.narrowed_to(&base, access.write) {
            Some(narrowed) => Self {
                inner: narrowed,
                base: PathBuf::from("/"),
                access,
            },
            None => Self {
                inner,
                base,
                access,
            },
        }
    }

    /// `path` as `inner` has it, without a way above the directory.
    fn inside<'a>(&self, path: &'a Path) -> Cow<'a, Path> {
        if self.base == Path::new("/") && path.has_root() && below_root(path).is_some() {
            return Cow::Borrowed(path);
        }
        let mut inside = PathBuf::new();
        for component in path.components() {
            match component {
                std::path::Component::Normal(part) => inside.push(part),
                std::path::Component::ParentDir => {
                    inside.pop();
                }
                _ => {}
            }
        }
        // Joining an empty path would add a slash at the end.
        Cow::Owned(if inside == Path::new("") {
            self.base.clone()
        } else {
            self.base.join(inside)
        })
    }
}

/// Checks that an access is allowed. In the build for tests of the kernel alone everything is: the kernel decides.
pub(crate) fn may(allowed: bool) -> Result<()> {
    if allowed || cfg!(landlock_kernel_alone) {
        Ok(())
    } else {
        Err(FsError::PermissionDenied)
    }
}

/// Checks that an open asks for no more than `access`. Creating is not looked at: whether an open creates
/// depends on what is there.
pub(crate) fn may_open(access: HostAccess, conf: &OpenOptionsConfig) -> Result<()> {
    let writes = conf.write() || conf.append() || conf.truncate();
    may((!conf.read() || access.read) && (!writes || access.write))
}

impl FileSystem for Limited {
    fn host_backing(&self) -> Vec<HostBacking> {
        let inner = self.inner.host_backing().into_iter();
        inner
            .filter_map(|backing| Some(backing.below(&self.base)?.limited_to(self.access)))
            .collect()
    }

    #[cfg(all(target_os = "linux", feature = "host-fs"))]
    fn host_place(&self, path: &Path) -> Option<crate::host_directory::HostPlace> {
        let place = self.inner.host_place(&self.inside(path))?;
        Some(crate::host_directory::HostPlace {
            directory: place.directory.limited_to(self.access),
            ..place
        })
    }

    fn narrowed_to(
        &self,
        path: &Path,
        removable: bool,
    ) -> Option<Arc<dyn FileSystem + Send + Sync>> {
        let removable = removable && self.access.write;
        let inner = self.inner.narrowed_to(&self.inside(path), removable)?;
        Some(Arc::new(Self {
            inner,
            base: PathBuf::from("/"),
            access: self.access,
        }))
    }

    fn readlink(&self, path: &Path) -> Result<PathBuf> {
        self.inner.readlink(&self.inside(path))
    }

    fn read_dir(&self, path: &Path) -> Result<ReadDir> {
        may(self.access.read)?;
        let mut found = self.inner.read_dir(&self.inside(path))?;
        for entry in &mut found.data {
            if let Ok(inside) = entry.path.strip_prefix(&self.base) {
                entry.path = Path::new("/").join(inside);
            }
        }
        Ok(found)
    }

    fn list_names_and_kinds(&self, path: &Path) -> Result<Vec<(OsString, FileType)>> {
        may(self.access.read)?;
        self.inner.list_names_and_kinds(&self.inside(path))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        may(self.access.create)?;
        self.inner.create_dir(&self.inside(path))
    }

    fn create_symlink(&self, source: &Path, target: &Path) -> Result<()> {
        may(self.access.create)?;
        self.inner.create_symlink(source, &self.inside(target))
    }

    fn hard_link(&self, source: &Path, target: &Path) -> Result<()> {
        may(self.access.create)?;
        self.inner
            .hard_link(&self.inside(source), &self.inside(target))
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        may(self.access.write)?;
        self.inner.remove_dir(&self.inside(path))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            may(self.access.write && self.access.create)?;
            let (from, to) = (self.inside(from), self.inside(to));
            self.inner.rename(&from, &to).await
        })
    }

    fn metadata(&self, path: &Path) -> Result<Metadata> {
        self.inner.metadata(&self.inside(path))
    }

    fn symlink_metadata(&self, path: &Path) -> Result<Metadata> {
        self.inner.symlink_metadata(&self.inside(path))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        may(self.access.write)?;
        self.inner.remove_file(&self.inside(path))
    }

    fn new_open_options(&self) -> OpenOptions<'_> {
        OpenOptions::new(self)
    }
}

impl FileOpener for Limited {
    fn open(
        &self,
        path: &Path,
        conf: &OpenOptionsConfig,
    ) -> Result<Box<dyn VirtualFile + Send + Sync + 'static>> {
        may_open(self.access, conf)?;
        let path = self.inside(path);
        let mut conf = conf.clone();
        if may(self.access.create).is_err() && (conf.create || conf.create_new) {
            // With `create`, an open of what is there already is still fine.
            if conf.create_new || self.inner.symlink_metadata(&path).is_err() {
                return Err(FsError::PermissionDenied);
            }
            conf.create = false;
        }
        self.inner.new_open_options().options(conf).open(&path)
    }
}
