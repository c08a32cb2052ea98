//! Attempts, and the kernel's rules about them, written down once more: `security/landlock/fs.c`
//! and the table in the README, without anything of the crate.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use fastrand::Rng;
use wasix_landlock::Access;
use wasix_landlock_testing::ask;

use super::world::{Entry, Id, Node, OUTSIDE, Place, ROOT, World, at, fresh, path};

/// A set of `LANDLOCK_ACCESS_FS_*`.
pub type Rights = u32;

const WRITE_FILE: Rights = 1 << 1;
const READ_FILE: Rights = 1 << 2;
const READ_DIR: Rights = 1 << 3;
const REMOVE_DIR: Rights = 1 << 4;
const REMOVE_FILE: Rights = 1 << 5;
const MAKE_DIR: Rights = 1 << 7;
const MAKE_REG: Rights = 1 << 8;
const MAKE_FIFO: Rights = 1 << 10;
const MAKE_SYM: Rights = 1 << 12;
const REFER: Rights = 1 << 13;
const TRUNCATE: Rights = 1 << 14;
/// The rights that a rule on a file may carry, and that count when one is moved.
const OF_FILES: Rights = WRITE_FILE | READ_FILE | TRUNCATE;

/// Returns the rights of an access.
pub fn stands_for(access: Access, directory: bool) -> Rights {
    let mut rights = 0;
    if access.read {
        rights |= READ_FILE | READ_DIR;
    }
    if access.write {
        rights |= WRITE_FILE | TRUNCATE | REMOVE_FILE | REMOVE_DIR;
    }
    if access.create {
        rights |= MAKE_REG | MAKE_DIR | MAKE_SYM | REFER;
    }
    if directory { rights } else { rights & OF_FILES }
}

/// Something to try.
#[derive(Clone, Debug)]
pub enum Ask {
    Read(String),
    List(String),
    Write(String),
    /// Opens it for writing, and empties it.
    Overwrite(String),
    Truncate(String),
    /// Makes and opens a new one.
    Create(String),
    MakeFile(String),
    MakeDirectory(String),
    MakeFifo(String),
    MakeLink(String, String),
    Unlink(String),
    RemoveDirectory(String),
    Rename(String, String),
    Link(String, String),
}

pub fn asks(rng: &mut Rng, entries: &[Entry]) -> Vec<Ask> {
    (0..rng.usize(20..80))
        .map(|_| {
            let (old, new) = (path(rng, entries), fresh(rng, entries));
            // What was made is used as well.
            let old = if rng.u8(..4) == 0 {
                fresh(rng, entries)
            } else {
                old
            };
            match rng.u8(..20) {
                0 | 1 => Ask::Read(old),
                2 => Ask::List(old),
                3 => Ask::Write(old),
                4 => Ask::Overwrite(old),
                5 => Ask::Truncate(old),
                6 | 7 => Ask::Create(new),
                8 => Ask::MakeFile(new),
                9 | 10 => Ask::MakeDirectory(new),
                11 => Ask::MakeFifo(new),
                12 => Ask::MakeLink(old, new),
                13 => Ask::Unlink(old),
                14 => Ask::RemoveDirectory(old),
                15 | 16 => Ask::Rename(old, new),
                17 => Ask::Rename(old, path(rng, entries)),
                _ => Ask::Link(old, new),
            }
        })
        .collect()
}

impl Ask {
    /// Asks the kernel.
    pub fn of_kernel(&self, root: &Path) -> ask::Answer {
        let on = |path: &String| root.join(path);
        match self {
            Self::Read(path) => ask::open_read(on(path)),
            Self::List(path) => number(fs::read_dir(on(path))),
            Self::Write(path) => ask::open_write(on(path)),
            Self::Overwrite(path) => {
                let mut options = OpenOptions::new();
                options
                    .write(true)
                    .truncate(true)
                    .custom_flags(libc::O_NONBLOCK);
                number(options.open(on(path)))
            }
            Self::Truncate(path) => ask::truncate(on(path)),
            Self::Create(path) => ask::create_new(on(path)),
            Self::MakeFile(path) => ask::make_file(on(path)),
            Self::MakeDirectory(path) => ask::make_directory(on(path)),
            Self::MakeFifo(path) => ask::make_fifo(on(path)),
            Self::MakeLink(target, path) => ask::make_symlink(at(root, target), on(path)),
            Self::Unlink(path) => ask::unlink(on(path)),
            Self::RemoveDirectory(path) => ask::remove_directory(on(path)),
            Self::Rename(from, to) => ask::rename(on(from), on(to)),
            Self::Link(from, to) => ask::link(on(from), on(to)),
        }
    }

