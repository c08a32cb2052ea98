//! The features of this kernel, asked of the kernel itself, and rulesets.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use landlock::{
    AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Errno, NetPort, PathBeneath, Rule,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

use wasix_landlock_threads::{abi, errata};

use crate::{AuditLog, Network, PrepareError, Protection, Right, Unavailable, rights::Rights};

/// The rights whose denial proves a restriction.
const PROOFS: [Right; 3] = [Right::ReadDir, Right::ReadFile, Right::MakeFifo];

/// This kernel's Landlock.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) abi: u32,
    pub(crate) errata: Option<u32>,
    /// The features of this kernel.
    pub(crate) features: Features,
}

/// Landlock features that a kernel has, or that a ruleset handles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Features {
    pub(crate) rights: Rights,
    pub(crate) network: BitFlags<AccessNet>,
    pub(crate) scopes: BitFlags<Scope>,
}

impl Kernel {
    /// Asks the kernel for everything that its ABI promises, and feature by feature if it refuses that.
    ///
    /// A kernel can have less than its ABI's number promises, so each feature counts that a ruleset
    /// can be made with.
    ///
    /// # Errors
    ///
    /// Landlock is missing, or the kernel failed to answer, for example for want of a descriptor.
    pub(crate) fn ask() -> Result<Self, PrepareError> {
        let abi = abi().map_err(|errno| PrepareError::LandlockUnavailable {
            reason: match errno {
                libc::ENOSYS => Unavailable::NotImplemented,
                libc::EOPNOTSUPP => Unavailable::NotEnabled,
                errno => Unavailable::Other(errno),
            },
        })?;
        let promised = Features::promised(abi);
        let features = if has(|ruleset| promised.handled_by(ruleset))? {
            promised
        } else {
            Features::one_by_one(abi)?
        };
        Ok(Self {
            abi,
            errata: errata(),
            features,
        })
    }
}

impl Features {
    /// Everything that a kernel of this ABI should have.
    fn promised(abi: u32) -> Self {
        let mut promised = Self {
            rights: promised_rights(abi),
            ..Self::default()
        };
        for protection in Protection::ALL.iter().copied() {
            match Need::of(protection) {
                need if need.abi() > abi => {}
                Need::Network(access, _) => promised.network |= access,
                Need::Scope(scope) => promised.scopes |= scope,
                Need::Right(_) | Need::Nothing => {}
            }
        }
        promised
    }

    /// Asks for each feature.
    fn one_by_one(abi: u32) -> Result<Self, PrepareError> {
        let mut features = Self {
            rights: rights(abi)?,
            ..Self::default()
        };
        for access in BitFlags::<AccessNet>::all().iter() {
            if has(|ruleset| ruleset.handle_access(access))? {
                features.network |= access;
            }
        }
        for scope in BitFlags::<Scope>::all().iter() {
            if has(|ruleset| ruleset.scope(scope))? {
                features.scopes |= scope;
            }
        }
        Ok(features)
    }

    /// A ruleset that handles these as well.
    fn handled_by(&self, ruleset: landlock::Ruleset) -> Result<landlock::Ruleset, RulesetError> {
        let mut ruleset = ruleset.handle_access(bits(&self.rights))?;
        // Without any feature these are errors of their own.
        if !self.network.is_empty() {
            ruleset = ruleset.handle_access(self.network)?;
        }
        if !self.scopes.is_empty() {
            ruleset = ruleset.scope(self.scopes)?;
        }
        Ok(ruleset)
    }

    /// True if the feature is among them.
    pub(crate) fn meet(&self, need: Need) -> bool {
        match need {
            Need::Right(right) => self.rights.contains(&right),
            Need::Network(access, _) => self.network.contains(access),
            Need::Scope(scope) => self.scopes.contains(scope),
            Need::Nothing => true,
        }
    }
}

fn promised_rights(abi: u32) -> Rights {
    let all = Right::ALL.iter().copied();
    all.filter(|right| right.abi() <= abi).collect()
}

