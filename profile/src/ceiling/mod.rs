//! A policy from outside, which only restricts.

mod meet;
mod place;
mod table;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use wasix_landlock::{Access, HostKind, Policy, outside_policy};

pub use meet::{Narrowed, Part};
pub(crate) use place::resolve;

use crate::{FileError, Groups, HostPreopen, Limits, Profile, UnsavedWrites, files::read_chain};
pub(crate) use table::Table;

/// The most that a program may grant, whatever it does grant: a policy of whoever runs the program.
///
/// A ceiling has the keys of a [`Profile`]'s file that allow something, all of them optional; what isn't named stays as
/// the program grants it. Where the file has `preopen`, only these host paths and what is below them stay, with at most
/// these rights (and `preopen = []` leaves no path); with the table `network`, only these ports.
///
/// No operation returns a ceiling's own content: each takes what a program grants, and returns a part of that.
///
/// ```
/// use wasix_landlock_profile::{Access, Ceiling, Profile};
///
/// let ceiling = Ceiling::from_toml(
///     r#"
///     limits.disk-bytes = 1_000_000
///     groups.threads = false
///     [[preopen]]
///     host = "/srv/data/shared"
///     kind = "directory"
///     read = true
///     "#,
/// )?;
/// let granted = Profile::new()
///     .preopen(|p| p.directory("/srv/data").alias("data").read(true).write(true))?
///     .preopen(|p| p.directory("/srv/keys").alias("keys").read(true))?;
/// let left = ceiling.meet(&granted);
/// assert_eq!(left.preopens.len(), 1);
/// assert_eq!(left.preopens[0].guest_name(), Ok("data/shared"));
/// assert_eq!(left.preopens[0].access, Access::READ);
/// assert_eq!(left.limits.disk_bytes, Some(1_000_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Ceiling {
    files: Vec<PathBuf>,
    /// Each has to allow what stays.
    layers: Vec<Table>,
}

