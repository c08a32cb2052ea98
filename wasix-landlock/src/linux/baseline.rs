//! The base of a policy: rules are checked against it or added to it, and layers enforce its protections.

use std::sync::Arc;

use wasix_landlock_filter::Filter;

use super::{
    kernel::{Builder, Features, Kernel, Need},
    membership::{self, Place},
    process::{self, Enforced, Process},
};
use crate::{
    Layer, Level, Mode, Policy, PrepareError, Protection, ProtectionReport, ProtectionStatus,
    Report, Right, Scope,
};

/// The base that a rule is checked against or added to.
#[derive(Debug)]
pub(super) enum Baseline {
    /// Nothing is going to be restricted.
    Nothing,
    /// A ruleset in the making, whose handled access rights are in the report.
    Ruleset(Box<Builder>, Option<Filter>),
    /// This process is restricted already.
    Enforced(Arc<Enforced>),
}

/// Chooses the baseline, and reports the kernel and the protections.
pub(super) fn choose(
    policy: &Policy,
    mode: Mode,
    report: &mut Report,
) -> Result<Baseline, PrepareError> {
    let process = process::lock().clone();
    // Who is in an instance stays in it, whatever scope is asked for.
    let instance = match &process {
        Process::Free => membership::place(),
        _ => Place::Outside,
    };
    if matches!(instance, Place::In(_)) {
        report.scope = Scope::Instance;
    }
    if mode == Mode::Off {
        let restricted = match &instance {
            Place::Outside => !matches!(process, Process::Free),
            Place::In(membership) => membership.enforced().is_some(),
            Place::Unknown => true,
        };
        if restricted {
            report
                .warnings
                .push("the mode is off, but an earlier policy restricts this process".to_owned());
        }
        give_up(policy, report, "the mode is off");
        return Ok(Baseline::Nothing);
    }
    let baseline = match process {
        Process::Free if matches!(instance, Place::Unknown) => Err(PrepareError::UnknownInstance),
        Process::Free if let Place::In(membership) = instance => match membership.enforced() {
            Some(enforced) => within(policy, report, Arc::clone(enforced)),
            None => Err(PrepareError::InstanceUnrestricted),
        },
        Process::Free => Kernel::ask().and_then(|kernel| on_kernel(policy, report, kernel)),
        Process::Under(_) if policy.scope == Scope::Instance => Err(PrepareError::ScopeTaken),
        Process::Under(enforced) => within(policy, report, enforced),
        Process::Partly => Err(PrepareError::PartlyRestricted),
    };
    baseline.or_else(|error| {
        if mode == Mode::Enforce {
            return Err(error);
        }
        give_up(policy, report, &error.to_string());
        Ok(Baseline::Nothing)
    })
}

/// Notes that nothing is going to be enforced.
fn give_up(policy: &Policy, report: &mut Report, why: &str) {
    report.not_enforced.push(format!("anything: {why}"));
    report.protections = ProtectionReport::of_nothing(policy, why);
}

/// Returns the layers that enforce a protection on this machine, or the error. `None` if it is off.
fn layers(
    policy: &Policy,
    kernel: &Kernel,
    name: Protection,
    filters: &Result<(), String>,
) -> Option<Result<Vec<Layer>, PrepareError>> {
    // Reaching every thread is tried whatever the policy says of it.
    if name == Protection::AllThreads {
        return Some(Ok(vec![Layer::Landlock]));
    }
    if policy.level(name) == Level::Off {
        return None;
    }
    let need = Need::of(name);
    let ports = policy.granted_network().unwrap_or_default().in_filter();
    // The filter knows no ports. Without any, it can refuse all of it.
    let without_landlock = match name {
        Protection::Tcp => !ports.tcp,
        Protection::Udp => !ports.udp,
        _ => need == Need::Nothing,
    };
    let mut by = Vec::new();
    if kernel.features.meet(need) && need != Need::Nothing {
        by.push(Layer::Landlock);
    } else if !without_landlock {
        return Some(Err(PrepareError::ProtectionUnavailable {
            protection: name,
            abi: kernel.abi,
        }));
    }
    // With UDP ports granted, there is nothing for the filter to refuse.
    if name.is_of_second_layer() && (name != Protection::Udp || !ports.udp) {
        if let Err(reason) = filters {
            return Some(Err(PrepareError::FilterUnavailable {
                protection: name,
                reason: reason.clone(),
            }));
        }
        by.push(Layer::Seccomp);
    }
    Some(Ok(by))
}

