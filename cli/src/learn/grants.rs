//! The set of grants that grows with what a module asks for, and shrinks to what it used.

use std::path::{Path, PathBuf};

use wasix_landlock_profile::{Access, HostKind, HostPreopen, resolve_existing};

/// Returns the directories and files that allow all that both allow, without what another one has already.
pub fn merged(grants: &[HostPreopen], more: &[HostPreopen]) -> Vec<HostPreopen> {
    let mut merged: Vec<HostPreopen> = grants.to_vec();
    for grant in more {
        let same = merged.iter_mut().find(|known| is_same(known, grant));
        match same {
            Some(known) => known.access = known.access.union(grant.access),
            None => merged.push(grant.clone()),
        }
    }
    let added = merged.split_off(grants.len());
    let all = [&merged[..], &added[..]].concat();
    let within_another = |grant: &HostPreopen| {
        let others = all.iter().filter(|other| !is_same(other, grant));
        let mut around = others.filter(|other| shows(other, grant));
        around.any(|other| other.access.contains(grant.access))
    };
    merged.extend(added.into_iter().filter(|grant| !within_another(grant)));
    merged
}

/// Returns the part of the learned grants that was used. A file that is made before each run needs the right to be made
/// again.
pub fn narrowed(learned: &[HostPreopen], used: &[HostPreopen]) -> Vec<HostPreopen> {
    let mut narrowed = Vec::new();
    for one in used {
        let around = learned.iter().find(|grant| shows(grant, one));
        let Some(grant) = around else { continue };
        let mut access = one.access.intersection(grant.access);
        if is_same(grant, one) && one.kind == HostKind::File {
            access.create = grant.access.create;
            access.write |= access.create;
        }
        if !access.is_empty() {
            let kind = one.kind;
            narrowed.push(HostPreopen {
                access,
                kind,
                ..one.clone()
            });
        }
    }
    merged(&[], &narrowed)
}

/// The access to a grant that was used.
pub fn used_of(grant: &HostPreopen, used: &[HostPreopen]) -> Access {
    let inside = used.iter().filter(|one| shows(grant, one));
    inside.fold(Access::NONE, |access, one| access.union(one.access))
}

/// Names a grant as a person would: without the current directories, of this program and of the module.
pub fn simplified(grant: HostPreopen) -> HostPreopen {
    let Some(guest) = grant.guest.as_deref().map(PathBuf::from) else {
        return grant;
    };
    let current = std::env::current_dir().unwrap_or_default();
    let below = |path: &Path, directory: &Path| match path.strip_prefix(directory) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) => path.to_owned(),
    };
    let (host, guest) = (below(&grant.host, &current), below(&guest, Path::new("/")));
    match host == guest {
        true => HostPreopen {
            host,
            guest: None,
            ..grant
        },
        false => HostPreopen {
            guest: guest.to_str().map(str::to_owned),
            ..grant
        },
    }
}

fn is_same(one: &HostPreopen, other: &HostPreopen) -> bool {
    one.kind == other.kind && place(one) == place(other)
}

/// True if a grant shows the other one's file at the same path inside.
fn shows(grant: &HostPreopen, other: &HostPreopen) -> bool {
    if is_same(grant, other) {
        return true;
    }
    let ((host, guest), (inner_host, inner_guest)) = (place(grant), place(other));
    grant.kind == HostKind::Directory
        && match (
            inner_host.strip_prefix(&host),
            inner_guest.strip_prefix(&guest),
        ) {
            (Ok(below), Ok(inside)) => below == inside,
            _ => false,
        }
}

/// The file on the host, and its name inside, without `.`.
fn place(grant: &HostPreopen) -> (PathBuf, PathBuf) {
    let guest = match &grant.guest {
        Some(guest) => Path::new(guest),
        None => &grant.host,
    };
    let parts = guest.components();
    let guest = parts.filter(|part| part.as_os_str() != ".").collect();
    (resolve_existing(&grant.host), guest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(host: &str, kind: HostKind, access: Access) -> HostPreopen {
        HostPreopen {
            host: host.into(),
            guest: None,
            kind,
            access,
        }
    }

    fn file(host: &str, access: Access) -> HostPreopen {
        grant(host, HostKind::File, access)
    }

    fn directory(host: &str, access: Access) -> HostPreopen {
        grant(host, HostKind::Directory, access)
    }

    #[test]
    fn grants_of_one_file_become_one_and_a_directory_has_its_files() {
        let grants = [file("a", Access::READ)];
        let more = [
            file("a", Access::WRITE),
            file("in/b", Access::READ),
            directory("in", Access::READ),
            file("in/c", Access::READ_WRITE),
        ];
        let expected = [
            file("a", Access::READ_WRITE),
            directory("in", Access::READ),
            file("in/c", Access::READ_WRITE),
        ];
        assert_eq!(merged(&grants, &more), expected);
        assert_eq!(merged(&expected, &more), expected);
        // The operator's own stay.
        let own = [file("in/b", Access::READ)];
        assert_eq!(merged(&own, &more[2..3]).len(), 2);
    }

    #[test]
    fn only_the_used_part_is_left_and_never_more_than_was_granted() {
        let learned = [
            directory("in", Access::ALL),
            file(
                "out",
                Access {
                    read: false,
                    ..Access::ALL
                },
            ),
            file("never", Access::READ),
        ];
        let used = [
            file("in/a", Access::READ),
            file("out", Access::WRITE),
            file("elsewhere", Access::READ),
        ];
        let expected = [
            file("in/a", Access::READ),
            file(
                "out",
                Access {
                    read: false,
                    ..Access::ALL
                },
            ),
        ];
        assert_eq!(narrowed(&learned, &used), expected);
        assert_eq!(used_of(&learned[0], &used), Access::READ);
        assert!(used_of(&learned[2], &used).is_empty());
        // Another name inside is another thing.
        let mut other = file("in/a", Access::READ);
        other.guest = Some("elsewhere".to_owned());
        assert_eq!(narrowed(&learned, &[other]), []);
    }
}
