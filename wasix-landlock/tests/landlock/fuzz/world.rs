//! A small file system in memory, and the same on the host.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
};

use fastrand::Rng;
use wasix_landlock_testing::ask;

/// An inode.
pub type Id = usize;

/// The directory that all is in.
pub const ROOT: Id = 0;

/// The names in it are few, so that they meet.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Names of what is made later.
const NEW: [&str; 3] = ["x", "y", "z"];

/// A path's components lead above [`ROOT`], to where the model ends.
pub const OUTSIDE: i32 = -1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Directory {
        entries: BTreeMap<String, Id>,
        parent: Option<Id>,
    },
    File {
        content: String,
    },
    /// A target that begins with `/` begins at [`ROOT`].
    Link {
        target: String,
    },
    Fifo,
}

/// An entry at a path, in the order in which they are made. An entry without a directory to be in
/// isn't made.
#[derive(Clone, Debug)]
pub enum Entry {
    Directory(String),
    File(String),
    /// Another name of a file: the old one, and the new one.
    Name(String, String),
    Link(String, String),
    Fifo(String),
}

#[derive(Clone, Debug)]
pub struct World {
    nodes: Vec<Node>,
}

/// The place that a path leads to.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory that the last component is in; of [`ROOT`], itself.
    pub parent: Id,
    /// `None` for a path that ends in `..`, or names [`ROOT`].
    pub name: Option<String>,
    pub node: Option<Id>,
}

/// By path: what it is, with the first path that is the same inode.
pub type Snapshot = BTreeMap<String, (String, String)>;

impl World {
    pub fn new(entries: &[Entry]) -> Self {
        let mut world = Self {
            nodes: vec![Node::Directory {
                entries: BTreeMap::new(),
                parent: None,
            }],
        };
        for (number, entry) in entries.iter().enumerate() {
            let (path, node) = match entry {
                Entry::Directory(path) => (
                    path,
                    Node::Directory {
                        entries: BTreeMap::new(),
                        parent: None,
                    },
                ),
                Entry::File(path) => (
                    path,
                    Node::File {
                        content: format!("content {number}"),
                    },
                ),
                Entry::Link(target, path) => (
                    path,
                    Node::Link {
                        target: target.clone(),
                    },
                ),
                Entry::Fifo(path) => (path, Node::Fifo),
                Entry::Name(old, new) => {
                    let old = world.walk(old, false).ok().and_then(|place| place.node);
                    let old = old.filter(|old| matches!(world.nodes[*old], Node::File { .. }));
                    if let (Some(old), Ok(new)) = (old, world.walk(new, false)) {
                        world.insert(&new, old);
                    }
                    continue;
                }
            };
            if let Ok(place) = world.walk(path, false) {
                world.make(&place, node);
            }
        }
        world
    }

    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    pub fn is_directory(&self, id: Id) -> bool {
        matches!(self.nodes[id], Node::Directory { .. })
    }

    pub fn parent(&self, id: Id) -> Option<Id> {
        match &self.nodes[id] {
            Node::Directory { parent, .. } => *parent,
            _ => None,
        }
    }

