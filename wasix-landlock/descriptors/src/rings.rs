//! io_urings, which may outlive their descriptors.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    os::fd::RawFd,
};

use rustix::io::Errno;
use wasix_landlock_threads::procfs;

use crate::sys;

/// True if a kernel thread polls this ring (`IORING_SETUP_SQPOLL`). Says yes where that can't be
/// known.
pub(crate) fn is_polled(number: RawFd) -> bool {
    fs::read_to_string(format!("/proc/thread-self/fdinfo/{number}")).map_or(true, |text| {
        let thread = text.lines().find_map(|line| line.strip_prefix("SqThread:"));
        thread.is_none_or(|thread| thread.trim() != "-1")
    })
}

/// The kernel's name of a ring.
pub(crate) const RING: &[u8] = b"anon_inode:[io_uring]";

/// The inodes of the rings in this process's memory.
pub(crate) fn mapped() -> io::Result<BTreeSet<u64>> {
    let maps = File::open(format!("{}/maps", procfs::of_this_thread()))?;
    // The whole text has a line for each stack too, of which a thread has several.
    asked_for(&maps).or_else(|_| in_text(maps))
}

/// Asks for the mappings of files one by one, as newer kernels can.
fn asked_for(maps: &File) -> rustix::io::Result<BTreeSet<u64>> {
    let mut inodes = BTreeSet::new();
    let mut address = 0;
    while let Some(found) = sys::mapping(maps, address, 0)? {
        // Rings are on no device. Finding out a name takes longer than the rest.
        if found.is_without_device {
            match sys::mapping(maps, address, RING.len()) {
                Ok(named) => {
                    let ring = named.filter(|named| named.name == RING);
                    inodes.extend(ring.map(|ring| ring.inode));
                }
                // Then it is another name.
                Err(Errno::NAMETOOLONG) => {}
                Err(error) => return Err(error),
            }
        }
        address = found.end;
    }
    Ok(inodes)
}

/// Reads the list of all mappings.
fn in_text(maps: File) -> io::Result<BTreeSet<u64>> {
    let mut inodes = BTreeSet::new();
    for line in BufReader::new(maps).split(b'\n') {
        let line = line?;
        // Address, permissions, offset, device, inode, name.
        let Some(line) = line.strip_suffix(RING) else {
            continue;
        };
        let fields = String::from_utf8_lossy(line);
        let inode = fields.split_whitespace().nth(4);
        inodes.extend(inode.and_then(|inode| inode.parse::<u64>().ok()));
    }
    Ok(inodes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use wasix_landlock_testing::descriptors::Ring;

    use super::*;

    #[test]
    fn a_mapped_ring_is_found_either_way() {
        let maps = || File::open("/proc/thread-self/maps").unwrap();
        // The text has it whatever the kernel.
        let known = in_text(maps()).unwrap();
        let Ok(mut ring) = Ring::new(false) else {
            println!("SKIPPED: io_uring can't be had here");
            return;
        };
        let inode = sys::ask(ring.number(), rustix::fs::fstat).unwrap().st_ino;
        ring.close();
        let found = in_text(maps()).unwrap();
        assert_eq!(found.difference(&known).collect::<Vec<_>>(), [&inode]);
        match asked_for(&maps()) {
            Ok(asked) => assert_eq!(asked, found),
            Err(error) => println!("SKIPPED in part: this kernel doesn't answer: {error}"),
        }
    }
}