    /// Returns the question for [`wasix_landlock::explain`], if it can answer for this.
    pub fn to_explain(&self) -> Option<(String, Access)> {
        let both = Access::WRITE.union(Access::CREATE);
        let (path, access) = match self {
            Self::Read(path) | Self::List(path) => return Some((path.clone(), Access::READ)),
            // By its path, a file can be truncated by whoever may write it, before there was a right for it.
            Self::Truncate(_) if ask::landlock_abi() < 3 => return None,
            Self::Write(path) | Self::Overwrite(path) | Self::Truncate(path) => {
                return Some((path.clone(), Access::WRITE));
            }
            Self::Create(path) => return Some((path.clone(), both)),
            Self::MakeFile(path) => return Some((path.clone(), Access::CREATE)),
            Self::MakeDirectory(path) | Self::MakeLink(_, path) => (path, Access::CREATE),
            Self::Unlink(path) | Self::RemoveDirectory(path) => (path, Access::WRITE),
            Self::MakeFifo(_) | Self::Rename(..) | Self::Link(..) => return None,
        };
        let above = path.trim_end_matches('/').rsplit_once('/');
        Some((
            above.map_or(String::new(), |(above, _)| above.to_owned()),
            access,
        ))
    }

    /// True if the path leads to where the model ends, or would change the name of its root.
    pub fn leads_outside(&self, world: &World) -> bool {
        let outside = |place: Result<Place, i32>| match place {
            Ok(place) => place.node == Some(ROOT),
            Err(error) => error == OUTSIDE,
        };
        match self {
            Self::Read(path) | Self::List(path) => world.walk(path, true).err() == Some(OUTSIDE),
            Self::Write(path) | Self::Overwrite(path) | Self::Truncate(path) => {
                outside(world.walk(path, true))
            }
            Self::Rename(from, to) => outside(world.find(from)) || outside(world.find(to)),
            Self::Link(from, to) => outside(world.walk(from, false)) || outside(world.find(to)),
            Self::Create(path)
            | Self::MakeFile(path)
            | Self::MakeDirectory(path)
            | Self::MakeFifo(path)
            | Self::MakeLink(_, path)
            | Self::Unlink(path)
            | Self::RemoveDirectory(path) => outside(world.find(path)),
        }
    }
}

fn number<T>(result: std::io::Result<T>) -> ask::Answer {
    result
        .map(drop)
        .map_err(|error| error.raw_os_error().unwrap_or(0))
}

/// The grants, and the access rights to which this kernel holds anyone.
pub struct Domain {
    pub grants: Vec<(Id, Rights)>,
    handled: Rights,
}

impl Domain {
    pub fn new(grants: Vec<(Id, Rights)>) -> Self {
        let mut handled = Rights::MAX;
        if ask::landlock_abi() < 3 {
            handled &= !TRUNCATE;
        }
        Self { grants, handled }
    }

    fn of_rule(&self, id: Id) -> Rights {
        let rules = self.grants.iter().filter(|(on, _)| *on == id);
        rules.fold(0, |rights, (_, more)| rights | more)
    }

    /// On a directory: its own rules, and those above.
    fn above(&self, world: &World, directory: Id) -> Rights {
        let mut rights = self.of_rule(directory);
        let mut at = directory;
        while let Some(parent) = world.parent(at) {
            rights |= self.of_rule(parent);
            at = parent;
        }
        rights
    }

    fn grants(&self, world: &World, place: &Place, needed: Rights) -> bool {
        let own = place.node.map_or(0, |node| self.of_rule(node));
        let granted = own | self.above(world, place.parent);
        needed & self.handled & !granted == 0
    }

    fn grants_in(&self, world: &World, directory: Id, needed: Rights) -> bool {
        needed & self.handled & !self.above(world, directory) == 0
    }

