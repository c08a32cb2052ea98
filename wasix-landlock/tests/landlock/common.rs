//! Short forms for preopens, and files to preopen.

use std::{
    fs,
    path::{Path, PathBuf},
};

use landlock::{AccessFs, Ruleset, RulesetAttr};
use tempfile::TempDir;
use wasix_landlock::{
    Access, HostKind, HostTarget, Mode, Policy, ProtectionStatus, RecordedPreopen,
};
use wasix_landlock_testing::{ask, skip_from_anywhere};

/// Denied by the restriction.
pub const DENIED: Result<(), i32> = Err(libc::EACCES);

/// A policy in mode `enforce`, whatever the environment says, that takes nothing less than all.
pub fn strict() -> Policy {
    Policy::default().mode(Mode::Enforce)
}

/// A policy in mode `enforce` that does without what this kernel lacks. That a policy which doesn't
/// say so is refused is what the tests in `kernels` are about.
pub fn policy() -> Policy {
    without_what_lacks(strict())
}

/// Names optional what this kernel lacks, and skips the test where there is no Landlock at all.
pub fn without_what_lacks(policy: Policy) -> Policy {
    if ask::landlock_abi() == 0 {
        skip_from_anywhere("this kernel has no Landlock, or it is switched off");
    }
    let all = Policy::default().mode(Mode::BestEffort).prepare().unwrap();
    all.report()
        .protections
        .iter()
        .filter(|protection| matches!(protection.status, ProtectionStatus::NotEnforced { .. }))
        .fold(policy, |policy, lacking| policy.optional(lacking.name))
}

/// As [`policy`], and hardened.
pub fn hardened() -> Policy {
    needs(6);
    policy().harden()
}

/// Skips the test where Landlock's ABI is older.
pub fn needs(abi: u32) {
    if ask::landlock_abi() < abi {
        skip_from_anywhere(&format!("it takes Landlock ABI {abi}"));
    }
}

pub fn preopen(path: impl Into<PathBuf>, kind: HostKind, access: Access) -> RecordedPreopen {
    RecordedPreopen {
        guest: "/guest".to_owned(),
        origin: match kind {
            HostKind::File => "preopen_file",
            HostKind::Directory => "preopen_dir",
            HostKind::Either => "mount",
        },
        access,
        targets: vec![HostTarget {
            path: path.into(),
            kind,
            access,
        }],
    }
}

pub fn directory(path: impl Into<PathBuf>, access: Access) -> RecordedPreopen {
    preopen(path, HostKind::Directory, access)
}

pub fn file(path: impl Into<PathBuf>, access: Access) -> RecordedPreopen {
    preopen(path, HostKind::File, access)
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
