//! The directories of a side, as the host sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use anyhow::anyhow;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};

use crate::native::{from_stat, keep_accessed, list};
use crate::outcome::{Clock, Kind, Meta, Outcome, show};

/// Files that are longer are compared by their beginning.
const LONGEST: u64 = 1 << 20;

/// An entry.
#[derive(Debug)]
pub struct Entry {
    meta: Meta,
    /// A file's content, a link's target.
    content: String,
}

/// All entries, by their path from the side's directory.
#[derive(Debug, Default)]
pub struct Disk(BTreeMap<String, Entry>);

impl Disk {
    /// Reads `p` and `q` in `root`.
    ///
    /// # Errors
    /// If something can't be read.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let mut disk = Self::default();
        for name in ["p", "q"] {
            disk.add(root, name)?;
        }
        Ok(disk)
    }

    fn add(&mut self, root: &Path, name: &str) -> anyhow::Result<()> {
        let path = root.join(name);
        let meta = from_stat(&statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW)?);
        let mut content = String::new();
        match meta.kind {
            Kind::Directory => {
                // As if nobody had listed it. Without permission, as the sides have it.
                if let Ok(directory) = open_unseen(&path) {
                    for (below, _, _) in list(directory.as_fd()).unwrap_or_default() {
                        if ![".", ".."].contains(&below.as_str()) {
                            self.add(root, &format!("{name}/{below}"))?;
                        }
                    }
                }
            }
            Kind::Link => {
                let link = openat(CWD, &path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
                let target = keep_accessed(link.as_fd(), || fs::read_link(&path));
                let target =
                    target.map_err(|refusal| anyhow!("{path:?}: {}", refusal.name()))??;
                content = target.to_string_lossy().into_owned();
            }
            Kind::File if meta.size <= LONGEST => {
                if let Ok(file) = open_unseen(&path) {
                    let mut bytes = Vec::new();
                    File::from(file).read_to_end(&mut bytes)?;
                    content = show(&bytes);
                }
            }
            _ => {}
        }
        self.0.insert(name.to_owned(), Entry { meta, content });
        Ok(())
    }

    /// The paths of an inode.
    #[must_use]
    pub fn names(&self, inode: u64) -> String {
        let entries = self.0.iter();
        let found: Vec<&str> = entries
            .filter(|(_, entry)| entry.meta.inode == inode)
            .map(|(name, _)| name.as_str())
            .collect();
        if found.is_empty() {
            return "nothing".to_owned();
        }
        found.join(",")
    }

    /// Puts the paths of the files that a call returned in the place of their inodes.
    pub fn identify(&self, outcome: &mut Outcome) {
        if let Some((device, inode)) = outcome.id {
            let mut entries = self.0.values();
            let there =
                entries.any(|entry| (entry.meta.device, entry.meta.inode) == (device, inode));
            let names = self.names(inode);
            let file = if there || names == "nothing" {
                names
            } else {
                format!("{names} of another device")
            };
            outcome.fields.push(("file".into(), file));
        }
        if !outcome.inodes.is_empty() {
            let names: Vec<String> = outcome
                .inodes
                .iter()
                // Where the parent of `p` lies is another matter.
                .filter(|(name, _)| name != "..")
                .map(|(name, inode)| format!("{name}={}", self.names(*inode)))
                .collect();
            outcome.fields.push(("files".into(), names.join(" ")));
        }
    }

    /// The differences: the path, the field, the native side's and the module's.
    #[must_use]
    pub fn compare(&self, module: &Self, clock: Clock) -> Vec<DiskDifference> {
        let names: BTreeSet<&String> = self.0.keys().chain(module.0.keys()).collect();
        let mut found = Vec::new();
        for name in names {
            let (ours, theirs) = (self.0.get(name), module.0.get(name));
            let inodes = [ours, theirs].map(|entry| entry.map(|entry| entry.meta.inode));
            let mut add = |field: &str, native: &str, module: &str| {
                found.push(DiskDifference {
                    path: name.clone(),
                    inodes,
                    field: field.to_owned(),
                    native: native.to_owned(),
                    module: module.to_owned(),
                });
            };
            match (ours, theirs) {
                (Some(native), Some(module)) => {
                    let fields = native.fields(clock).into_iter();
                    for ((field, native), (_, module)) in fields.zip(module.fields(clock)) {
                        if native != module {
                            add(field, &native, &module);
                        }
                    }
                }
                (Some(native), None) => {
                    let kind = native.meta.kind.name();
                    add("missing", kind, "nothing");
                }
                (None, Some(module)) => add("extra", "nothing", module.meta.kind.name()),
                (None, None) => {}
            }
        }
        found
    }
}

/// Opens to read, without a trace in the times.
fn open_unseen(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOATIME | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
}

/// A difference between the directories of the sides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiskDifference {
    /// The entry.
    pub path: String,
    /// The inodes, the native side's first.
    pub inodes: [Option<u64>; 2],
    /// `missing` and `extra`, as the module's side has it, or what differs.
    pub field: String,
    /// The native side's.
    pub native: String,
    /// The module's.
    pub module: String,
}

impl DiskDifference {
    /// True if only metadata differs.
    #[must_use]
    pub fn is_metadata(&self) -> bool {
        ["nlink", "atim", "mtim"].contains(&self.field.as_str())
    }

    /// True if this one is among the differences before: of the same entry, or, if only metadata differs, of the same
    /// files under another name.
    #[must_use]
    pub fn was_among(&self, before: &[Self]) -> bool {
        before.iter().any(|known| {
            let same =
                known.path == self.path || (self.is_metadata() && known.inodes == self.inodes);
            same && (&known.field, &known.native, &known.module)
                == (&self.field, &self.native, &self.module)
        })
    }
}

impl Entry {
    fn fields(&self, clock: Clock) -> [(&'static str, String); 6] {
        let size = match self.meta.kind {
            Kind::File => self.meta.size.to_string(),
            _ => String::new(),
        };
        [
            ("type", self.meta.kind.name().to_owned()),
            ("content", self.content.clone()),
            ("size", size),
            ("nlink", self.meta.links.to_string()),
            ("atim", clock.show(self.meta.times[0].into())),
            ("mtim", clock.show(self.meta.times[1].into())),
        ]
    }
}
