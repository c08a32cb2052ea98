//! From what a program was seen to use to the preopens that it needs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use wasix_landlock::{Access, HostKind};

use super::seen::Seen;
use super::sensitive::{self, Sensitive};
use crate::landlock::backings::innermost;
use crate::landlock::denial::suggestion::Suggestion;

/// The preopens that a program was seen to need. As text it is all of it: the builder's lines and TOML.
///
/// - A file that was read or written by its name is a preopen of its own, also if it was made.
/// - A directory is one where entries were listed, removed, renamed or made in another way: as a directory, as a link,
///   or by an open that fails if the file is there, as temporary files are made. It can always be read: the WASI layer
///   neither renames nor asks what is there without.
/// - A file that was only looked at is preopened for reading: what isn't preopened can't be seen. A directory that was
///   only looked at isn't ([`Learned::looked_at`]): there is no preopen of a directory without what is in it.
///
/// It is what *this* run needed. A run with other arguments, other input or another day may need more.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wasmer_wasix::landlock::Learning;
/// use wasmer_wasix::profile::Profile;
///
/// let learning = Learning::new();
/// // … run a program with `learn(&learning)` …
/// let learned = learning.learned();
/// println!("{}", learned.rust());
/// for (suggestion, why) in &learned.sensitive {
///     eprintln!("{}: {why}", suggestion.host.display());
/// }
/// let profile = Profile::from_toml(&learned.toml())?;
/// assert_eq!(profile.preopens.len(), learned.preopens.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Learned {
    /// The preopens that can be granted.
    pub preopens: Vec<Suggestion>,
    /// Paths that the program used as well and that need a decision, each with the reason. They are in no
    /// form but as a comment.
    pub sensitive: Vec<(Suggestion, Sensitive)>,
    /// Directories on the host that the program only looked at, and that no preopen shows.
    pub looked_at: Vec<PathBuf>,
}

impl Learned {
    pub(crate) fn from(seen: &Seen) -> Self {
        let directories = directories(seen);
        let mut grants: Vec<(PathBuf, HostKind, Access)> = Vec::new();
        for (path, access) in &directories {
            let within = around(&directories, parent(path));
            if !within.is_some_and(|within| within.contains(*access)) {
                grants.push((path.clone(), HostKind::Directory, *access));
            }
        }
        for (path, file) in &seen.files {
            if file.entry_changed || is_made(seen, parent(path)) {
                continue;
            }
            let access = match file.access.is_empty() {
                true => Access::READ,
                false => file.access,
            };
            let shown = around(&directories, parent(path));
            let enough = shown.is_some_and(|shown| shown.contains(file.access));
            if !enough {
                grants.push((path.clone(), HostKind::File, access));
            }
        }
        let mut learned = Self::default();
        for (path, kind, access) in &grants {
            let Some(place) = Place::of(seen, path) else {
                continue;
            };
            let suggestion = Suggestion::new(&place.host, &place.guest, *kind, *access);
            let made = seen.files.get(path).is_some_and(|file| file.made);
            match sensitive::find(&place.real, *kind, access.read && !made) {
                Some(why) => learned.sensitive.push((suggestion, why)),
                None => learned.preopens.push(suggestion),
            }
        }
        let shown = |path: &Path| {
            let is_shown = |(grant, kind, _): &(PathBuf, HostKind, Access)| {
                grant.starts_with(path) || (*kind == HostKind::Directory && path.starts_with(grant))
            };
            path == Path::new("/") || grants.iter().any(is_shown)
        };
        for path in seen.looked_at.iter().filter(|path| !shown(path)) {
            learned
                .looked_at
                .extend(Place::of(seen, path).map(|place| place.real));
        }
        learned
    }

    /// The builder's lines.
    ///
    /// [Example](Learned#example).
    #[must_use]
    pub fn rust(&self) -> String {
        self.text("//", |suggestion| suggestion.rust() + "\n")
    }

