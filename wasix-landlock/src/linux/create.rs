//! Creating the files that a preopen may create, while that is still possible.
//!
//! A rule goes on an inode, so a file that doesn't exist can't have one; and a right to make files
//! in its directory would cover all of that directory.

use std::{ffi::OsString, fs::File, io, os::unix::fs::MetadataExt, path::PathBuf};

use rustix::{
    fs::{AtFlags, Mode, OFlags, openat, unlinkat},
    io::Errno,
};
use tracing::{debug, warn};

use super::resolve::{self, Missing, Opened};
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
    /// Creates a file, or opens one that has appeared in its place since it was found missing. Says
    /// which.
    pub(crate) fn create(
        &mut self,
        missing: &Missing,
        access: Access,
    ) -> io::Result<(Opened, bool)> {
        let parent = resolve::open_name(&missing.parent, DIRECTORY)?;
        // The descriptor is used for the rule only. Its access mode matters in a process that is
        // restricted already, where the kernel asks for the right to it.
        let mode = if access.read {
            OFlags::RDONLY
        } else {
            OFlags::WRONLY
        };
        let flags = mode | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let umasked = Mode::from_raw_mode(0o666);
        let (file, created) = match openat(&parent, &missing.name, flags, umasked) {
            Ok(file) => (file, true),
            // A symbolic link is opened as itself here, and refused as such by the caller.
            Err(Errno::EXIST) => (
                openat(&parent, &missing.name, AS_IT_IS, Mode::empty())?,
                false,
            ),
            Err(error) => return Err(error.into()),
        };
        let opened = resolve::describe(File::from(file), missing.path())?;
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
                let path = file.parent.join(&file.name);
                let path = path.display();
                warn!(target: "wasix_landlock", %path, %error, "can't remove a file that was created for a preopen");
            }
        }
    }
}

impl CreatedFile {
    /// Removes the file if it is still the one that was created, and empty. Anything else belongs
    /// to somebody by now.
    fn remove(&self) -> io::Result<()> {
        let parent = resolve::open_name(&self.parent, DIRECTORY)?;
        let found = match openat(&parent, &self.name, AS_IT_IS, Mode::empty()) {
            Ok(file) => File::from(file).metadata()?,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if found.is_file() && found.len() == 0 && (found.dev(), found.ino()) == self.inode {
            unlinkat(&parent, &self.name, AtFlags::empty())?;
        }
        Ok(())
    }
}

/// The flags of a file's directory, and those that open a name without following it, reading it or writing it.
const DIRECTORY: OFlags = OFlags::NOFOLLOW.union(OFlags::DIRECTORY);
const AS_IT_IS: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

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
