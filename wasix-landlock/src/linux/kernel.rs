//! The features of this kernel, asked of the kernel itself.

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use super::sys::{self, Domain, Handled};
use crate::{AuditLog, Network, PrepareError, Protection, Right, Unavailable, rights::Rights};

/// `LANDLOCK_ACCESS_NET_BIND_TCP` and `..._CONNECT_TCP` in `linux/landlock.h`, ABI 4.
const BIND_TCP: u64 = 1 << 0;
const CONNECT_TCP: u64 = 1 << 1;
/// `LANDLOCK_ACCESS_NET_BIND_UDP` and `..._CONNECT_SEND_UDP` in `linux/landlock.h`, ABI 10.
const BIND_UDP: u64 = 1 << 2;
const SEND_UDP: u64 = 1 << 3;
/// `LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET` and `LANDLOCK_SCOPE_SIGNAL` in `linux/landlock.h`, ABI 6.
const SCOPE_ABSTRACT_SOCKET: u64 = 1 << 0;
const SCOPE_SIGNAL: u64 = 1 << 1;

/// The rights whose denial proves a restriction.
const PROOFS: [Right; 3] = [Right::ReadDir, Right::ReadFile, Right::MakeFifo];

/// This kernel's Landlock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    pub(crate) abi: u32,
    pub(crate) errata: Option<u32>,
    /// The access rights it handles.
    pub(crate) rights: Rights,
    /// The network access rights it handles.
    pub(crate) network: u64,
    /// The scopes it has.
    pub(crate) scopes: u64,
}

impl Kernel {
    /// Asks the kernel, right by right.
    ///
    /// The ABI's number is for the report only: a kernel can have less than its number promises,
    /// so each right counts that a ruleset can be made with.
    ///
    /// # Errors
    ///
    /// Landlock is missing, or the kernel failed to answer, for example for want of a descriptor.
    pub(crate) fn ask() -> Result<Self, PrepareError> {
        let abi = sys::abi().map_err(|errno| PrepareError::LandlockUnavailable {
            reason: match errno {
                libc::ENOSYS => Unavailable::NotImplemented,
                libc::EOPNOTSUPP => Unavailable::NotEnabled,
                errno => Unavailable::Other(errno),
            },
        })?;
        Ok(Self {
            abi,
            errata: sys::errata(),
            rights: rights(abi)?,
            network: each([BIND_TCP, CONNECT_TCP, BIND_UDP, SEND_UDP], |access_net| {
                Handled {
                    access_net,
                    ..Handled::default()
                }
            })?,
            scopes: each([SCOPE_ABSTRACT_SOCKET, SCOPE_SIGNAL], |scoped| Handled {
                scoped,
                ..Handled::default()
            })?,
        })
    }

    /// True if this kernel has a feature.
    pub(crate) fn meets(&self, need: Need) -> bool {
        match need {
            Need::Right(right) => self.rights.contains(right),
            Need::Network(bits, _) => self.network & bits == bits,
            Need::Scope(bit) => self.scopes & bit != 0,
            Need::Nothing => true,
        }
    }
}

/// The access rights that the kernel handles.
fn rights(abi: u32) -> Result<Rights, PrepareError> {
    let handled = |rights: Rights| Handled {
        access_fs: bits(rights),
        ..Handled::default()
    };
    // What the number promises comes at once, and one by one only if it isn't so.
    let promised: Rights = Right::ALL
        .iter()
        .copied()
        .filter(|right| right.abi() <= abi)
        .collect();
    let has_promised = has(handled(promised))?;
    let mut rights = Rights::default();
    for right in Right::ALL.iter().copied() {
        // The base comes as a whole. Should it fail, making the final ruleset does so as well, and
        // that error has the kernel's answer in it.
        if right.abi() == 1
            || (has_promised && promised.contains(right))
            || has(handled([right].into_iter().collect()))?
        {
            rights.extend([right]);
        }
    }
    Ok(rights)
}

/// Returns the bits that the kernel takes into a ruleset.
fn each<const N: usize>(
    bits: [u64; N],
    handled: impl Fn(u64) -> Handled,
) -> Result<u64, PrepareError> {
    bits.into_iter().try_fold(0, |all, bit| {
        Ok(if has(handled(bit))? { all | bit } else { all })
    })
}

/// True if the kernel takes this into a ruleset.
fn has(handled: Handled) -> Result<bool, PrepareError> {
    match sys::create_ruleset(&handled) {
        Ok(_) => Ok(true),
        // A bit that it doesn't know, a field that it doesn't have, Landlock switched off. Any other
        // error says nothing of what the kernel can do.
        Err(source)
            if matches!(
                source.raw_os_error(),
                Some(libc::EINVAL | libc::E2BIG | libc::EOPNOTSUPP)
            ) =>
        {
            Ok(false)
        }
        Err(source) => Err(PrepareError::Kernel { source }),
    }
}

/// The Landlock feature that a protection needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// An access right.
    Right(Right),
    /// Network access rights, and the ABI that brought them.
    Network(u64, u32),
    /// A scope; both came with ABI 6.
    Scope(u64),
    /// Nothing of its own.
    Nothing,
}

impl Need {
    pub(crate) const fn of(protection: Protection) -> Self {
        match protection {
            Protection::Truncate => Self::Right(Right::Truncate),
            Protection::IoctlDevice => Self::Right(Right::IoctlDev),
            Protection::ResolveUnix => Self::Right(Right::ResolveUnix),
            Protection::Tcp => Self::Network(BIND_TCP | CONNECT_TCP, 4),
            Protection::Udp => Self::Network(BIND_UDP | SEND_UDP, 10),
            Protection::SignalScope => Self::Scope(SCOPE_SIGNAL),
            Protection::AbstractSocketScope => Self::Scope(SCOPE_ABSTRACT_SOCKET),
            _ => Self::Nothing,
        }
    }

