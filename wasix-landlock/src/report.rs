//! Reports of enforcement and of denials, for people and for programs.

mod denials;
mod explain;
mod text;

pub use denials::{DENIAL_SCHEMA, DenialEvent, DenialReport, DenialsReport};

use std::mem;

use serde::{Deserialize, Serialize};

use crate::{
    Access, DescriptorsReport, HostKind, HostTarget, Layer, Level, Mode, Network, Object, Policy,
    Protection, RecordedPreopen, Right, Scope,
};
use crate::{names::list, policy::RuntimePath};

/// A report of the restriction: the rights and protections that the kernel enforces on this process, and the gaps.
///
/// Paths are text here, with replacement characters where they aren't UTF-8. The `Display` form is a text for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The mode that was in force.
    pub mode: Mode,
    /// The part of the process that is restricted.
    pub scope: Scope,
    /// True if the calling thread is restricted. [`Report::not_enforced`] names the threads that aren't.
    pub enforced: bool,
    /// True if the restriction was only shown, by [`Policy::show`](crate::Policy::show).
    #[serde(default)]
    pub only_shown: bool,
    /// True if the process was restricted already and this policy lies within that.
    pub joined: bool,
    /// The kernel's Landlock ABI, 0 without Landlock.
    pub abi: u32,
    /// The kernel's bit mask of fixed Landlock errata; `None` if the kernel reports none.
    pub errata: Option<u32>,
    /// The handled access rights: denied wherever they aren't granted.
    pub handled: Vec<Right>,
    /// Every preopen, in the order in which they were recorded.
    pub preopens: Vec<PreopenReport>,
    /// Every runtime path, in the order in which they were given.
    pub runtime_paths: Vec<RuntimePathReport>,
    /// Every protection.
    pub protections: Vec<ProtectionReport>,
    /// The ports that are granted; `None` if the network isn't restricted.
    pub network: Option<Network>,
    /// The descriptors that were open when the policy was enforced; `None` before that, when an earlier policy had
    /// restricted the process, when nothing is restricted, and for an instance unless the policy refuses what is open.
    pub descriptors: Option<DescriptorsReport>,
    /// The restriction of the threads; `None` when none was restricted.
    pub threads: Option<ThreadsReport>,
    /// The policy from outside, if [`POLICY_VARIABLE`](crate::POLICY_VARIABLE) names one.
    #[serde(default)]
    pub outside: Option<OutsideReport>,
    /// Requests of the policy that are not enforced, in words.
    pub not_enforced: Vec<String>,
    /// Surprising effects of the restriction, in words.
    pub warnings: Vec<String>,
    /// The denials until the report was asked for, where the runtime knows them.
    #[serde(default)]
    pub denials: DenialsReport,
}

/// A preopen in a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PreopenReport {
    /// The path under which the module sees the preopen.
    pub guest: String,
    /// The builder call that named the preopen.
    pub origin: String,
    /// The access that was asked for.
    pub asked: Access,
    /// The outcomes.
    pub status: Status,
    /// The host paths behind the preopen.
    pub hosts: Vec<HostReport>,
}

/// The result of a preopen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// Every right that the preopen needs is granted.
    Granted,
    /// Nothing of the host is behind it.
    Virtual,
    /// Some of the rights that the preopen needs are granted.
    PartlyGranted,
    /// None of the rights that the preopen needs is granted: the module gets `EACCES`.
    NotGranted,
    /// Nothing is restricted, so that no grant is needed.
    Unrestricted,
}

/// A host path in a [`PreopenReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostReport {
    /// The path as it was given.
    pub path: String,
    /// The resolved path, absolute and without symbolic links; `None` if there is none.
    pub resolved: Option<String>,
    /// The kind that the caller named.
    pub kind: HostKind,
    /// The kind that was found; `None` if that could not be told.
    pub found: Option<Object>,
    /// The access from which the rule was made.
    pub access: Access,
    /// The access rights that the rule grants.
    pub granted: Vec<Right>,
    /// The access rights that are missing.
    pub not_granted: Vec<NotGranted>,
    /// True if the file was missing and was created, or would be.
    pub created: bool,
}