impl Ceiling {
    /// Reads a file, or each file `*.toml` of a directory in the order of the names, with the files that they extend.
    /// All of them hold.
    ///
    /// ```
    /// use wasix_landlock_profile::{Ceiling, FileError};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("policy.toml");
    /// std::fs::write(&path, "enforcement.harden = true\nlimit.threads = 0\n")?;
    /// match Ceiling::load(&path) {
    ///     Err(FileError::Parse { line, column, .. }) => assert_eq!((line, column), (2, 1)),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`FileError`], which names the file, and the line and column where there is one.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let mut ceiling = Self::default();
        for file in files_at(path)? {
            for (path, table) in read_chain(&file, Table::parse)? {
                // A base that several files extend holds once.
                if !ceiling.files.contains(&path) {
                    ceiling.files.push(path);
                    ceiling.layers.push(table);
                }
            }
        }
        Ok(ceiling)
    }

    /// Returns the policy from outside that [`outside_policy`] names; `None` if there is none. The file is read once in a
    /// process: a process that is restricted can't read it again.
    ///
    /// `build()` in the fork of `wasmer-wasix` applies this policy by itself.
    ///
    /// # Errors
    /// As [`Ceiling::load`].
    pub fn from_env() -> Result<Option<Arc<Self>>, FileError> {
        static LOADED: Mutex<Option<(PathBuf, Arc<Ceiling>)>> = Mutex::new(None);
        let Some(path) = outside_policy() else {
            return Ok(None);
        };
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, ceiling)) = &*loaded
            && *known == path
        {
            return Ok(Some(Arc::clone(ceiling)));
        }
        let ceiling = Arc::new(Self::load(&path)?);
        *loaded = Some((path, Arc::clone(&ceiling)));
        Ok(Some(ceiling))
    }

    /// Returns the limits that the policy from outside leaves, for a program that makes engines with limits: all of them
    /// without a policy.
    ///
    /// # Errors
    /// As [`Ceiling::load`].
    pub fn limits_from_env(granted: &Limits) -> Result<Limits, FileError> {
        Ok(match Self::from_env()? {
            Some(ceiling) => ceiling.limits(granted),
            None => granted.clone(),
        })
    }

    /// Reads a ceiling from text, which can't extend a file.
    ///
    /// [Example](Ceiling).
    ///
    /// # Errors
    /// [`FileError::Parse`], without a path, and [`FileError::NoFile`] for `extends`.
    pub fn from_toml(text: &str) -> Result<Self, FileError> {
        let parsed = Table::parse(text);
        let (table, extends) =
            parsed.map_err(|error| FileError::parse(Path::new(""), text, &error))?;
        if extends.is_some() {
            return Err(FileError::NoFile);
        }
        Ok(Self {
            files: Vec::new(),
            layers: vec![table],
        })
    }

    /// The files that were read, bases before those that extend them.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns the part of a profile that stays. Arguments, variables and streams stay as they are.
    ///
    /// [Example](Ceiling).
    #[must_use]
    pub fn meet(&self, granted: &Profile) -> Profile {
        let mut left = granted.clone();
        left.preopens = self.preopens(&granted.preopens);
        left.limits = self.limits(&granted.limits);
        left.groups = self.groups(&granted.effective_groups());
        left.unsaved_writes = self.unsaved_writes(granted.unsaved_writes);
        for layer in &self.layers {
            left.enforcement = layer.protections(&left.enforcement);
            left.network = layer.network(&left.network);
        }
        left
    }

    /// Returns the parts of a host path that stay, with the access of each.
    ///
    /// Symbolic links are followed before paths are compared, as the kernel follows them. A path that can't be followed
    /// is gone.
    ///
    /// ```
    /// use std::path::Path;
    /// use wasix_landlock_profile::{Access, Ceiling, HostKind};
    ///
    /// let ceiling = Ceiling::from_toml(
    ///     "[[preopen]]\nhost = \"/srv/data\"\nkind = \"directory\"\nread = true",
    /// )?;
    /// let narrowed = ceiling.narrow(Path::new("/srv"), HostKind::Directory, Access::ALL);
    /// assert_eq!(narrowed.parts[0].host, Path::new("/srv/data"));
    /// assert_eq!(narrowed.parts[0].inside, Path::new("data"));
    /// assert_eq!(narrowed.parts[0].access, Access::READ);
    /// # Ok::<(), wasix_landlock_profile::FileError>(())
    /// ```
    #[must_use]
    pub fn narrow(&self, host: &Path, kind: HostKind, access: Access) -> Narrowed {
        let mut narrowed = Narrowed::whole(host, kind, access);
        for layer in &self.layers {
            narrowed.limit_to(layer.grants());
        }
        narrowed
    }

    /// Returns the preopens that stay. One that is narrowed to a part shows that part at its old place.
    #[must_use]
    pub fn preopens(&self, granted: &[HostPreopen]) -> Vec<HostPreopen> {
        let narrowed = |preopen: &HostPreopen| {
            self.narrow(&preopen.host, preopen.kind, preopen.access)
                .preopens(preopen)
        };
        granted.iter().flat_map(narrowed).collect()
    }

    /// Returns the lower one of each limit.
    #[must_use]
    pub fn limits(&self, granted: &Limits) -> Limits {
        let layers = self.layers.iter();
        layers.fold(granted.clone(), |limits, layer| layer.limits(limits))
    }

    /// Returns the groups that stay. A module that imports from others is refused if either side says so.
    #[must_use]
    pub fn groups(&self, granted: &Groups) -> Groups {
        let layers = self.layers.iter();
        layers.fold(granted.clone(), |groups, layer| layer.groups(groups))
    }

    /// Returns [`UnsavedWrites::Refuse`] if either side says so.
    #[must_use]
    pub fn unsaved_writes(&self, granted: UnsavedWrites) -> UnsavedWrites {
        let refused = |layer: &Table| layer.unsaved_writes == Some(UnsavedWrites::Refuse);
        if self.layers.iter().any(refused) {
            UnsavedWrites::Refuse
        } else {
            granted
        }
    }

    /// Narrows a policy for the kernel: its protections and its ports. For paths, [`Policy::narrow_paths`] takes what
    /// [`Ceiling::narrow`] returns.
    #[must_use = "a policy restricts nothing until it is enforced"]
    pub fn policy(&self, policy: Policy) -> Policy {
        let layers = self.layers.iter();
        layers.fold(policy, |policy, layer| {
            policy.narrow(&layer.enforcement, layer.network.as_ref())
        })
    }
}

/// The file itself, or the files of a directory.
fn files_at(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let unreadable = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    if !path.metadata().map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(FileError::Empty {
            directory: path.to_owned(),
        });
    }
    files.sort();
    Ok(files)
}