/// The access rights that the kernel handles.
fn rights(abi: u32) -> Result<Rights, PrepareError> {
    let handles = |rights: &Rights| has(|ruleset| ruleset.handle_access(bits(rights)));
    // The promised rights are asked for at once, and one by one only if that fails.
    let all = || Right::ALL.iter().copied();
    let promised = promised_rights(abi);
    if handles(&promised)? {
        return Ok(promised);
    }
    let mut rights = Rights::default();
    for right in all() {
        // The base comes as a whole. Should it fail, making the final ruleset does so as well, and
        // that error has the kernel's answer in it.
        if right.abi() == 1 || handles(&[right].into())? {
            rights.insert(right);
        }
    }
    Ok(rights)
}

/// True if the kernel takes this into a ruleset.
fn has(
    handle: impl Fn(landlock::Ruleset) -> Result<landlock::Ruleset, RulesetError>,
) -> Result<bool, PrepareError> {
    let Ok(ruleset) = handle(strict()) else {
        return Ok(false);
    };
    match ruleset.create().map_err(kernels) {
        Ok(_) => Ok(true),
        // A bit that the kernel doesn't know, a field that it doesn't have, Landlock switched off. Any
        // other error says nothing of what the kernel can do.
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

/// A ruleset in which nothing is left out silently.
fn strict() -> landlock::Ruleset {
    landlock::Ruleset::default().set_compatibility(CompatLevel::HardRequirement)
}

/// The kernel's own error in one of the `landlock` crate's.
fn kernels(error: RulesetError) -> io::Error {
    io::Error::from_raw_os_error(*Errno::from(error))
}

/// The Landlock feature that a protection needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// An access right.
    Right(Right),
    /// Network access rights, and the ABI that brought them.
    Network(BitFlags<AccessNet>, u32),
    /// A scope; both came with ABI 6.
    Scope(Scope),
    /// Nothing of its own.
    Nothing,
}

impl Need {
    pub(crate) fn of(protection: Protection) -> Self {
        match protection {
            Protection::Truncate => Self::Right(Right::Truncate),
            Protection::IoctlDevice => Self::Right(Right::IoctlDev),
            Protection::ResolveUnix => Self::Right(Right::ResolveUnix),
            Protection::Tcp => Self::Network(AccessNet::BindTcp | AccessNet::ConnectTcp, 4),
            Protection::Udp => Self::Network(AccessNet::BindUdp | AccessNet::ConnectSendUdp, 10),
            Protection::SignalScope => Self::Scope(Scope::Signal),
            Protection::AbstractSocketScope => Self::Scope(Scope::AbstractUnixSocket),
            _ => Self::Nothing,
        }
    }

    /// The ABI that brought the feature.
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
#[derive(Debug)]
pub(crate) struct Builder {
    ruleset: RulesetCreated,
    network: BitFlags<AccessNet>,
    flags: u32,
    quiets_proofs: bool,
}

impl Builder {
    /// A ruleset that handles exactly this, without any rule.
    pub(crate) fn new(features: &Features, audit: AuditLog, abi: u32) -> io::Result<Self> {
        let quiets_proofs = audit.quiets_proofs(abi);
        let make = || {
            let mut ruleset = features.handled_by(strict())?;
            if quiets_proofs {
                let proofs = &features.rights & &PROOFS.into();
                ruleset = ruleset.quiet_access(bits(&proofs))?;
            }
            ruleset.create()
        };
        Ok(Self {
            ruleset: make().map_err(kernels)?,
            network: features.network,
            flags: audit.flags(abi),
            quiets_proofs,
        })
    }

    /// Grants these rights on a descriptor's file or directory, and beneath it.
    pub(crate) fn grant(&mut self, object: &impl AsFd, rights: &Rights) -> io::Result<()> {
        self.add(PathBeneath::new(object, bits(rights)))
    }

    /// Keeps attempts on this object out of the audit log, and on everything beneath it.
    pub(crate) fn quiet(&mut self, object: &impl AsFd) -> io::Result<()> {
        self.add(PathBeneath::new(object, BitFlags::EMPTY).quiet(true))
    }

    fn add(&mut self, rule: PathBeneath<impl AsFd>) -> io::Result<()> {
        let added = (&mut self.ruleset).add_rule(rule);
        added.map(drop).map_err(kernels)
    }

    /// Grants ports, as far as the network access rights are handled.
    pub(crate) fn grant_ports(&mut self, network: &Network) -> io::Result<()> {
        let operations = [
            AccessNet::BindTcp,
            AccessNet::ConnectTcp,
            AccessNet::BindUdp,
            AccessNet::ConnectSendUdp,
        ];
        for (operation, (_, ports)) in operations.into_iter().zip(network.ports()) {
            if self.network.contains(operation) {
                for port in ports {
                    let rule = NetPort::new(*port, operation);
                    (&mut self.ruleset).add_rule(rule).map_err(kernels)?;
                }
            }
        }
        Ok(())
    }

    /// True if the denied attempts that prove a restriction are to be kept out of the audit log, by
    /// [`Builder::quiet`].
    pub(crate) const fn quiets_proofs(&self) -> bool {
        self.quiets_proofs
    }

    /// # Errors
    ///
    /// None: a strict ruleset has a descriptor.
    pub(crate) fn finish(self) -> io::Result<Ruleset> {
        let descriptor: Option<OwnedFd> = self.ruleset.into();
        Ok(Ruleset {
            descriptor: descriptor.ok_or(io::ErrorKind::Unsupported)?,
            flags: self.flags,
        })
    }
}

/// A complete ruleset, and the flags to enforce it with.
#[derive(Debug)]
pub(crate) struct Ruleset {
    pub(crate) descriptor: OwnedFd,
    pub(crate) flags: u32,
}

/// The kernel's bits of these rights. A right's number is its bit.
fn bits(rights: &Rights) -> BitFlags<AccessFs> {
    let bits = rights.iter().map(|right| 1 << *right as u64).sum();
    BitFlags::from_bits_truncate(bits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_right_is_the_kernels_bit() {
        // As the `landlock` crate has them, in the kernel's order.
        for right in Right::ALL.iter().copied() {
            let name = format!("{:?}", bits(&[right].into()));
            let kernels = format!("{right:?}");
            assert!(name.contains(&kernels), "{name} {kernels}");
        }
        let all = bits(&Right::ALL.iter().copied().collect());
        assert_eq!(all, BitFlags::all());
    }

    #[test]
    fn the_features_are_the_same_at_once_and_one_by_one() {
        let Ok(kernel) = Kernel::ask() else {
            println!("SKIPPED: this kernel has no Landlock");
            return;
        };
        let asked = Features::one_by_one(kernel.abi).unwrap();
        assert_eq!(kernel.features.rights, asked.rights);
        assert_eq!(kernel.features.network, asked.network);
        assert_eq!(kernel.features.scopes, asked.scopes);
    }

    #[test]
    fn a_ruleset_quiets_the_proofs_where_the_kernel_can() {
        let Ok(kernel) = Kernel::ask() else {
            println!("SKIPPED: this kernel has no Landlock");
            return;
        };
        let mut builder = Builder::new(&kernel.features, AuditLog::default(), kernel.abi).unwrap();
        assert_eq!(builder.quiets_proofs(), kernel.abi >= 10);
        if builder.quiets_proofs() {
            builder.quiet(&std::fs::File::open("/").unwrap()).unwrap();
        }
        assert!(builder.finish().is_ok());
    }

    #[test]
    fn an_error_of_the_kernel_keeps_its_number() {
        let Ok(kernel) = Kernel::ask() else {
            println!("SKIPPED: this kernel has no Landlock");
            return;
        };
        let mut builder = Builder::new(&kernel.features, AuditLog::none(), kernel.abi).unwrap();
        // No rule goes on a pipe.
        let (pipe, _writer) = std::io::pipe().unwrap();
        let error = builder.grant(&pipe, &[Right::ReadFile].into());
        assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EBADFD));
    }
}
