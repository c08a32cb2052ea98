//! The operator's bounds of what a module may be granted because it asked for it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use wasix_landlock_profile::{HostKind, HostPreopen, resolve_existing};
use wasmer_wasix::landlock::Sensitive;

/// The number of entries that are looked at below a directory before it is granted.
const MOST_ENTRIES: usize = 10_000;

/// The bounds of a module's grants.
#[derive(Debug)]
pub struct Bounds {
    within: Vec<PathBuf>,
    allowed: Vec<PathBuf>,
    /// Files that were not there when they were asked for: their content is the module's.
    made: BTreeSet<PathBuf>,
}

/// The judgement on a grant that a module asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The grant is within the bounds.
    Granted,
    /// The grant needs the operator's word, for this reason.
    Sensitive(String),
    /// The path is outside of the directories that may be granted.
    Outside,
}

impl Bounds {
    /// Bounds of these directories, or of the current one, without what is sensitive but for the paths of `allowed`.
    ///
    /// # Errors
    /// A directory that isn't there, and one that nothing should be granted of unseen.
    pub fn new(within: &[PathBuf], allowed: &[PathBuf]) -> anyhow::Result<Self> {
        let named = !within.is_empty();
        let within = match named {
            true => within.to_vec(),
            false => vec![PathBuf::from(".")],
        };
        let within = within.iter().map(|directory| {
            let real = directory.canonicalize();
            real.with_context(|| format!("--within {}", directory.display()))
        });
        let within = within.collect::<anyhow::Result<Vec<_>>>()?;
        if let Some(why) = Sensitive::of(&within[0], HostKind::Directory, true).filter(|_| !named) {
            bail!(
                "the current directory is sensitive: {why}; go to one with nothing but the module's data, or name the \
                 directory by --within"
            );
        }
        Ok(Self {
            within,
            allowed: allowed.iter().map(|path| resolve_existing(path)).collect(),
            made: BTreeSet::new(),
        })
    }

    /// Judges a grant that the module asked for. The module's word isn't trusted: the path is looked up here.
    pub fn judge(&mut self, grant: &HostPreopen) -> Judgement {
        let path = resolve_existing(&grant.host);
        if !path.exists() {
            self.made.insert(path.clone());
        }
        if let Some(why) = self.sensitive(&path, grant) {
            return Judgement::Sensitive(why);
        }
        let is_allowed = self.allows(&path);
        match is_allowed || self.within.iter().any(|within| path.starts_with(within)) {
            true => Judgement::Granted,
            false => Judgement::Outside,
        }
    }

    /// Leaves out the right to make a file that was there before, which programs ask for whether it is there or not.
    pub fn least(&self, mut grant: HostPreopen) -> HostPreopen {
        let path = resolve_existing(&grant.host);
        if grant.kind == HostKind::File && path.exists() && !self.made.contains(&path) {
            grant.access.create = false;
        }
        grant
    }

    fn allows(&self, path: &Path) -> bool {
        self.allowed.iter().any(|allowed| path.starts_with(allowed))
    }

    fn sensitive(&self, path: &Path, grant: &HostPreopen) -> Option<String> {
        if self.allows(path) {
            return None;
        }
        let reads = grant.access.read && !self.made.contains(path);
        if let Some(why) = Sensitive::of(path, grant.kind, reads) {
            return Some(why.to_string());
        }
        // A directory is granted with all that is in it.
        if grant.kind == HostKind::Directory && path.is_dir() {
            return self.below(path);
        }
        None
    }

    /// The reason for which something below a directory is sensitive.
    fn below(&self, directory: &Path) -> Option<String> {
        let mut directories = vec![directory.to_owned()];
        let mut looked_at = 0;
        while let Some(directory) = directories.pop() {
            for entry in directory.read_dir().into_iter().flatten().flatten() {
                looked_at += 1;
                if looked_at > MOST_ENTRIES {
                    return Some(format!(
                        "holds more than {MOST_ENTRIES} files and directories"
                    ));
                }
                let (path, kind) = (entry.path(), entry.file_type());
                if self.allows(&path) || self.made.contains(&path) {
                    continue;
                }
                let is_directory = kind.is_ok_and(|kind| kind.is_dir());
                let kind = match is_directory {
                    true => HostKind::Directory,
                    false => HostKind::File,
                };
                if let Some(why) = Sensitive::of(&path, kind, true) {
                    return Some(format!("holds {path:?}: {why}"));
                }
                if is_directory {
                    directories.push(path);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use wasix_landlock_profile::Access;

    use super::*;

    fn grant(host: PathBuf, kind: HostKind, access: Access) -> HostPreopen {
        HostPreopen {
            host,
            guest: None,
            kind,
            access,
        }
    }

    #[test]
    fn a_grant_is_judged_by_the_file_behind_its_name() {
        let work = tempfile::tempdir().unwrap();
        let inside = work.path().join("inside");
        fs::create_dir_all(inside.join("keys")).unwrap();
        fs::write(inside.join("keys/server.key"), "").unwrap();
        fs::write(work.path().join("outside"), "").unwrap();
        std::os::unix::fs::symlink("../outside", inside.join("link")).unwrap();
        std::os::unix::fs::symlink("keys/server.key", inside.join("harmless")).unwrap();
        let mut bounds = Bounds::new(std::slice::from_ref(&inside), &[]).unwrap();
        let mut judge =
            |path: &str, kind, access| bounds.judge(&grant(inside.join(path), kind, access));
        let file = HostKind::File;
        assert_eq!(judge("data", file, Access::ALL), Judgement::Granted);
        assert_eq!(judge("../outside", file, Access::READ), Judgement::Outside);
        assert_eq!(judge("link", file, Access::READ), Judgement::Outside);
        for sensitive in ["keys/server.key", "harmless"] {
            let judgement = judge(sensitive, file, Access::READ);
            assert!(matches!(judgement, Judgement::Sensitive(_)), "{sensitive}");
        }
        for holder in ["", "keys"] {
            let judgement = judge(holder, HostKind::Directory, Access::READ);
            assert!(matches!(judgement, Judgement::Sensitive(_)), "{holder}");
        }
        // A key that the module makes is its own.
        assert_eq!(judge("new.key", file, Access::CREATE), Judgement::Granted);
        fs::write(inside.join("new.key"), "").unwrap();
        assert_eq!(judge("new.key", file, Access::READ), Judgement::Granted);

        let allowed = [inside.join("keys/server.key")];
        let mut bounds = Bounds::new(std::slice::from_ref(&inside), &allowed).unwrap();
        for (path, kind) in [("keys", HostKind::Directory), ("keys/server.key", file)] {
            let judgement = bounds.judge(&grant(inside.join(path), kind, Access::READ));
            assert_eq!(judgement, Judgement::Granted, "{path}");
        }
    }

    #[test]
    fn everything_of_a_sensitive_place_needs_a_word() {
        assert!(Bounds::new(&[PathBuf::from("/missing/directory")], &[]).is_err());
        let mut bounds = Bounds::new(&[PathBuf::from("/")], &[]).unwrap();
        for path in [
            "/etc/shadow",
            "/proc/self/environ",
            "/home/user/.ssh/id_rsa",
        ] {
            let judgement = bounds.judge(&grant(path.into(), HostKind::File, Access::READ));
            assert!(matches!(judgement, Judgement::Sensitive(_)), "{path}");
        }
    }
}