/// Starts a ruleset with everything that this kernel handles, and makes the filter.
pub(super) fn on_kernel(
    policy: &Policy,
    report: &mut Report,
    kernel: Kernel,
) -> Result<Baseline, PrepareError> {
    report.abi = kernel.abi;
    report.errata = kernel.errata;
    let filters = Filter::available();
    let mut handled = Features {
        rights: kernel.features.rights.clone(),
        ..Features::default()
    };
    let mut filtered = Vec::new();
    let mut protections = Vec::new();
    for name in Protection::ALL.iter().copied() {
        let level = policy.level(name);
        let need = Need::of(name);
        let (status, by) = match layers(policy, &kernel, name, &filters) {
            None => {
                if let Need::Right(right) = need {
                    handled.rights.remove(&right);
                }
                (ProtectionStatus::Off, Vec::new())
            }
            Some(Ok(by)) => (ProtectionStatus::Enforced, by),
            Some(Err(error)) if level == Level::Strict && report.mode == Mode::Enforce => {
                return Err(error);
            }
            Some(Err(error)) => {
                let why = match error {
                    PrepareError::FilterUnavailable { reason, .. } => reason,
                    _ => format!(
                        "the protection needs Landlock ABI {}, this kernel has {}",
                        need.abi(),
                        kernel.abi
                    ),
                };
                // What nobody asked for is missing without a warning.
                if policy.names(name) || name.required_by_default() {
                    report.not_enforced.push(format!("{name}: {why}"));
                }
                (ProtectionStatus::NotEnforced { why }, Vec::new())
            }
        };
        if by.contains(&Layer::Seccomp) {
            filtered.push(name);
        }
        if by.contains(&Layer::Landlock) {
            match need {
                Need::Network(access, _) => handled.network |= access,
                Need::Scope(scope) => handled.scopes |= scope,
                Need::Right(_) | Need::Nothing => {}
            }
        }
        protections.push(ProtectionReport {
            name,
            level,
            status,
            by,
        });
    }
    let rights: Vec<Right> = handled.rights.iter().copied().collect();
    let mut builder = Builder::new(&handled, policy.audit, kernel.abi).map_err(|source| {
        PrepareError::Ruleset {
            rights: rights.clone(),
            source,
        }
    })?;
    report.network = policy.granted_network();
    let ports = report.network.clone().unwrap_or_default();
    builder
        .grant_ports(&ports)
        .map_err(|source| PrepareError::PortRule { source })?;
    let filter = match filtered.as_slice() {
        [] => None,
        [first, ..] => Some(Filter::new(&filtered, ports.in_filter()).map_err(|reason| {
            PrepareError::FilterUnavailable {
                protection: *first,
                reason,
            }
        })?),
    };
    if filter.is_some() && !filtered.contains(&Protection::IoUring) {
        report.warnings.push(
            "io_uring is allowed: the second layer doesn't see its operations, so metadata and \
             sockets stay reachable"
                .to_owned(),
        );
    }
    report.protections = protections;
    report.warnings.extend(policy.audit.lacking(kernel.abi));
    report.warnings.extend(report.lacks_dns());
    report.handled = rights;
    Ok(Baseline::Ruleset(Box::new(builder), filter))
}

/// Takes over the restriction of an earlier policy.
fn within(
    policy: &Policy,
    report: &mut Report,
    enforced: Arc<Enforced>,
) -> Result<Baseline, PrepareError> {
    report.protections = ProtectionReport::of(policy, |_| ProtectionStatus::Off);
    enforced.admit(policy.granted_network().as_ref(), report)?;
    Ok(Baseline::Enforced(enforced))
}
