//! The open descriptors when a policy is enforced.

mod kind;
mod peer;
mod rings;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::fd::RawFd,
};

use rustix::fs::{FileType, OFlags, Stat, fstat};

use super::sys;
use crate::{
    DescriptorKind, DescriptorReport, DescriptorsReport, EnforceError, Inherited, Mode, Report,
    WayOut,
};

/// The number of descriptors that a report lists: a server may have ten thousand connections.
const LISTED: usize = 256;
/// The number of descriptors a warning names.
const WARNED: usize = 16;

/// Checks the open descriptors against the policy, and reports them. `own` are this crate's.
///
/// Called before anything is restricted: `/proc` can't be opened afterwards, and an error leaves
/// the process as it was.
pub(crate) fn check(
    inherited: &Inherited,
    own: &BTreeSet<RawFd>,
    report: &mut Report,
) -> Result<(), EnforceError> {
    let open = match Open::now(own) {
        Ok(open) => open,
        Err(error) if !inherited.refuses_by_kind() => {
            report.warnings.push(format!(
                "the open descriptors can't be listed in /proc/thread-self/fd: {error}; mount /proc"
            ));
            return Ok(());
        }
        Err(source) => return Err(EnforceError::Descriptors { source }),
    };
    let rings = open.rings();
    match inherited {
        Inherited::RefuseRings => {
            let mut refused: Vec<String> = rings.iter().map(|(open, _)| name(open)).collect();
            refused.extend(rings::mapped_alone(&rings).unwrap_or_default());
            if !refused.is_empty() {
                let error = EnforceError::RingsOpen { refused };
                if report.mode != Mode::BestEffort {
                    return Err(error);
                }
                report.not_enforced.push(error.to_string());
            }
        }
        Inherited::Report => {
            // Where the memory can't be looked at, the descriptors are named nevertheless.
            let mapped = rings::mapped_alone(&rings).unwrap_or_default();
            let warnings = mapped.into_iter().map(|ring| {
                format!("{ring} gives a way out of the restriction; close it before the build")
            });
            report.warnings.extend(warnings);
        }
        Inherited::Refuse { allowed } => {
            let mut refused = open.refused(allowed);
            let hidden = rings::without_descriptor(&rings, allowed);
            refused.extend(hidden.map_err(|source| EnforceError::Descriptors { source })?);
            if !refused.is_empty() {
                return Err(EnforceError::DescriptorsOpen { refused });
            }
        }
    }
    report.warnings.extend(open.warning());
    report.descriptors = Some(open.into_report());
    Ok(())
}

/// See [`DescriptorsReport::now`].
pub(crate) fn open_now() -> io::Result<DescriptorsReport> {
    Ok(Open::now(&BTreeSet::new())?.into_report())
}

/// Every descriptor that is open, with its inode.
struct Open(Vec<(DescriptorReport, u64)>);

impl Open {
    fn now(own: &BTreeSet<RawFd>) -> io::Result<Self> {
        let numbers = sys::list_open()?;
        // What was closed meanwhile by another thread is not open.
        let inodes: BTreeMap<RawFd, Stat> = numbers
            .into_iter()
            .filter(|number| !own.contains(number))
            .filter_map(|number| Some((number, sys::ask(number, fstat).ok()?)))
            .collect();
        let sockets: BTreeSet<u64> = inodes
            .values()
            .filter(|found| FileType::from_raw_mode(found.st_mode) == FileType::Socket)
            .map(|found| found.st_ino)
            .collect();
        let described = inodes.into_iter().filter_map(|(number, inode)| {
            Some((describe(number, &inode, &sockets)?, inode.st_ino))
        });
        Ok(Self(described.collect()))
    }

    /// Names the descriptors that are allowed neither by number nor by kind.
    fn refused(&self, allowed: &BTreeSet<RawFd>) -> Vec<String> {
        let refused = self.0.iter().map(|(open, _)| open).filter(|open| {
            !open.kind.is_harmless() && !open.is_usual_stream() && !allowed.contains(&open.number)
        });
        refused.map(name).collect()
    }

