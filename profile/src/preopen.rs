//! A grant of a host file or directory.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use wasix_landlock::{Access, HostKind};

use crate::PreopenError;

/// A host file or directory that a module may use, and how: the one form of a grant, in a builder, a profile and a
/// worker's request.
///
/// [Example](HostPreopenBuilder#example).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "PreopenTable", into = "PreopenTable")]
#[schemars(with = "PreopenTable")]
pub struct HostPreopen {
    /// The host path. A relative path counts from the current directory of the program.
    pub host: PathBuf,
    /// The name inside, relative to the module's current directory; the host path unless given.
    pub guest: Option<String>,
    /// [`HostKind::File`] or [`HostKind::Directory`], with all below it.
    pub kind: HostKind,
    /// The access that is allowed.
    pub access: Access,
}

impl HostPreopen {
    /// The name inside.
    ///
    /// # Errors
    /// [`PreopenError::NotUtf8`] for a host path that can't be its own name inside.
    pub fn guest_name(&self) -> Result<&str, PreopenError> {
        match &self.guest {
            Some(guest) => Ok(guest),
            None => self.host.to_str().ok_or_else(|| PreopenError::NotUtf8 {
                host: self.host.clone(),
            }),
        }
    }

    /// Checks all that can be checked without a look at the host.
    ///
    /// # Errors
    /// [`PreopenError`].
    pub fn check(&self) -> Result<(), PreopenError> {
        let host = || self.host.clone();
        if self.kind == HostKind::Either {
            return Err(PreopenError::NoKind { host: host() });
        }
        if self.access.is_empty() {
            return Err(PreopenError::NoAccess { host: host() });
        }
        check_guest(self.guest_name()?)
    }
}

fn check_guest(guest: &str) -> Result<(), PreopenError> {
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
    Err(PreopenError::Guest {
        guest: guest.to_owned(),
        problem,
    })
}

/// Describes a [`HostPreopen`].
///
/// Nothing is allowed until it is said: set at least one of [`read`](Self::read), [`write`](Self::write) and
/// [`create`](Self::create).
///
/// # Example
///
/// ```
/// use wasix_landlock_profile::Profile;
///
/// let profile = Profile::new()
///     .preopen(|p| p.directory("/srv/data").alias("/data").read(true))?
///     .preopen(|p| p.path("/srv/out/report.txt").alias("/report.txt").create(true))?
///     .preopen(|p| p.path("/srv/out/state").alias("/state").read(true).write(true))?;
/// assert_eq!(profile.preopens[1].guest_name(), Ok("/report.txt"));
/// # Ok::<(), wasix_landlock_profile::PreopenError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct HostPreopenBuilder {
    host: Option<(PathBuf, HostKind)>,
    alias: Option<String>,
    access: Access,
}

impl HostPreopenBuilder {
    /// A single host file. With [`create`](Self::create) the file need not exist: it is made, empty, at `build()`,
    /// since the kernel's rule is on the file itself. A module can't remove or replace the file. A file that is never
    /// written stays behind, empty.
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

    /// Sets all three, where the access is a value.
    pub fn access(&mut self, access: Access) -> &mut Self {
        self.read(access.read)
            .write(access.write)
            .create(access.create)
    }

    /// Returns the grant that was described.
    ///
    /// # Errors
    /// [`PreopenError`].
    pub fn build(&self) -> Result<HostPreopen, PreopenError> {
        let (host, kind) = self.host.clone().ok_or(PreopenError::NoHost)?;
        let preopen = HostPreopen {
            host,
            guest: self.alias.clone(),
            kind,
            access: self.access,
        };
        preopen.check()?;
        Ok(preopen)
    }
}

/// The form of a [`HostPreopen`] in a file.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "HostPreopen")]
struct PreopenTable {
    /// The host path. A relative path counts from the current directory of the program.
    host: PathBuf,
    /// The name inside, relative to the module's current directory; the host path unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guest: Option<String>,
    /// The kind of the host path.
    kind: TableKind,
    /// May files be read, and directories listed?
    #[serde(default)]
    read: bool,
    /// May files be changed, and a directory's entries be removed?
    #[serde(default)]
    write: bool,
    /// May the file, or entries of the directory, be made? Implies `write`.
    #[serde(default)]
    create: bool,
}

/// The kinds of a [`HostKind`] that a file can name.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
enum TableKind {
    /// A single file.
    File,
    /// A directory, with all below it.
    Directory,
}

impl TryFrom<PreopenTable> for HostPreopen {
    type Error = PreopenError;

    fn try_from(table: PreopenTable) -> Result<Self, PreopenError> {
        let mut builder = HostPreopenBuilder {
            alias: table.guest,
            ..HostPreopenBuilder::default()
        };
        match table.kind {
            TableKind::File => builder.path(table.host),
            TableKind::Directory => builder.directory(table.host),
        };
        builder
            .read(table.read)
            .write(table.write)
            .create(table.create)
            .build()
    }
}

impl From<HostPreopen> for PreopenTable {
    fn from(preopen: HostPreopen) -> Self {
        Self {
            host: preopen.host,
            guest: preopen.guest,
            kind: match preopen.kind {
                HostKind::File => TableKind::File,
                HostKind::Directory | HostKind::Either => TableKind::Directory,
            },
            read: preopen.access.read,
            write: preopen.access.write,
            create: preopen.access.create,
        }
    }
}