/// An access right that isn't granted, in a [`HostReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotGranted {
    /// The right.
    pub right: Right,
    /// The reason, in words.
    pub why: String,
}

/// A runtime path in a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RuntimePathReport {
    /// The path as it was given.
    pub path: String,
    /// The resolved path; `None` if there is none.
    pub resolved: Option<String>,
    /// The purpose.
    pub reason: String,
    /// The access that was asked for.
    pub access: Access,
    /// The outcomes.
    pub status: RuntimePathStatus,
}

/// The result of a runtime path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RuntimePathStatus {
    /// Granted as far as the kernel has the rights.
    Granted,
    /// Nothing is there. The kernel has no rule for a missing file: should it appear, the path is denied.
    Absent,
    /// The path is there and isn't granted.
    NotGranted {
        /// The reason, in words.
        why: String,
    },
    /// Nothing is restricted, so that no grant is needed.
    Unrestricted,
}

/// A protection in a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProtectionReport {
    /// The protection.
    pub name: Protection,
    /// The level at which the policy wants the protection.
    pub level: Level,
    /// The state of the protection.
    pub status: ProtectionStatus,
    /// The layers that enforce the protection; empty where none does.
    pub by: Vec<Layer>,
}

/// The state of a protection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProtectionStatus {
    /// The kernel enforces the protection.
    Enforced,
    /// The policy doesn't want the protection.
    Off,
    /// The protection is not enforced although the policy wants it.
    NotEnforced {
        /// The reason, in words.
        why: String,
    },
}

/// The restriction of the threads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ThreadsReport {
    /// By which way.
    pub method: SweepMethod,
    /// Threads that were found, the calling one included, without those that were gone.
    pub total: usize,
    /// Threads in which the probe was allowed before and denied after.
    pub proved: usize,
    /// Threads in which the probe was denied before already, as in one that a restricted thread has started.
    pub inherited: usize,
    /// Threads that ended before they were reached.
    pub gone: usize,
    /// Threads that could not be shown to be restricted. Zero unless the policy lets that pass.
    pub unreached: usize,
    /// The number of times the threads were listed.
    pub rounds: usize,
    /// The attempt in each thread; `None` if nothing could serve as proof.
    pub probe: Option<String>,
    /// The elapsed time, in microseconds.
    pub elapsed_us: u64,
}

/// The method by which threads were restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SweepMethod {
    /// The kernel restricted all threads at once (`LANDLOCK_RESTRICT_SELF_TSYNC`, ABI 8), then each was visited for
    /// the proof.
    #[serde(rename = "kernel thread sync")]
    KernelThreadSync,
    /// Each one was visited with a signal and restricted itself.
    #[serde(rename = "visited one by one")]
    VisitedOneByOne,
    /// The calling thread alone restricted itself, and the threads that it starts inherit.
    #[serde(rename = "calling thread")]
    CallingThread,
    /// An earlier policy restricted the threads, and later ones inherit.
    #[serde(rename = "joined")]
    Joined,
}

/// The part of a report about a policy from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideReport {
    /// The files that were read, or the path in the variable where the program refuses a policy from outside.
    pub files: Vec<String>,
    /// True if the program refuses a policy from outside: nothing was taken away.
    pub refused: bool,
    /// Each part that was taken from the program's grants, in words.
    pub taken: Vec<String>,
}

impl HostReport {
    /// A host path of which nothing was looked at yet.
    pub(crate) fn of(target: &HostTarget, preopen: Access) -> Self {
        Self {
            path: target.path.to_string_lossy().into_owned(),
            resolved: None,
            kind: target.kind,
            found: None,
            access: target.access.intersection(preopen),
            granted: Vec::new(),
            not_granted: Vec::new(),
            created: false,
        }
    }
}

