//! Grants that widen each other: in the kernel, the rules along a path add up.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use crate::{explain::Grant, names::list};

/// Warns of each preopen that gets more than its own access through another grant, and of one
/// of `/`.
pub(crate) fn warnings(grants: &[Grant]) -> Vec<String> {
    let mut by_path: HashMap<&Path, Vec<usize>> = HashMap::new();
    let mut by_inode: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    for (index, grant) in grants.iter().enumerate() {
        by_path.entry(&grant.resolved).or_default().push(index);
        if let Some(inode) = grant.inode {
            by_inode.entry(inode).or_default().push(index);
        }
    }

    let mut warnings = Vec::new();
    for (index, grant) in grants.iter().enumerate() {
        if grant.resolved == Path::new("/") {
            warnings.push(format!(
                "{} grants `/` ({}), and with it every file of this host",
                grant.named.owner, grant.named.access
            ));
        }
        if grant.runtime {
            continue;
        }
        let above = grant
            .resolved
            .ancestors()
            .filter_map(|path| by_path.get(path));
        let same = grant.inode.and_then(|inode| by_inode.get(&inode));
        let others: BTreeSet<usize> = above
            .chain(same)
            .flatten()
            .copied()
            .filter(|other| *other != index)
            .collect();
        for other in others.into_iter().filter_map(|other| grants.get(other)) {
            warnings.extend(widening(grant, other));
        }
    }
    warnings
}

/// Describes the rights that `wider` adds to `grant`.
fn widening(grant: &Grant, wider: &Grant) -> Option<String> {
    let more = wider.rights.difference(&grant.rights);
    let more = list(
        more.filter(|right| grant.named.directory || right.applies_to_files()),
        ", ",
    );
    (!more.is_empty()).then(|| {
        format!(
            "{} asks for {} on {}, and {} on {} adds {}: the kernel grants both",
            grant.named.owner,
            grant.named.access,
            grant.named.path.display(),
            wider.named.owner,
            wider.named.path.display(),
            more
        )
    })
}
