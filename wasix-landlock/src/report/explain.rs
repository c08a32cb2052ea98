//! Explanations from a report, for a policy that isn't enforced here.

use std::path::{Path, PathBuf};

use super::{Report, RuntimePathStatus};
use crate::{
    Access, Explanation, GrantedPath, Object, Right, Verdict, explain::resolve_existing,
    rights::Rights,
};

/// A grant of a report.
struct Grant {
    resolved: PathBuf,
    rights: Rights,
    named: GrantedPath,
}

impl Grant {
    fn covers(&self, path: &Path) -> bool {
        path == self.resolved || (self.named.directory && path.starts_with(&self.resolved))
    }

    fn common(&self, path: &Path) -> usize {
        let names = self.resolved.components().zip(path.components());
        names.take_while(|(a, b)| a == b).count()
    }
}

impl Report {
    /// Explains an access to a path of the host by the grants of this report, such as one of
    /// [`Policy::show`](crate::Policy::show), where nothing is enforced yet.
    ///
    /// The answer is by path: a file that is replaced after the policy is enforced has no rule, which only
    /// [`explain`](crate::explain()) can see then.
    ///
    /// ```
    /// use wasix_landlock::{Access, Policy};
    ///
    /// # if cfg!(target_os = "linux") && std::path::Path::new("/sys/kernel/security/landlock").exists() {
    /// let report = Policy::default().show()?;
    /// assert!(report.explain("/etc/passwd", Access::READ).is_denied());
    /// # }
    /// # Ok::<(), wasix_landlock::PrepareError>(())
    /// ```
    #[must_use]
    pub fn explain(&self, path: impl AsRef<Path>, access: Access) -> Explanation {
        let path = path.as_ref();
        let resolved = resolve_existing(path);
        let verdict = match self.handled.is_empty() {
            true => Verdict::NotRestricted,
            false => self.verdict(&resolved, access),
        };
        Explanation {
            path: path.to_owned(),
            resolved,
            access,
            verdict,
        }
    }

    fn verdict(&self, path: &Path, access: Access) -> Verdict {
        let grants = self.grants();
        let covering: Vec<&Grant> = grants.iter().filter(|grant| grant.covers(path)).collect();
        let mut needed = access.rights(Object::of(path.is_dir()));
        // A file's own grant has no right for it: the policy makes the file.
        let is_made = covering.iter().any(|grant| grant.named.access.create);
        if access.create && !is_made {
            needed.insert(Right::MakeReg);
        }
        needed.retain(|right| self.handled.contains(right));
        let missing = |right: &&Right| !covering.iter().any(|grant| grant.rights.contains(right));
        let missing: Vec<Right> = needed.iter().filter(missing).copied().collect();
        let helps = |grant: &&&Grant| !needed.is_disjoint(&grant.rights);
        let by = covering.iter().find(helps).or(covering.first());
        match by {
            Some(by) if missing.is_empty() => Verdict::Granted {
                by: by.named.clone(),
            },
            _ => {
                let near = grants.iter().filter(|grant| grant.common(path) > 1);
                let near = near.max_by_key(|grant| grant.common(path));
                Verdict::NotGranted {
                    missing,
                    needs: access,
                    nearest: by.copied().or(near).map(|grant| grant.named.clone()),
                }
            }
        }
    }

    fn grants(&self) -> Vec<Grant> {
        let preopens = self.preopens.iter().flat_map(|preopen| {
            let owner = format!("{} `{}`", preopen.origin, preopen.guest);
            preopen.hosts.iter().map(move |host| Grant {
                resolved: match &host.resolved {
                    Some(resolved) => resolved.into(),
                    None => resolve_existing(Path::new(&host.path)),
                },
                rights: host.granted.iter().copied().collect(),
                named: GrantedPath {
                    owner: owner.clone(),
                    path: host.path.clone().into(),
                    access: host.access,
                    directory: host.found == Some(Object::Directory),
                },
            })
        });
        let granted = self.runtime_paths.iter();
        let granted = granted.filter(|path| path.status == RuntimePathStatus::Granted);
        let runtime = granted.map(|path| {
            let resolved = path
                .resolved
                .as_ref()
                .map_or_else(|| resolve_existing(Path::new(&path.path)), PathBuf::from);
            let directory = resolved.is_dir();
            Grant {
                rights: path.access.rights(Object::of(directory)),
                named: GrantedPath {
                    owner: format!("runtime path ({})", path.reason),
                    path: path.path.clone().into(),
                    access: path.access,
                    directory,
                },
                resolved,
            }
        });
        preopens.chain(runtime).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HostReport, PreopenReport, Status};
    use super::*;
    use crate::{HostKind, Mode};

    fn report() -> Report {
        let mut report = Report::new(Mode::Enforce);
        report.handled = Right::ALL.to_vec();
        report.preopens.push(PreopenReport {
            guest: "tmp".into(),
            origin: "preopen".into(),
            asked: Access::READ,
            status: Status::Granted,
            hosts: vec![HostReport {
                path: "tmp".into(),
                resolved: Some("/tmp".into()),
                kind: HostKind::Directory,
                found: Some(Object::Directory),
                access: Access::READ,
                granted: vec![Right::ReadFile, Right::ReadDir],
                not_granted: Vec::new(),
                created: false,
            }],
        });
        report
    }

    #[test]
    fn a_grant_holds_for_all_beneath_it_and_for_its_rights() {
        let report = report();
        for (path, access, denied) in [
            ("/tmp", Access::READ, false),
            ("/tmp/some/file", Access::READ, false),
            ("/tmp/some/file", Access::WRITE, true),
            ("/tmp/some/file", Access::CREATE, true),
            ("/tmpother", Access::READ, true),
            ("/", Access::READ, true),
        ] {
            let explained = report.explain(path, access);
            assert_eq!(explained.is_denied(), denied, "{explained}");
        }
        let explained = report.explain("/tmp/some/file", Access::WRITE).to_string();
        assert!(
            explained.contains("the nearest grant is preopen `tmp` (tmp/…: read)"),
            "{explained}"
        );
    }

    #[test]
    fn nothing_is_denied_where_nothing_would_be_restricted() {
        let explained = Report::new(Mode::Off).explain("/etc/shadow", Access::ALL);
        assert_eq!(explained.verdict, Verdict::NotRestricted);
    }
}