impl PreopenReport {
    /// A preopen with the result of its host paths.
    pub(crate) fn of(preopen: &RecordedPreopen, status: Status, hosts: Vec<HostReport>) -> Self {
        Self {
            guest: preopen.guest.clone(),
            origin: preopen.origin.to_owned(),
            asked: preopen.access,
            status,
            hosts,
        }
    }
}

impl RuntimePathReport {
    /// A runtime path with its result.
    pub(crate) fn of(
        path: &RuntimePath,
        resolved: Option<String>,
        status: RuntimePathStatus,
    ) -> Self {
        Self {
            path: path.path.to_string_lossy().into_owned(),
            resolved,
            reason: path.reason.clone(),
            access: path.access,
            status,
        }
    }
}

impl ProtectionReport {
    /// Every protection, at the policy's level, with the status of that level.
    pub(crate) fn of(policy: &Policy, status: impl Fn(Level) -> ProtectionStatus) -> Vec<Self> {
        let report = |name: &Protection| Self {
            name: *name,
            level: policy.level(*name),
            status: status(policy.level(*name)),
            by: Vec::new(),
        };
        Protection::ALL.iter().map(report).collect()
    }

    /// Every protection where nothing is enforced.
    pub(crate) fn of_nothing(policy: &Policy, why: &str) -> Vec<Self> {
        Self::of(policy, |level| match level {
            Level::Off => ProtectionStatus::Off,
            Level::Strict | Level::Degradable => ProtectionStatus::NotEnforced {
                why: why.to_owned(),
            },
        })
    }
}

impl Report {
    /// The report of a policy of which nothing was looked at yet. It takes over the policy's own remarks.
    pub(crate) fn begun(policy: &mut Policy, mode: Mode, only_shown: bool) -> Self {
        Self {
            mode,
            scope: policy.scope,
            only_shown,
            warnings: mem::take(&mut policy.warnings),
            outside: policy.outside.take(),
            ..Self::default()
        }
    }

    /// True if a policy that is only shown would restrict anything.
    fn would_restrict(&self) -> bool {
        self.only_shown && !self.handled.is_empty()
    }

    /// Says why sending by UDP is refused, and with it DNS, although TCP ports can be connected to; `None` where that
    /// isn't so.
    ///
    /// ```no_run
    /// use wasix_landlock::{Network, Policy};
    ///
    /// let report = Policy::default().network(Network::none().connect(443)).enforce()?;
    /// if let (Err(error), Some(why)) = (std::net::TcpStream::connect("example.com:443"), report.lacks_dns()) {
    ///     eprintln!("{error}: {why}");
    /// }
    /// # Ok::<(), wasix_landlock::Error>(())
    /// ```
    #[must_use]
    pub fn lacks_dns(&self) -> Option<String> {
        let network = self
            .network
            .as_ref()
            .filter(|network| network.lacks_dns())?;
        let udp = self
            .protections
            .iter()
            .find(|p| p.name == Protection::Udp)?;
        if udp.status != ProtectionStatus::Enforced {
            return None;
        }
        let remedy = if udp.by.contains(&Layer::Landlock) {
            "grant `send_udp(53)`".to_owned()
        } else {
            format!(
                "this kernel (Landlock ABI {}) can't tell UDP ports apart, which needs ABI 10: \
                 connect to addresses, resolve names before, or turn `{}` off",
                self.abi, udp.name
            )
        };
        Some(format!(
            "TCP port {} may be connected to, but sending by UDP is refused, so DNS can't resolve \
             names; {remedy}",
            list(&network.connect, ", ")
        ))
    }

    /// True if this protection is enforced.
    #[must_use]
    pub fn protects(&self, protection: Protection) -> bool {
        self.enforced
            && self
                .protections
                .iter()
                .any(|p| p.name == protection && p.status == ProtectionStatus::Enforced)
    }
}