    /// Follows a path as the kernel does.
    pub fn walk(&self, path: &str, follow: bool) -> Result<Place, i32> {
        let components = |path: &str| -> Vec<String> {
            let components = path.split('/').filter(|name| !["", "."].contains(name));
            components.map(str::to_owned).collect()
        };
        let mut slash = path.ends_with('/');
        let mut rest: VecDeque<String> = components(path).into();
        let (mut at, mut links) = (ROOT, 0);
        while let Some(name) = rest.pop_front() {
            let Node::Directory { entries, parent } = &self.nodes[at] else {
                return Err(libc::ENOTDIR);
            };
            if name == ".." {
                at = parent.ok_or(OUTSIDE)?;
                continue;
            }
            let last = rest.is_empty();
            let Some(found) = entries.get(&name).copied() else {
                if last {
                    return Ok(Place {
                        parent: at,
                        name: Some(name),
                        node: None,
                    });
                }
                return Err(libc::ENOENT);
            };
            match &self.nodes[found] {
                Node::Link { target } if !last || follow || slash => {
                    links += 1;
                    if links > 40 {
                        return Err(libc::ELOOP);
                    }
                    slash |= last && target.ends_with('/');
                    for component in components(target).into_iter().rev() {
                        rest.push_front(component);
                    }
                    if target.starts_with('/') {
                        at = ROOT;
                    }
                }
                node if last => {
                    if slash && !matches!(node, Node::Directory { .. }) {
                        return Err(libc::ENOTDIR);
                    }
                    return Ok(Place {
                        parent: at,
                        name: Some(name),
                        node: Some(found),
                    });
                }
                _ => at = found,
            }
        }
        let parent = self.parent(at).unwrap_or(at);
        Ok(Place {
            parent,
            name: None,
            node: Some(at),
        })
    }

    /// Finds what is to be made, removed or moved: no slash makes the kernel follow a link then.
    pub fn find(&self, path: &str) -> Result<Place, i32> {
        self.walk(path.trim_end_matches('/'), false)
    }

    pub fn make(&mut self, place: &Place, node: Node) -> Option<Id> {
        let id = self.nodes.len();
        self.nodes.push(node);
        self.insert(place, id).then_some(id)
    }

    /// Puts an inode where there is none.
    pub fn insert(&mut self, place: &Place, id: Id) -> bool {
        let (Some(name), None) = (&place.name, place.node) else {
            return false;
        };
        if let Node::Directory { parent, .. } = &mut self.nodes[id] {
            *parent = Some(place.parent);
        }
        if let Node::Directory { entries, .. } = &mut self.nodes[place.parent] {
            entries.insert(name.clone(), id);
        }
        true
    }

    pub fn remove(&mut self, place: &Place) {
        if let (Some(name), Node::Directory { entries, .. }) =
            (&place.name, &mut self.nodes[place.parent])
        {
            entries.remove(name);
        }
    }

    pub fn empty(&mut self, id: Id) {
        if let Node::File { content } = &mut self.nodes[id] {
            content.clear();
        }
    }

    /// All paths, and what is there; a directory before what is in it.
    fn all(&self) -> Vec<(String, Id)> {
        let mut all = vec![(String::new(), ROOT)];
        let mut next = 0;
        while let Some((path, id)) = all.get(next).cloned() {
            next += 1;
            if let Node::Directory { entries, .. } = &self.nodes[id] {
                all.extend(entries.iter().map(|(name, id)| (join(&path, name), *id)));
            }
        }
        all
    }

