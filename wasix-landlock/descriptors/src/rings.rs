//! io_urings, which may outlive their descriptors.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufRead, BufReader},
    os::fd::RawFd,
};

/// True if a kernel thread polls this ring (`IORING_SETUP_SQPOLL`). Says yes where that can't be
/// known.
pub(crate) fn is_polled(number: RawFd) -> bool {
    fs::read_to_string(format!("/proc/thread-self/fdinfo/{number}")).map_or(true, |text| {
        let thread = text.lines().find_map(|line| line.strip_prefix("SqThread:"));
        thread.is_none_or(|thread| thread.trim() != "-1")
    })
}

/// The inodes of the rings in this process's memory.
pub(crate) fn mapped() -> io::Result<BTreeSet<u64>> {
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
