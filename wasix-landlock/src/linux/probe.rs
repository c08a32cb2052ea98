//! The choice of the probe that proves a restriction.

use std::{
    collections::{HashMap, hash_map::RandomState},
    env,
    ffi::{CString, OsStr},
    fs,
    hash::BuildHasher,
    io, iter,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::Path,
};

use rustix::fs::OFlags;
use wasix_landlock_threads::{Fifo, Probe};

use super::{kernel::Builder, resolve};
use crate::{EnforceError, Mode, Report, Right, explain::Grant, rights::Rights};

/// Places to try to open, directories first: opening one touches no data.
const CANDIDATES: &[(&str, Right)] = &[
    ("/", Right::ReadDir),
    ("/proc", Right::ReadDir),
    ("/etc", Right::ReadDir),
    ("/usr", Right::ReadDir),
    ("/dev", Right::ReadDir),
    ("/tmp", Right::ReadDir),
    ("/proc/self/status", Right::ReadFile),
    ("/etc/passwd", Right::ReadFile),
];

/// The files to open first where a quiet rule goes on the probe's file: devices that give nothing away.
const LEAVES: &[(&str, Right)] = &[
    ("/dev/zero", Right::ReadFile),
    ("/dev/null", Right::ReadFile),
];

/// Finds something that is allowed now and won't be under these grants. A policy in mode
/// `best-effort` goes without where there is nothing, with a warning in its report.
///
/// A ruleset that keeps proofs out of the audit log keeps this probe out as well. A directory
/// is then tried last, as nothing beneath it would be recorded either.
pub(crate) fn choose(
    grants: &[Grant],
    ruleset: &mut Builder,
    report: &mut Report,
) -> Result<Probe, EnforceError> {
    let mut granted: HashMap<(u64, u64), Rights> = HashMap::new();
    for grant in grants {
        if let Some(inode) = grant.inode {
            granted.entry(inode).or_default().extend(&grant.rights);
        }
    }
    let leaves: &[_] = if ruleset.quiets_proofs() { LEAVES } else { &[] };
    let opens = leaves
        .iter()
        .chain(CANDIDATES)
        .filter(|(path, right)| !is_granted(Path::new(path), *right, &granted))
        .filter_map(|(path, right)| open(path, *right));
    let probes = opens.chain(iter::once_with(fifos).flatten());
    let mut lacking = None;
    for probe in probes {
        match probe.run() {
            Ok(()) => {
                if ruleset.quiets_proofs()
                    && let Some(object) = quietable(&probe)
                    && let Err(error) = ruleset.quiet(&object)
                {
                    let warning = format!("the audit log records the proofs: {error}");
                    report.warnings.push(warning);
                }
                return Ok(probe);
            }
            // The kernel was short of something, which says nothing of what is allowed.
            Err(errno @ (libc::EMFILE | libc::ENFILE | libc::ENOMEM)) => lacking = Some(errno),
            Err(_) => {}
        }
    }
    let error = lacking.map_or(EnforceError::NoProbe, |errno| EnforceError::Probe {
        source: io::Error::from_raw_os_error(errno),
    });
    if report.mode != Mode::BestEffort {
        return Err(error);
    }
    report.warnings.push(format!("unproved: {error}"));
    Ok(Probe::Nothing)
}

/// The object that a probe is denied on, if a quiet rule on that hushes nothing else.
fn quietable(probe: &Probe) -> Option<OwnedFd> {
    match probe {
        Probe::Open { path, .. } => {
            let path = Path::new(OsStr::from_bytes(path.as_bytes()));
            let is_leaf = LEAVES.iter().any(|(leaf, _)| Path::new(leaf) == path);
            let object = resolve::open_name(path, OFlags::empty());
            object.ok().filter(|_| is_leaf)
        }
        Probe::MakeFifo(fifo) => fifo.directory().try_clone_to_owned().ok(),
        Probe::Nothing => None,
    }
}

/// True if a grant covers it. Asked by inode, as the kernel does, since a bind mount gives a
/// directory a second name.
fn is_granted(path: &Path, right: Right, granted: &HashMap<(u64, u64), Rights>) -> bool {
    let Ok(resolved) = fs::canonicalize(path) else {
        return true;
    };
    resolved.ancestors().any(|path| {
        fs::metadata(path).is_ok_and(|found| {
            granted
                .get(&(found.dev(), found.ino()))
                .is_some_and(|rights| rights.contains(&right))
        })
    })
}

fn open(path: &str, right: Right) -> Option<Probe> {
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    flags.set(OFlags::DIRECTORY, right == Right::ReadDir);
    let path = CString::new(path).ok()?;
    Some(Probe::Open { path, flags })
}

/// Making a fifo is never granted, wherever. The name is one that nothing else has, and the fifo is
/// gone again at once.
fn fifos() -> impl Iterator<Item = Probe> {
    let mut places = vec![env::temp_dir(), env::current_dir().unwrap_or_default()];
    places.push("/dev/shm".into());
    places.into_iter().filter_map(|place| {
        let directory = resolve::open_name(&place, OFlags::DIRECTORY).ok()?;
        // Randomly seeded for each process, so that what a killed one has left is no obstacle.
        let random = RandomState::new().hash_one(&place);
        let prefix = format!(".wasix-landlock-{random:016x}-");
        Some(Probe::MakeFifo(Fifo::new(directory, &prefix)))
    })
}
