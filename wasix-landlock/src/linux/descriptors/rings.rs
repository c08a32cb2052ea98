//! io_urings, which may outlive their descriptors.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufRead, BufReader},
    os::fd::RawFd,
};

use crate::{DescriptorReport, WayOut};

/// True if a kernel thread polls this ring (`IORING_SETUP_SQPOLL`). Says yes where that can't be
/// known.
pub(super) fn is_polled(number: RawFd) -> bool {
    fs::read_to_string(format!("/proc/thread-self/fdinfo/{number}")).map_or(true, |text| {
        let thread = text.lines().find_map(|line| line.strip_prefix("SqThread:"));
        thread.is_none_or(|thread| thread.trim() != "-1")
    })
}

/// Names the rings that have no descriptor: those that are mapped, and those that a kernel thread
/// polls. The parts of an allowed ring don't count.
pub(super) fn without_descriptor(
    rings: &[&(DescriptorReport, u64)],
    allowed: &BTreeSet<RawFd>,
) -> io::Result<Vec<String>> {
    let mut named = mapped_alone(rings)?;
    let mut allowed = rings
        .iter()
        .filter(|(ring, _)| allowed.contains(&ring.number));
    if !allowed.any(|(ring, _)| ring.way_out == Some(WayOut::PolledRing)) {
        let name = |(tid, name)| format!("an io_uring that thread {tid} (`{name}`) polls");
        named.extend(wasix_landlock_threads::pollers()?.into_iter().map(name));
    }
    Ok(named)
}

/// Names the rings that are mapped and have no descriptor.
pub(super) fn mapped_alone(rings: &[&(DescriptorReport, u64)]) -> io::Result<Vec<String>> {
    let known: BTreeSet<u64> = rings.iter().map(|(_, inode)| *inode).collect();
    let name = |inode| format!("an io_uring that is mapped (inode {inode})");
    Ok(mapped()?.difference(&known).map(name).collect())
}

/// The inodes of the rings in this process's memory.
fn mapped() -> io::Result<BTreeSet<u64>> {
    let maps = BufReader::new(fs::File::open("/proc/thread-self/maps")?);
    let mut inodes = BTreeSet::new();
    for line in maps.split(b'\n') {
        let line = line?;
        // Address, permissions, offset, device, inode, name.
        let Some(line) = line.strip_suffix(b"anon_inode:[io_uring]") else {
            continue;
        };
        let fields = String::from_utf8_lossy(line);
        let inode = fields.split_whitespace().nth(4);
        inodes.extend(inode.and_then(|inode| inode.parse::<u64>().ok()));
    }
    Ok(inodes)
}
