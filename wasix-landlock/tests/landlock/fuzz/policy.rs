//! Policies, and what is to become of them.

use std::path::Path;

use fastrand::Rng;
use wasix_landlock::{Access, HostKind, HostTarget, Policy, PrepareError, RecordedPreopen};

use super::{
    kernel::{self, Rights},
    world::{Entry, Id, Node, OUTSIDE, Place, World, one, path},
};

/// A preopen, or a path for the runtime.
#[derive(Clone, Debug)]
pub struct Grant {
    path: String,
    /// `None` for the runtime's.
    kind: Option<HostKind>,
    access: Access,
    /// The preopen's own access, which bounds it.
    bound: Access,
}

pub fn grants(rng: &mut Rng, entries: &[Entry]) -> Vec<Grant> {
    let world = World::new(entries);
    let mut grants: Vec<Grant> = Vec::new();
    for _ in 0..rng.usize(1..6) {
        let path = match grants.last() {
            Some(last) if rng.u8(..6) == 0 => last.path.clone(),
            // High up, so that there is much in it.
            _ if rng.u8(..3) == 0 => {
                let path = path(rng, entries);
                path.split('/').next().unwrap_or_default().to_owned()
            }
            _ => path(rng, entries),
        };
        let there = world.walk(&path, true).ok().and_then(|place| place.node);
        let kind = match there {
            _ if rng.u8(..10) == 0 => Some(one(
                rng,
                &[HostKind::File, HostKind::Directory, HostKind::Either],
            )),
            _ if rng.u8(..6) == 0 => None,
            Some(there) if world.is_directory(there) => Some(HostKind::Directory),
            _ => Some(HostKind::File),
        };
        let access = |rng: &mut Rng| match rng.u8(..3) {
            0 => Access::ALL,
            _ => Access {
                read: rng.u8(..4) != 0,
                write: rng.bool(),
                create: rng.bool(),
            },
        };
        let bound = if rng.u8(..6) == 0 {
            access(rng)
        } else {
            Access::ALL
        };
        grants.push(Grant {
            path,
            kind,
            access: access(rng),
            bound,
        });
    }
    grants
}

pub fn policy(mut policy: Policy, root: &Path, grants: &[Grant]) -> Policy {
    for grant in grants {
        let path = root.join(&grant.path);
        policy = match grant.kind {
            Some(kind) => policy.preopen(RecordedPreopen {
                guest: grant.path.clone(),
                origin: "fuzz",
                access: grant.bound,
                targets: vec![HostTarget {
                    path,
                    kind,
                    access: grant.access,
                }],
            }),
            None => policy.runtime_path(path, grant.access.intersection(grant.bound), "fuzz"),
        };
    }
    policy
}

/// The expected result of a policy.
#[derive(Debug)]
pub enum Expected {
    /// The files that are missing are made in the world, and these inodes get these rights.
    Granted(Vec<(Id, Rights)>),
    /// The grant that is wrong, and the error's name.
    Refused(usize, &'static str),
    /// The path leads to where the model ends.
    Unknown(usize),
}

pub fn expected(world: &mut World, grants: &[Grant]) -> Expected {
    let (preopens, runtime): (Vec<_>, Vec<_>) = grants
        .iter()
        .enumerate()
        .partition(|(_, grant)| grant.kind.is_some());
    let (mut granted, mut missing) = (Vec::new(), Vec::new());
    for (number, grant) in preopens.into_iter().chain(runtime) {
        match judge(world, grant) {
            Judgement::Granted(id, rights) => granted.push((id, rights)),
            Judgement::ToCreate(place, rights) => missing.push((place, rights)),
            Judgement::Absent => {}
            Judgement::Refused("unknown") => return Expected::Unknown(number),
            Judgement::Refused(name) => return Expected::Refused(number, name),
        }
    }
    for (mut place, rights) in missing {
        if let Node::Directory { entries, .. } = world.node(place.parent) {
            place.node = place
                .name
                .as_ref()
                .and_then(|name| entries.get(name))
                .copied();
        }
        let file = Node::File {
            content: String::new(),
        };
        if let Some(id) = place.node.or_else(|| world.make(&place, file)) {
            granted.push((id, rights));
        }
    }
    Expected::Granted(granted)
}

enum Judgement {
    Granted(Id, Rights),
    ToCreate(Place, Rights),
    /// The runtime does without it.
    Absent,
    Refused(&'static str),
}

fn judge(world: &World, grant: &Grant) -> Judgement {
    use Judgement::{Absent, Granted, Refused, ToCreate};

    let access = grant.access.intersection(grant.bound);
    let place = match world.walk(&grant.path, true) {
        Err(OUTSIDE) => return Refused("unknown"),
        other => other,
    };
    let there = match &place {
        Ok(Place {
            node: Some(node), ..
        }) => Ok(*node),
        Ok(_) => Err(libc::ENOENT),
        Err(error) => Err(*error),
    };
    let Some(kind) = grant.kind else {
        return match there {
            Err(_) => Absent,
            Ok(id) if *world.node(id) == Node::Fifo => Absent,
            Ok(id) => match kernel::stands_for(access, world.is_directory(id)) {
                0 => Refused("NoRight"),
                rights => Granted(id, rights),
            },
        };
    };
    if access.is_empty() {
        return Refused("NoRight");
    }
    match there {
        Ok(id) if *world.node(id) == Node::Fifo => Refused("NotAFileOrDirectory"),
        Ok(id) => {
            let directory = world.is_directory(id);
            if (directory && kind == HostKind::File) || (!directory && kind == HostKind::Directory)
            {
                return Refused("WrongKind");
            }
            match kernel::stands_for(access, directory) {
                0 => Refused("NoRight"),
                rights => Granted(id, rights),
            }
        }
        Err(libc::ENOENT) => {
            // Not `walk(…, false)`: a slash at the end makes the kernel follow.
            let itself = world.walk(&grant.path, false);
            if itself.as_ref().is_ok_and(|itself| itself.node.is_some()) {
                return Refused("DanglingSymlink");
            }
            if kind != HostKind::File || !access.create || grant.path.ends_with('/') {
                return Refused("Missing");
            }
            let rights = kernel::stands_for(access, false);
            if rights == 0 {
                return Refused("NoRight");
            }
            if grant.path.ends_with("..") {
                return Refused("Missing");
            }
            match itself {
                Ok(place) => ToCreate(place, rights),
                Err(_) => Refused("MissingParent"),
            }
        }
        Err(_) => Refused("Open"),
    }
}

/// An error's name.
pub fn name(error: &PrepareError) -> String {
    let text = match error {
        PrepareError::Path { problem, .. } => format!("{problem:?}"),
        error => format!("{error:?}"),
    };
    text.split([' ', '{', '('])
        .next()
        .unwrap_or_default()
        .to_owned()
}