    /// The tables of a policy file.
    ///
    /// [Example](Learned#example).
    #[must_use]
    pub fn toml(&self) -> String {
        self.text("#", Suggestion::toml)
    }

    /// One form of all, such as the options of a program's own; what is sensitive is in comments.
    ///
    /// ```
    /// let learned = wasmer_wasix::landlock::Learning::new().learned();
    /// assert_eq!(learned.text("#", |suggestion| format!("--grant {}\n", suggestion.guest)), "");
    /// ```
    #[must_use]
    pub fn text(&self, comment: &str, form: impl Fn(&Suggestion) -> String) -> String {
        let mut text: String = self.preopens.iter().map(&form).collect();
        for (suggestion, why) in &self.sensitive {
            text += &format!("{comment} SENSITIVE, {why}; think before you grant it:\n");
            for line in form(suggestion).lines() {
                text += &format!("{comment} {line}\n");
            }
        }
        text
    }
}

impl fmt::Display for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# The program was seen to need this. In Rust:\n{}",
            self.rust()
        )?;
        writeln!(f, "# As a policy file:\n{}", self.toml())?;
        for path in &self.looked_at {
            writeln!(
                f,
                "# only looked at, and not granted: the directory {path:?}"
            )?;
        }
        Ok(())
    }
}

/// The directories in which something was done, with all that was done in them. What happened in a directory that the
/// program made is granted on the one that it made it in.
fn directories(seen: &Seen) -> BTreeMap<PathBuf, Access> {
    let mut directories = BTreeMap::<PathBuf, Access>::new();
    let mut add = |path: &Path, access: Access| {
        let there = path.ancestors().find(|path| !seen.made.contains(*path));
        let directory = directories
            .entry(there.unwrap_or(path).to_owned())
            .or_default();
        *directory = directory.union(access);
    };
    for (path, access) in &seen.directories {
        add(path, *access);
    }
    for (path, file) in &seen.files {
        if file.entry_changed || is_made(seen, parent(path)) {
            let create = Access {
                create: file.made,
                ..Access::NONE
            };
            add(parent(path), file.access.union(create));
        }
    }
    // The module's own directories, such as its root, grant nothing of the host.
    directories.retain(|path, access| !access.is_empty() && Place::of(seen, path).is_some());
    for access in directories.values_mut() {
        // As a suggestion has it.
        access.write |= access.create;
        access.read = true;
    }
    directories
}

/// Returns the grant on the directory, or on the innermost one around it.
fn around(directories: &BTreeMap<PathBuf, Access>, path: &Path) -> Option<Access> {
    path.ancestors()
        .find_map(|path| directories.get(path).copied())
}

fn is_made(seen: &Seen, directory: &Path) -> bool {
    seen.made.contains(directory)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// A path inside, as the preopen that it was reached by names it.
struct Place {
    guest: PathBuf,
    /// As given by the preopen.
    host: PathBuf,
    /// Absolute.
    real: PathBuf,
}

impl Place {
    fn of(seen: &Seen, path: &Path) -> Option<Self> {
        let real = innermost(&seen.backings, path)?.below(path)?.host;
        let around = seen
            .preopens
            .iter()
            .filter(|preopen| path.starts_with(&preopen.point));
        let innermost = around.max_by_key(|preopen| preopen.point.components().count());
        let Some((preopen, rest)) =
            innermost.and_then(|found| Some((found, path.strip_prefix(&found.point).ok()?)))
        else {
            return Some(Self {
                guest: path.to_owned(),
                host: real.clone(),
                real,
            });
        };
        Some(Self {
            guest: joined(Path::new(&preopen.guest), rest),
            host: joined(&preopen.host, rest),
            real,
        })
    }
}

/// Without the `.` of a current directory, or a slash at the end.
fn joined(base: &Path, rest: &Path) -> PathBuf {
    if rest == Path::new("") {
        return base.to_owned();
    }
    base.join(rest)
        .components()
        .filter(|part| part.as_os_str() != ".")
        .collect()
}
