//! What this kernel can enforce, asked of the kernel itself.

use std::os::fd::OwnedFd;

use landlock::{
    AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError,
};

use super::sys;
use crate::{Protection, Right, Unavailable, rights::Rights};

/// This kernel's Landlock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    pub(crate) abi: u32,
    pub(crate) errata: Option<u32>,
    /// The access rights it handles.
    pub(crate) rights: Rights,
}

impl Kernel {
    /// Asks the kernel, right by right.
    ///
    /// The ABI's number is for the report only: a kernel can have less than its number promises,
    /// so each right counts that a ruleset can be made with.
    pub(crate) fn ask() -> Result<Self, Unavailable> {
        let abi = sys::abi().map_err(|errno| match errno {
            libc::ENOSYS => Unavailable::NotImplemented,
            libc::EOPNOTSUPP => Unavailable::NotEnabled,
            errno => Unavailable::Other(errno),
        })?;
        let (base, later): (Vec<Right>, Vec<Right>) = Right::ALL
            .iter()
            .copied()
            .partition(|right| right.abi() == 1);
        let mut rights: Rights = base.into_iter().collect();
        // The base comes as a whole. Should it fail, making the final ruleset does so as well, and
        // that error has the kernel's answer in it.
        rights.extend(
            later
                .into_iter()
                .filter(|right| Builder::new([*right].into_iter().collect()).is_ok()),
        );
        Ok(Self {
            abi,
            errata: sys::errata(),
            rights,
        })
    }
}

/// The access right behind a protection; `None` for the one that is about threads.
pub(crate) const fn right_of(protection: Protection) -> Option<Right> {
    match protection {
        Protection::Truncate => Some(Right::Truncate),
        Protection::IoctlDevice => Some(Right::IoctlDev),
        Protection::ResolveUnix => Some(Right::ResolveUnix),
        Protection::AllThreads => None,
    }
}

/// A ruleset to which rules are added.
#[derive(Debug)]
pub(crate) struct Builder(RulesetCreated);

impl Builder {
    /// A ruleset that handles exactly these rights, without any rule.
    pub(crate) fn new(handled: Rights) -> Result<Self, RulesetError> {
        // Left to itself, the crate drops what it takes the kernel not to have.
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(flags(handled))?
            .create()
            .map(Self)
    }

    /// Grants these rights on what a descriptor stands for, and beneath it.
    pub(crate) fn grant(
        &mut self,
        object: &impl std::os::fd::AsFd,
        rights: Rights,
    ) -> Result<(), RulesetError> {
        (&mut self.0)
            .add_rule(PathBeneath::new(object, flags(rights)))
            .map(drop)
    }

    /// The descriptor; there always is one, since the ruleset was made under a hard requirement.
    pub(crate) fn into_descriptor(self) -> Option<OwnedFd> {
        self.0.into()
    }
}

fn flags(rights: Rights) -> BitFlags<AccessFs> {
    rights
        .iter()
        .map(|right| match right {
            Right::Execute => AccessFs::Execute,
            Right::WriteFile => AccessFs::WriteFile,
            Right::ReadFile => AccessFs::ReadFile,
            Right::ReadDir => AccessFs::ReadDir,
            Right::RemoveDir => AccessFs::RemoveDir,
            Right::RemoveFile => AccessFs::RemoveFile,
            Right::MakeChar => AccessFs::MakeChar,
            Right::MakeDir => AccessFs::MakeDir,
            Right::MakeReg => AccessFs::MakeReg,
            Right::MakeSock => AccessFs::MakeSock,
            Right::MakeFifo => AccessFs::MakeFifo,
            Right::MakeBlock => AccessFs::MakeBlock,
            Right::MakeSym => AccessFs::MakeSym,
            Right::Refer => AccessFs::Refer,
            Right::Truncate => AccessFs::Truncate,
            Right::IoctlDev => AccessFs::IoctlDev,
            Right::ResolveUnix => AccessFs::ResolveUnix,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_is_the_kernels_bit() {
        for right in Right::ALL {
            let set: Rights = [*right].into_iter().collect();
            assert_eq!(flags(set).bits(), 1 << *right as u64, "{right}");
        }
    }
}
