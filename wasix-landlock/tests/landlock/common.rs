//! Short forms for preopens, and files to preopen.

use std::{
    fs,
    path::{Path, PathBuf},
};

use landlock::{AccessFs, Ruleset, RulesetAttr};
use tempfile::TempDir;
use wasix_landlock::{Access, HostTarget, Kind, Mode, Policy, Preopen};

/// Denied by the restriction.
pub const DENIED: Result<(), i32> = Err(libc::EACCES);

/// A policy in mode `enforce`, whatever the environment says.
pub fn policy() -> Policy {
    Policy::default().mode(Mode::Enforce)
}

/// This kernel's Landlock ABI, as the crate reports it.
pub fn landlock_abi() -> u32 {
    let free = Policy::default().mode(Mode::BestEffort).prepare().unwrap();
    free.report().abi
}

pub fn preopen(path: impl Into<PathBuf>, kind: Kind, access: Access) -> Preopen {
    Preopen {
        guest: "/guest".to_owned(),
        origin: match kind {
            Kind::File => "preopen_file",
            Kind::Directory => "preopen_dir",
            Kind::Either => "mount",
        },
        access,
        targets: vec![HostTarget {
            path: path.into(),
            kind,
            access,
        }],
    }
}

pub fn directory(path: impl Into<PathBuf>, access: Access) -> Preopen {
    preopen(path, Kind::Directory, access)
}

pub fn file(path: impl Into<PathBuf>, access: Access) -> Preopen {
    preopen(path, Kind::File, access)
}

/// Puts the calling thread under as many layers as the kernel allows. They deny making sockets and
/// nothing else.
pub fn stack_sixteen_layers() {
    for _ in 0..16 {
        Ruleset::default()
            .handle_access(AccessFs::MakeSock)
            .unwrap()
            .create()
            .unwrap()
            .restrict_self()
            .unwrap();
    }
}

/// A temporary directory with one directory to grant and one to leave out, each with a file `file`
/// in it.
pub struct Tree {
    directory: TempDir,
}

impl Tree {
    pub fn new() -> Self {
        let tree = Self {
            directory: TempDir::new().unwrap(),
        };
        for directory in [tree.granted(), tree.outside()] {
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("file"), "content").unwrap();
        }
        tree
    }

    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    pub fn granted(&self) -> PathBuf {
        self.root().join("granted")
    }

    pub fn outside(&self) -> PathBuf {
        self.root().join("outside")
    }
}
