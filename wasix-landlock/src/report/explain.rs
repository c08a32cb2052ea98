//! Explanations from a report, for a policy that isn't enforced here.

use std::path::{Path, PathBuf};

use super::{Report, RuntimePathStatus};
use crate::{
    Access, Explanation, GrantedPath, Object, Right, Verdict,
    explain::{Grant, judge, resolve_existing},
    rights::Rights,
};

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
        let covers = |grant: &Grant| {
            path == grant.resolved || (grant.named.directory && path.starts_with(&grant.resolved))
        };
        let grants = self.grants();
        let mut needed = access.rights(Object::of(path.is_dir()));
        // A file's own grant has no right for it: the policy makes the file.
        let makes = |grant: &Grant| covers(grant) && grant.named.access.create;
        if access.create && !grants.iter().any(makes) {
            needed.insert(Right::MakeReg);
        }
        needed.retain(|right| self.handled.contains(right));
        judge(path, access, &needed, &grants, covers)
    }

    fn grants(&self) -> Vec<Grant> {
        let grant = |named: GrantedPath, resolved: PathBuf, rights: Rights, runtime| Grant {
            named,
            resolved,
            #[cfg(target_os = "linux")]
            inode: None,
            rights,
            runtime,
        };
        let resolve = |resolved: &Option<String>, path: &str| match resolved {
            Some(resolved) => resolved.into(),
            None => resolve_existing(Path::new(path)),
        };
        let mut grants = Vec::new();
        for preopen in &self.preopens {
            for host in &preopen.hosts {
                let named = GrantedPath {
                    owner: format!("{} `{}`", preopen.origin, preopen.guest),
                    path: host.path.clone().into(),
                    access: host.access,
                    directory: host.found == Some(Object::Directory),
                };
                let rights = host.granted.iter().copied().collect();
                grants.push(grant(
                    named,
                    resolve(&host.resolved, &host.path),
                    rights,
                    false,
                ));
            }
        }
        let paths = self.runtime_paths.iter();
        for path in paths.filter(|path| path.status == RuntimePathStatus::Granted) {
            let resolved = resolve(&path.resolved, &path.path);
            let directory = resolved.is_dir();
            let named = GrantedPath {
                owner: format!("runtime path ({})", path.reason),
                path: path.path.clone().into(),
                access: path.access,
                directory,
            };
            let rights = path.access.rights(Object::of(directory));
            grants.push(grant(named, resolved, rights, true));
        }
        grants
    }
}
