//! Explanations from the record of the enforced policy.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{membership, process::Enforced};
use crate::{
    Access, Explanation, Object, Right, Verdict,
    explain::{Grant, judge, resolve_existing},
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
        let covers = |grant: &Grant| self.is_covered_by(grant);
        let verdict = judge(
            &self.resolved,
            self.access,
            &needed,
            &enforced.grants,
            covers,
        );
        let replaced = enforced.grants.iter().find(|grant| self.replaces(grant));
        match (verdict, replaced) {
            (Verdict::NotGranted { missing, .. }, Some(was)) => Verdict::Replaced {
                was: was.named.clone(),
                missing,
            },
            (verdict, _) => verdict,
        }
    }

    /// A rule is on an inode, and on everything beneath it.
    fn is_covered_by(&self, grant: &Grant) -> bool {
        let itself = self.found.map(|(inode, _)| inode);
        grant.inode.is_some_and(|inode| {
            itself == Some(inode) || (grant.named.directory && self.above.contains(&inode))
        })
    }

    /// True if the file stands where a granted one stood.
    fn replaces(&self, grant: &Grant) -> bool {
        let rights = self.access.rights(Object::of(grant.named.directory));
        self.resolved == grant.resolved
            && self.found.map(|(inode, _)| inode) != grant.inode
            && !rights.is_disjoint(&grant.rights)
    }
}
