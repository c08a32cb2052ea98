//! Preopens of the host's files and directories themselves.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use wasix_landlock::{Access, HostKind};

use crate::WasiStateCreationError;
use crate::profile;
use crate::state::PreopenedDir;

/// Describes one host file or directory that the module may use, and how.
///
/// Nothing is allowed until it is said: set at least one of [`read`](Self::read), [`write`](Self::write) and
/// [`create`](Self::create).
///
/// # Example
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wasmer_wasix::landlock::WasiState;
///
/// let env = WasiState::new("report")
///     .preopen(|p| p.directory("/srv/data").alias("/data").read(true))?
///     .preopen(|p| p.path("/srv/out/report.txt").alias("/report.txt").create(true))?
///     .preopen(|p| p.path("/srv/out/state").alias("/state").read(true).write(true))?
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct HostPreopenBuilder {
    host: Option<(PathBuf, HostKind)>,
    alias: Option<String>,
    access: Access,
}

impl HostPreopenBuilder {
    /// A single host file. With [`create`](Self::create) it need not exist: it is made, empty, at `build()`,
    /// since the kernel's rule is on the file itself. A module can't remove or replace it, and if it is
    /// never written, it stays behind, empty.
    ///
    /// [Example](HostPreopenBuilder#example).
    pub fn path(&mut self, file: impl AsRef<Path>) -> &mut Self {
        self.host = Some((file.as_ref().to_owned(), HostKind::File));
        self
    }

    /// A host directory, with all below it.
    ///
    /// [Example](HostPreopenBuilder#example).
    pub fn directory(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.host = Some((directory.as_ref().to_owned(), HostKind::Directory));
        self
    }

    /// Sets the name inside; without it, the host path. A relative path counts from the module's current
    /// directory.
    ///
    /// [Example](HostPreopenBuilder#example).
    pub fn alias(&mut self, alias: &str) -> &mut Self {
        self.alias = Some(alias.to_owned());
        self
    }

    /// May files be read, and directories listed?
    ///
    /// [Example](HostPreopenBuilder#example).
    pub fn read(&mut self, toggle: bool) -> &mut Self {
        self.access.read = toggle;
        self
    }

    /// May files be changed, and a directory's entries be removed?
    ///
    /// [Example](HostPreopenBuilder#example).
    pub fn write(&mut self, toggle: bool) -> &mut Self {
        self.access.write = toggle;
        self
    }

    /// May the file, or entries of the directory, be made? Implies `write`, as upstream's builder has it.
    ///
    /// [Example](HostPreopenBuilder#example).
    pub fn create(&mut self, toggle: bool) -> &mut Self {
        self.access.create = toggle;
        if toggle {
            self.access.write = true;
        }
        self
    }

    /// Looks at what can be seen without the host.
    pub(crate) fn check(&self) -> Result<(), WasiStateCreationError> {
        self.build().map(drop)
    }

    /// The same as an entry of a profile.
    pub(crate) fn as_entry(&self) -> Result<profile::Preopen, WasiStateCreationError> {
        let preopen = self.build()?;
        Ok(profile::Preopen {
            host: preopen.host,
            guest: self.alias.clone(),
            kind: match preopen.kind {
                HostKind::File => profile::Kind::File,
                _ => profile::Kind::Directory,
            },
            read: preopen.access.read,
            write: preopen.access.write,
            create: preopen.access.create,
        })
    }

    pub(crate) fn build(&self) -> Result<HostPreopen, WasiStateCreationError> {
        let Some((host, kind)) = self.host.clone() else {
            return Err(error(
                "a preopen needs a host path: call `path` for a file or `directory`",
            ));
        };
        if self.access.is_empty() {
            return Err(error(format!(
                "the preopen `{}` allows nothing: set at least one of read, write, create",
                host.display()
            )));
        }
        let guest = match &self.alias {
            Some(alias) => alias.clone(),
            None => match host.to_str() {
                Some(path) => path.to_owned(),
                None => {
                    return Err(error(format!(
                        "the host path `{}` is not UTF-8, so it can't be its own name inside: give it an alias",
                        host.display()
                    )));
                }
            },
        };
        check_guest(&guest)?;
        Ok(HostPreopen {
            host,
            kind,
            guest,
            access: self.access,
        })
    }
}

fn check_guest(guest: &str) -> Result<(), WasiStateCreationError> {
    let problem = if guest.is_empty() {
        "is empty"
    } else if guest.contains('\0') {
        "contains a NUL byte"
    } else if Path::new(guest)
        .components()
        .any(|part| part == Component::ParentDir)
    {
        "contains `..`, which has no fixed meaning inside: give it an alias"
    } else {
        return Ok(());
    };
    Err(error(format!(
        "the name of the preopen `{}` {problem}",
        guest.escape_debug()
    )))
}

fn error(message: impl Into<String>) -> WasiStateCreationError {
    WasiStateCreationError::PreopenedDirectoryError(message.into())
}

/// A host file or directory, and what it is called inside.
#[derive(Debug, Clone)]
pub(crate) struct HostPreopen {
    pub(crate) host: PathBuf,
    pub(crate) kind: HostKind,
    /// As given; relative to the module's current directory.
    pub(crate) guest: String,
    pub(crate) access: Access,
}

impl HostPreopen {
    /// The directory through which the module reaches it: a directory itself, and the one that a file shows
    /// in. It is virtual, so its rights are wide; what stands at the host path has its own.
    pub(crate) fn guest_directory(&self, current_dir: Option<&Path>) -> PreopenedDir {
        let mut path = self.mount_point(current_dir);
        let mut name = Path::new(&self.guest);
        let access = match self.kind {
            HostKind::File => {
                path.pop();
                name = name.parent().unwrap_or(name);
                Access::ALL
            }
            _ => self.access,
        };
        let alias = match name.to_string_lossy() {
            name if name.starts_with('/') => None,
            name if name.is_empty() => Some(".".to_owned()),
            name => Some(name.into_owned()),
        };
        PreopenedDir {
            path,
            alias,
            read: access.read,
            write: access.write,
            create: access.create,
        }
    }

    /// Returns the mount point in the virtual tree.
    pub(crate) fn mount_point(&self, current_dir: Option<&Path>) -> PathBuf {
        let mut point = PathBuf::from("/");
        let base = current_dir.unwrap_or(Path::new("/"));
        for part in base.join(&self.guest).components() {
            if let Component::Normal(part) = part {
                point.push(part);
            }
        }
        point
    }
}

impl PreopenedDir {
    /// The name inside.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        match &self.alias {
            Some(alias) => alias.into(),
            None => self.path.to_string_lossy(),
        }
    }

    /// Gives it the rights of another one of the same name, too.
    pub(crate) fn widen(&mut self, other: &Self) {
        self.read |= other.read;
        self.write |= other.write;
        self.create |= other.create;
    }
}
