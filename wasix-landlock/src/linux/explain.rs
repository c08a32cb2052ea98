//! Explanations from the record of the enforced policy.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    membership,
    process::{Enforced, Grant},
};
use crate::{
    Access, Explanation, GrantedPath, Object, Right, Verdict, explain::resolve_existing,
    rights::Rights,
};

/// See [`crate::explain`].
pub(crate) fn explain(path: &Path, access: Access) -> Explanation {
    let asked = Asked::new(path, access);
    let verdict = membership::in_force().map_or(Verdict::NotRestricted, |enforced| {
        asked.judged_by(&enforced)
    });
    Explanation {
        path: path.to_owned(),
        resolved: asked.resolved,
        access,
        verdict,
    }
}

struct Asked {
    resolved: PathBuf,
    access: Access,
    /// Device, inode and kind of the file at the path.
    found: Option<((u64, u64), Object)>,
    /// Device and inode of each directory above the path, as of now: a directory that was moved
    /// keeps its rule.
    above: Vec<(u64, u64)>,
}

impl Asked {
    fn new(path: &Path, access: Access) -> Self {
        let resolved = resolve_existing(path);
        let found = fs::symlink_metadata(&resolved).ok();
        let found = found.map(|found| ((found.dev(), found.ino()), Object::of(found.is_dir())));
        let above = resolved.ancestors().skip(1);
        let above = above.filter_map(|directory| fs::symlink_metadata(directory).ok());
        let above = above.map(|found| (found.dev(), found.ino())).collect();
        Self {
            resolved,
            access,
            found,
            above,
        }
    }

    fn judged_by(&self, enforced: &Enforced) -> Verdict {
        let object = self.found.map_or(Object::File, |(_, object)| object);
        let mut needed = self.access.rights(object);
        if self.found.is_none() && self.access.create {
            needed.insert(Right::MakeReg);
        }
        needed.retain(|right| enforced.report.handled.contains(right));
        let (mut granted, mut by) = (Rights::default(), None);
        for grant in &enforced.grants {
            if self.is_covered_by(grant) {
                granted.extend(&grant.rights);
                if by.is_none() || !needed.is_disjoint(&grant.rights) {
                    by = Some(named(grant));
                }
            }
        }
        let missing: Vec<Right> = needed.difference(&granted).copied().collect();
        match by {
            Some(by) if missing.is_empty() => Verdict::Granted { by },
            by => {
                if let Some(was) = enforced.grants.iter().find(|grant| self.replaces(grant)) {
                    let was = named(was);
                    return Verdict::Replaced { was, missing };
                }
                Verdict::NotGranted {
                    missing,
                    needs: self.access,
                    nearest: by.or_else(|| self.nearest(&enforced.grants)),
                }
            }
        }
    }

    /// A rule is on an inode, and on everything beneath it.
    fn is_covered_by(&self, grant: &Grant) -> bool {
        let itself = self.found.map(|(inode, _)| inode);
        grant.inode.is_some_and(|inode| {
            itself == Some(inode)
                || (grant.object == Object::Directory && self.above.contains(&inode))
        })
    }

    /// True if the file stands where a granted one stood.
    fn replaces(&self, grant: &Grant) -> bool {
        let rights = self.access.rights(grant.object);
        self.resolved == grant.resolved
            && self.found.map(|(inode, _)| inode) != grant.inode
            && !rights.is_disjoint(&grant.rights)
    }

    /// The grant that has the most of the path's names in common with it, for a preopen before one
    /// for the runtime. Sharing no more than the root is no nearness.
    fn nearest(&self, grants: &[Grant]) -> Option<GrantedPath> {
        let common = |grant: &Grant| {
            let (ours, theirs) = (self.resolved.components(), grant.resolved.components());
            ours.zip(theirs).take_while(|(a, b)| a == b).count()
        };
        grants
            .iter()
            .filter(|grant| common(grant) > 1)
            .max_by_key(|grant| (common(grant), !grant.runtime))
            .map(named)
    }
}

fn named(grant: &Grant) -> GrantedPath {
    GrantedPath {
        owner: grant.owner.clone(),
        path: grant.path.clone(),
        access: grant.access,
        directory: grant.object == Object::Directory,
    }
}