    fn rings(&self) -> Vec<&(DescriptorReport, u64)> {
        let rings = self.0.iter();
        rings
            .filter(|(open, _)| open.kind == DescriptorKind::Ring)
            .collect()
    }

    /// Warns of the descriptors that give a way out.
    fn warning(&self) -> Option<String> {
        let ways_out: Vec<&DescriptorReport> = self
            .0
            .iter()
            .map(|(open, _)| open)
            .filter(|open| open.way_out.is_some() && !open.is_usual_stream())
            .collect();
        let mut named: Vec<String> = ways_out.iter().take(WARNED).copied().map(name).collect();
        if ways_out.len() > WARNED {
            named.push(format!("{} more", ways_out.len() - WARNED));
        }
        (!named.is_empty()).then(|| {
            format!(
                "open descriptors give a way out of the restriction: descriptor {}; close them before \
                 the build, or refuse them (`Inherited::Refuse`)",
                named.join(", ")
            )
        })
    }

    fn into_report(self) -> DescriptorsReport {
        let total = self.0.len();
        let all = self.0.into_iter().map(|(open, _)| open);
        let (mut listed, others): (Vec<_>, Vec<_>) = all.partition(|open| open.way_out.is_some());
        listed.extend(others);
        listed.truncate(LISTED);
        listed.sort_unstable_by_key(|open| open.number);
        DescriptorsReport {
            listed,
            unlisted: total.saturating_sub(LISTED),
        }
    }
}

/// A descriptor in a message.
fn name(open: &DescriptorReport) -> String {
    let DescriptorReport {
        number,
        kind,
        target,
        ..
    } = open;
    match open.way_out {
        Some(way_out) => format!("{number} ({target}: {kind}, {way_out})"),
        None => format!("{number} ({target}: {kind})"),
    }
}

fn describe(number: RawFd, inode: &Stat, sockets: &BTreeSet<u64>) -> Option<DescriptorReport> {
    let (flags, passed_on) = sys::flags(number).ok()?;
    let target = fs::read_link(format!("/proc/thread-self/fd/{number}")).ok()?;
    let target = target.to_string_lossy().into_owned();
    let name_only = flags.contains(OFlags::PATH);
    // A file that is named only can be neither read nor written, whatever its access mode says.
    let access = (!name_only).then(|| flags & OFlags::RWMODE);
    let kind = if name_only {
        DescriptorKind::NameOnly
    } else {
        kind::of(number, inode, &target, sockets)
    };
    let opened_for = |mode| access == Some(mode) || access == Some(OFlags::RDWR);
    let write = opened_for(OFlags::WRONLY);
    Some(DescriptorReport {
        number,
        kind,
        way_out: way_out(number, kind, &target, write),
        target,
        read: opened_for(OFlags::RDONLY),
        write,
        passed_on,
    })
}

fn way_out(number: RawFd, kind: DescriptorKind, target: &str, write: bool) -> Option<WayOut> {
    match kind {
        DescriptorKind::Ring if rings::is_polled(number) => Some(WayOut::PolledRing),
        DescriptorKind::Ring => Some(WayOut::Ring),
        DescriptorKind::UnixSocket => Some(WayOut::HandsOverFiles),
        DescriptorKind::Device | DescriptorKind::Terminal => Some(WayOut::TakesCommands),
        DescriptorKind::OtherSocket => Some(WayOut::KernelInterface),
        // Reading a process's memory is as good as writing elsewhere.
        DescriptorKind::KernelFile if write || target.ends_with("/mem") => {
            Some(WayOut::KernelInterface)
        }
        DescriptorKind::Namespace => Some(WayOut::Namespace),
        DescriptorKind::Other => Some(WayOut::Unknown),
        _ => None,
    }
}