    /// True if the kernel would let pass what succeeds without the restriction; `None` for what
    /// would not succeed.
    pub fn allows(&self, world: &World, ask: &Ask) -> Option<bool> {
        let found = |place: Result<Place, i32>| {
            let place = place.ok()?;
            place.node.map(|node| (place, node))
        };
        let free = |path: &String| {
            let place = world.find(path).ok()?;
            (place.node.is_none() && place.name.is_some()).then_some(place)
        };
        Some(match ask {
            Ask::Read(path) | Ask::List(path) => {
                let (place, node) = found(world.walk(path, true))?;
                let right = if world.is_directory(node) {
                    READ_DIR
                } else {
                    READ_FILE
                };
                self.grants(world, &place, right)
            }
            Ask::Write(path) => self.grants(world, &found(world.walk(path, true))?.0, WRITE_FILE),
            Ask::Overwrite(path) => self.grants(
                world,
                &found(world.walk(path, true))?.0,
                WRITE_FILE | TRUNCATE,
            ),
            Ask::Truncate(path) => self.grants(world, &found(world.walk(path, true))?.0, TRUNCATE),
            Ask::Create(path) => {
                let place = free(path)?;
                self.grants_in(world, place.parent, MAKE_REG | WRITE_FILE)
            }
            Ask::MakeFile(path) => self.grants_in(world, free(path)?.parent, MAKE_REG),
            Ask::MakeDirectory(path) => self.grants_in(world, free(path)?.parent, MAKE_DIR),
            Ask::MakeFifo(path) => self.grants_in(world, free(path)?.parent, MAKE_FIFO),
            Ask::MakeLink(_, path) => self.grants_in(world, free(path)?.parent, MAKE_SYM),
            Ask::Unlink(path) => {
                self.grants_in(world, found(world.find(path))?.0.parent, REMOVE_FILE)
            }
            Ask::RemoveDirectory(path) => {
                self.grants_in(world, found(world.find(path))?.0.parent, REMOVE_DIR)
            }
            Ask::Rename(from, to) => {
                let (from, node) = found(world.find(from))?;
                let to = world.find(to).ok()?;
                let removed = to.node.map_or(0, |node| removing(world, node));
                self.moves(
                    world,
                    &from,
                    &to,
                    removing(world, node),
                    making(world, node) | removed,
                )
            }
            Ask::Link(from, to) => {
                let (from, node) = found(world.walk(from, false))?;
                self.moves(world, &from, &free(to)?, 0, making(world, node))
            }
        })
    }

    fn moves(&self, world: &World, from: &Place, to: &Place, there: Rights, here: Rights) -> bool {
        if from.parent == to.parent {
            return self.grants_in(world, from.parent, there | here);
        }
        let Some(node) = from.node else { return false };
        // Nothing may be done with it afterwards that could not be done before.
        let counts = if world.is_directory(node) {
            Rights::MAX
        } else {
            OF_FILES
        };
        let before = self.above(world, from.parent) | self.of_rule(node);
        let after = self.above(world, to.parent);
        self.grants_in(world, from.parent, there | REFER)
            && self.grants_in(world, to.parent, here | REFER)
            && after & counts & self.handled & !before == 0
    }

    /// Does in the world what a kernel has done that gave this answer.
    pub fn apply(&self, world: &mut World, ask: &Ask, answer: ask::Answer) {
        let made = match ask {
            // Making is asked before opening, and isn't undone.
            Ask::Create(path) if answer == Err(libc::EACCES) => {
                let place = world.find(path).ok();
                place.is_some_and(|place| {
                    place.node.is_none() && self.grants_in(world, place.parent, MAKE_REG)
                })
            }
            _ => answer.is_ok(),
        };
        if made {
            apply(world, ask);
        }
    }
}

fn apply(world: &mut World, ask: &Ask) {
    let found = |world: &World, path: &String| world.find(path).ok();
    match ask {
        Ask::Read(_) | Ask::List(_) | Ask::Write(_) => {}
        Ask::Overwrite(path) | Ask::Truncate(path) => {
            if let Some(node) = world.walk(path, true).ok().and_then(|place| place.node) {
                world.empty(node);
            }
        }
        Ask::Create(path)
        | Ask::MakeFile(path)
        | Ask::MakeDirectory(path)
        | Ask::MakeFifo(path)
        | Ask::MakeLink(_, path) => {
            let node = match ask {
                Ask::MakeDirectory(_) => Node::Directory {
                    entries: [].into(),
                    parent: None,
                },
                Ask::MakeFifo(_) => Node::Fifo,
                Ask::MakeLink(target, _) => Node::Link {
                    target: target.clone(),
                },
                _ => Node::File {
                    content: String::new(),
                },
            };
            if let Some(place) = found(world, path) {
                world.make(&place, node);
            }
        }
        Ask::Unlink(path) | Ask::RemoveDirectory(path) => {
            if let Some(place) = found(world, path) {
                world.remove(&place);
            }
        }
        Ask::Rename(from, to) => {
            let (from, to) = (found(world, from), found(world, to));
            if let (Some(from), Some(mut to)) = (from, to)
                && from.node != to.node
                && let Some(node) = from.node
            {
                world.remove(&from);
                world.remove(&to);
                to.node = None;
                world.insert(&to, node);
            }
        }
        Ask::Link(from, to) => {
            let node = world.walk(from, false).ok().and_then(|from| from.node);
            if let (Some(node), Some(to)) = (node, found(world, to)) {
                world.insert(&to, node);
            }
        }
    }
}

fn removing(world: &World, node: Id) -> Rights {
    if world.is_directory(node) {
        REMOVE_DIR
    } else {
        REMOVE_FILE
    }
}

fn making(world: &World, node: Id) -> Rights {
    match world.node(node) {
        Node::Directory { .. } => MAKE_DIR,
        Node::File { .. } => MAKE_REG,
        Node::Link { .. } => MAKE_SYM,
        Node::Fifo => MAKE_FIFO,
    }
}
