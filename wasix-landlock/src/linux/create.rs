//! Creating the files that a preopen may create, while that is still possible.
//!
//! A rule goes on an inode, so a file that doesn't exist can't have one; and a right to make files
//! in its directory would cover all of that directory.

use std::{
    ffi::{CString, OsString},
    fs::{File, OpenOptions},
    io,
    os::{
        fd::AsFd,
        unix::{
            ffi::OsStrExt,
            fs::{MetadataExt, OpenOptionsExt},
        },
    },
    path::{Path, PathBuf},
};

use tracing::{debug, warn};

use super::{
    resolve::{self, Missing, Opened},
    sys,
};
use crate::Access;

/// The files a policy has created. Dropping this removes them.
#[derive(Debug, Default)]
pub(crate) struct CreatedFiles(Vec<CreatedFile>);

#[derive(Debug)]
struct CreatedFile {
    parent: PathBuf,
    name: OsString,
    inode: (u64, u64),
}

impl CreatedFiles {
    /// Creates a file, or opens what has appeared in its place since it was found missing. Says
    /// which.
    pub(crate) fn create(
        &mut self,
        missing: &Missing,
        access: Access,
    ) -> io::Result<(Opened, bool)> {
        let parent = open_directory(&missing.parent)?;
        let name = c_name(&missing.name)?;
        // The descriptor is used for the rule only. What it is opened for matters in a process
        // that is restricted already, where the kernel asks for the right to that.
        let flags = if access.read {
            libc::O_RDONLY
        } else {
            libc::O_WRONLY
        };
        let (file, created) = match sys::create_at(parent.as_fd(), &name, flags) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // A symbolic link is opened as itself here, and refused as such by the caller.
                let flags = libc::O_PATH | libc::O_NOFOLLOW;
                (sys::open_at(parent.as_fd(), &name, flags)?, false)
            }
            Err(error) => return Err(error),
        };
        let opened = resolve::describe(file, missing.path())?;
        if created {
            self.0.push(CreatedFile {
                parent: missing.parent.clone(),
                name: missing.name.clone(),
                inode: opened.inode,
            });
            debug!(target: "wasix_landlock", path = %missing.path().display(), "created");
        }
        Ok((opened, created))
    }

    /// Leaves the files where they are.
    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for CreatedFiles {
    fn drop(&mut self) {
        for file in self.0.drain(..) {
            if let Err(error) = file.remove() {
                warn!(
                    target: "wasix_landlock",
                    path = %file.parent.join(&file.name).display(),
                    %error,
                    "a file that was created can't be removed"
                );
            }
        }
    }
}

impl CreatedFile {
    /// Removes the file if it is still the one that was created, and empty. Anything else belongs
    /// to somebody by now.
    fn remove(&self) -> io::Result<()> {
        let parent = open_directory(&self.parent)?;
        let name = c_name(&self.name)?;
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let found = match sys::open_at(parent.as_fd(), &name, flags) {
            Ok(file) => file.metadata()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if found.is_file() && found.len() == 0 && (found.dev(), found.ino()) == self.inode {
            sys::unlink_at(parent.as_fd(), &name)?;
        }
        Ok(())
    }
}

fn open_directory(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(path)
}

fn c_name(name: &OsString) -> io::Result<CString> {
    Ok(CString::new(name.as_bytes())?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn missing(parent: &Path, name: &str) -> Missing {
        Missing {
            parent: parent.to_owned(),
            name: name.into(),
        }
    }

    #[test]
    fn a_file_that_has_appeared_is_taken_as_it_is_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "").unwrap();
        let mut files = CreatedFiles::default();
        let (opened, created) = files
            .create(&missing(directory.path(), "file"), Access::ALL)
            .unwrap();
        assert!(!created);
        assert_eq!(opened.inode.1, fs::metadata(&path).unwrap().ino());
        drop(files);
        assert!(path.exists());
    }

    #[test]
    fn a_link_that_has_appeared_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = directory.path().join("elsewhere");
        symlink(&elsewhere, directory.path().join("file")).unwrap();
        let (opened, created) = CreatedFiles::default()
            .create(&missing(directory.path(), "file"), Access::ALL)
            .unwrap();
        assert!(!created);
        assert_eq!(opened.special, Some("symbolic link"));
        assert!(!elsewhere.exists());
    }
}