    /// The ABI that brought it.
    pub(crate) const fn abi(self) -> u32 {
        match self {
            Self::Right(right) => right.abi(),
            Self::Network(_, abi) => abi,
            Self::Scope(_) => 6,
            Self::Nothing => 1,
        }
    }
}

/// A ruleset to which rules are added.
///
/// The `landlock` crate has no UDP yet, and a ruleset can't be started there and ended here.
#[derive(Debug)]
pub(crate) struct Builder(Ruleset);

/// A ruleset, and what the audit log records of it.
#[derive(Debug)]
pub(crate) struct Ruleset {
    descriptor: OwnedFd,
    flags: u32,
    /// True if the denied attempts that prove a restriction are kept out of the audit log.
    quiets_proofs: bool,
}

impl Builder {
    /// A ruleset that handles exactly this, without any rule.
    pub(crate) fn new(
        rights: Rights,
        network: u64,
        scopes: u64,
        audit: AuditLog,
        abi: u32,
    ) -> io::Result<Self> {
        let quiets_proofs = audit.quiets_proofs(abi);
        let quiet = if quiets_proofs {
            rights.intersection(PROOFS.into_iter().collect())
        } else {
            Rights::default()
        };
        let descriptor = sys::create_ruleset(&Handled {
            access_fs: bits(rights),
            access_net: network,
            scoped: scopes,
            quiet_access_fs: bits(quiet),
            ..Handled::default()
        })?;
        Ok(Self(Ruleset {
            descriptor,
            flags: audit.flags(abi),
            quiets_proofs,
        }))
    }

    /// Grants these rights on what a descriptor stands for, and beneath it.
    pub(crate) fn grant(&mut self, object: &impl AsFd, rights: Rights) -> io::Result<()> {
        sys::add_path_rule(self.0.descriptor.as_fd(), object.as_fd(), bits(rights))
    }

    /// Grants ports, as far as the network access rights are handled.
    pub(crate) fn grant_ports(&mut self, network: &Network, handled: u64) -> io::Result<()> {
        let ports = [
            (BIND_TCP, &network.bind_tcp),
            (CONNECT_TCP, &network.connect_tcp),
            (BIND_UDP, &network.bind_udp),
            (SEND_UDP, &network.send_udp),
        ];
        let all: BTreeSet<u16> = ports
            .iter()
            .flat_map(|(_, ports)| *ports)
            .copied()
            .collect();
        for port in all {
            let access: u64 = ports
                .iter()
                .filter(|(bit, ports)| handled & bit != 0 && ports.contains(&port))
                .map(|(bit, _)| bit)
                .sum();
            if access != 0 {
                sys::add_port_rule(self.0.descriptor.as_fd(), port, access)?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Ruleset {
        self.0
    }
}

impl Ruleset {
    pub(crate) fn domain(&self) -> Domain {
        Domain {
            ruleset: self.descriptor.as_raw_fd(),
            flags: self.flags,
        }
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// True if the denied attempts that prove a restriction are to be kept out of the audit log, by
    /// [`Ruleset::quiet`].
    pub(crate) const fn quiets_proofs(&self) -> bool {
        self.quiets_proofs
    }

    /// Keeps attempts on this object out of the audit log, and on everything beneath it.
    pub(crate) fn quiet(&self, object: BorrowedFd<'_>) -> io::Result<()> {
        sys::add_quiet_rule(self.descriptor.as_fd(), object)
    }
}

/// The kernel's bits of these rights. A right's number is its bit.
fn bits(rights: Rights) -> u64 {
    rights.iter().map(|right| 1 << right as u64).sum()
}

#[cfg(test)]
mod tests {
    use landlock::{AccessFs, AccessNet, BitFlags, Scope};

    use super::*;

    #[test]
    fn every_right_is_the_kernels_bit() {
        // As the `landlock` crate has them, in the kernel's order.
        let all = bits(Right::ALL.iter().copied().collect());
        assert_eq!(all, BitFlags::<AccessFs>::all().bits());
        for (right, bit) in [
            (Right::Execute, AccessFs::Execute),
            (Right::WriteFile, AccessFs::WriteFile),
            (Right::ReadFile, AccessFs::ReadFile),
            (Right::ReadDir, AccessFs::ReadDir),
            (Right::RemoveDir, AccessFs::RemoveDir),
            (Right::RemoveFile, AccessFs::RemoveFile),
            (Right::MakeChar, AccessFs::MakeChar),
            (Right::MakeDir, AccessFs::MakeDir),
            (Right::MakeReg, AccessFs::MakeReg),
            (Right::MakeSock, AccessFs::MakeSock),
            (Right::MakeFifo, AccessFs::MakeFifo),
            (Right::MakeBlock, AccessFs::MakeBlock),
            (Right::MakeSym, AccessFs::MakeSym),
            (Right::Refer, AccessFs::Refer),
            (Right::Truncate, AccessFs::Truncate),
            (Right::IoctlDev, AccessFs::IoctlDev),
            (Right::ResolveUnix, AccessFs::ResolveUnix),
        ] {
            assert_eq!(bits([right].into_iter().collect()), bit as u64, "{right}");
        }
        assert_eq!(BIND_TCP, AccessNet::BindTcp as u64);
        assert_eq!(CONNECT_TCP, AccessNet::ConnectTcp as u64);
        assert_eq!(SCOPE_ABSTRACT_SOCKET, Scope::AbstractUnixSocket as u64);
        assert_eq!(SCOPE_SIGNAL, Scope::Signal as u64);
    }
}
