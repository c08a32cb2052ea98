//! The directories of a side, as the host sees them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, statat};

use crate::native::from_stat;
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
    pub fn read(root: &Path, contents: bool) -> anyhow::Result<Self> {
        let mut disk = Self::default();
        for name in ["p", "q"] {
            disk.add(root, name, contents)?;
        }
        Ok(disk)
    }

    fn add(&mut self, root: &Path, name: &str, contents: bool) -> anyhow::Result<()> {
        let path = root.join(name);
        let meta = from_stat(&statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW)?);
        let mut content = String::new();
        match meta.kind {
            Kind::Directory => {
                for entry in fs::read_dir(&path)? {
                    let below = entry?.file_name().to_string_lossy().into_owned();
                    self.add(root, &format!("{name}/{below}"), contents)?;
                }
            }
            Kind::Link => content = fs::read_link(&path)?.to_string_lossy().into_owned(),
            Kind::File if contents && meta.size <= LONGEST => {
                content = show(&fs::read(&path)?);
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

    /// Puts the paths of the inodes that a call returned in their place.
    pub fn identify(&self, outcome: &mut Outcome) {
        if let Some((device, inode)) = outcome.id {
            let names = self.names(inode);
            let right = self
                .0
                .values()
                .any(|entry| (entry.meta.device, entry.meta.inode) == (device, inode));
            if names != "nothing" {
                outcome.fields.push(("dev", right.to_string()));
            }
            outcome.fields.push(("ino", names));
        }
        if !outcome.inodes.is_empty() {
            let names: Vec<String> = outcome
                .inodes
                .iter()
                // Where the parent of `p` lies is another matter.
                .filter(|(name, _)| name != "..")
                .map(|(name, inode)| format!("{name}={}", self.names(*inode)))
                .collect();
            outcome.fields.push(("inos", names.join(" ")));
        }
    }

    /// Each path with the differences: the key, the native side's and the module's.
    #[must_use]
    pub fn compare(&self, module: &Self, clock: Clock) -> Vec<(String, Vec<[String; 3]>)> {
        let names: std::collections::BTreeSet<&String> =
            self.0.keys().chain(module.0.keys()).collect();
        names
            .into_iter()
            .map(|name| {
                let found = match (self.0.get(name), module.0.get(name)) {
                    (Some(native), Some(module)) => native.compare(module, clock),
                    (Some(native), None) => {
                        vec![native.key("missing", "there", "missing")]
                    }
                    (None, Some(module)) => vec![module.key("extra", "missing", "there")],
                    (None, None) => Vec::new(),
                };
                (name.clone(), found)
            })
            .collect()
    }
}

impl Entry {
    fn key(&self, field: &str, native: &str, module: &str) -> [String; 3] {
        let key = format!("disk({}).{field}", self.meta.kind.name());
        [key, native.to_owned(), module.to_owned()]
    }

    fn compare(&self, module: &Self, clock: Clock) -> Vec<[String; 3]> {
        let fields = |entry: &Self| {
            let size = match entry.meta.kind {
                Kind::File => entry.meta.size.to_string(),
                _ => String::new(),
            };
            [
                ("type", entry.meta.kind.name().to_owned()),
                ("content", entry.content.clone()),
                ("size", size),
                ("nlink", entry.meta.links.to_string()),
                ("mtim", clock.show(entry.meta.times[1].into())),
            ]
        };
        fields(self)
            .into_iter()
            .zip(fields(module))
            .filter(|((_, native), (_, module))| native != module)
            .map(|((field, native), (_, module))| self.key(field, &native, &module))
            .collect()
    }
}