    /// Makes all of it in a directory that doesn't exist yet.
    pub fn build(&self, root: &Path) {
        let mut names: BTreeMap<Id, PathBuf> = BTreeMap::new();
        for (path, id) in self.all() {
            let path = root.join(path);
            if let Some(first) = names.get(&id) {
                fs::hard_link(first, &path).unwrap();
                continue;
            }
            match &self.nodes[id] {
                Node::Directory { .. } => fs::create_dir(&path).unwrap(),
                Node::File { content } => fs::write(&path, content).unwrap(),
                Node::Link { target } => symlink(at(root, target), &path).unwrap(),
                Node::Fifo => ask::make_fifo(&path).unwrap(),
            }
            names.insert(id, path);
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        let mut first: BTreeMap<Id, String> = BTreeMap::new();
        let mut all = self.all();
        all.sort();
        all.into_iter()
            .map(|(path, id)| {
                let same = first.entry(id).or_insert_with(|| path.clone()).clone();
                let what = match &self.nodes[id] {
                    Node::Directory { .. } => "directory".to_owned(),
                    Node::File { content } => format!("file {content}"),
                    Node::Link { target } => format!("link {target}"),
                    Node::Fifo => "fifo".to_owned(),
                };
                (path, (what, same))
            })
            .collect()
    }
}

/// A path, or a link's target, on the host.
pub fn at(root: &Path, path: &str) -> PathBuf {
    match path.strip_prefix('/') {
        Some(path) => root.join(path),
        None => PathBuf::from(path),
    }
}

/// Returns the host's counterpart of [`World::snapshot`].
pub fn snapshot(root: &Path) -> Snapshot {
    let mut paths = vec![root.to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            paths.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    let name = |path: &Path| {
        path.strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    paths.sort_by_key(|path| name(path));
    let mut first: BTreeMap<u64, String> = BTreeMap::new();
    paths
        .into_iter()
        .map(|path| {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let what = if metadata.is_dir() {
                "directory".to_owned()
            } else if metadata.is_file() {
                format!("file {}", fs::read_to_string(&path).unwrap())
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                let target = target.to_str().unwrap();
                let inside = target.strip_prefix(root.to_str().unwrap());
                format!("link {}", inside.unwrap_or(target))
            } else {
                "fifo".to_owned()
            };
            let same = first
                .entry(metadata.ino())
                .or_insert_with(|| name(&path))
                .clone();
            (name(&path), (what, same))
        })
        .collect()
}

/// One of these.
pub fn one<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())].clone()
}

/// Some entries.
pub fn entries(rng: &mut Rng) -> Vec<Entry> {
    let mut entries = Vec::new();
    let (mut directories, mut files) = (vec![String::new()], Vec::new());
    let mut taken = BTreeSet::new();
    for _ in 0..rng.usize(6..26) {
        let path = format!("{}{}", one(rng, &directories), one(rng, &NAMES));
        if !taken.insert(path.clone()) {
            continue;
        }
        let entry = match rng.u8(..24) {
            0..8 => {
                if path.split('/').count() < 5 {
                    directories.push(format!("{path}/"));
                }
                Entry::Directory(path)
            }
            8..10 if !files.is_empty() => Entry::Name(one(rng, &files), path),
            10..12 => Entry::Link(format!("/{}", self::path(rng, &entries)), path),
            // No link has an empty target.
            12..14 => Entry::Link(join(".", &self::path(rng, &entries)), path),
            14 => Entry::Fifo(path),
            _ => {
                files.push(path.clone());
                Entry::File(path)
            }
        };
        entries.push(entry);
    }
    entries
}

fn join(path: &str, name: &str) -> String {
    // A path that begins with a slash would be one of the host's.
    let between = if path.is_empty() { "" } else { "/" };
    format!("{path}{between}{name}")
}

/// A path that may well lead somewhere.
pub fn path(rng: &mut Rng, entries: &[Entry]) -> String {
    let mut path = match entries.get(rng.usize(..=entries.len())) {
        Some(
            Entry::Directory(path)
            | Entry::File(path)
            | Entry::Name(_, path)
            | Entry::Link(_, path)
            | Entry::Fifo(path),
        ) => path.clone(),
        None => one(rng, &NAMES).to_owned(),
    };
    if rng.u8(..3) == 0 {
        path = match rng.u8(..10) {
            // Its directory may have been moved.
            8.. => {
                let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
                join(&join(above(directory), one(rng, &NEW)), name)
            }
            0..3 => join(&path, one(rng, &NAMES)),
            3 => join(&path, ".."),
            4 => join(&path, &format!("../{}", one(rng, &NAMES))),
            5 => format!("../{path}"),
            6 if !path.is_empty() => path + "/",
            _ => above(&path).to_owned(),
        };
    }
    path
}

/// A path at which there may well be nothing yet.
pub fn fresh(rng: &mut Rng, entries: &[Entry]) -> String {
    let beside = path(rng, entries);
    match rng.u8(..4) {
        0 => beside,
        1 => join(&beside, one(rng, &NEW)),
        _ => join(above(&beside), one(rng, &NEW)),
    }
}

fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}
