//! The open descriptors, each with its kind.

use std::{collections::BTreeSet, io, os::fd::RawFd};

use rustix::fs::{FileType, OFlags, Stat, fstat};
use wasix_landlock_threads::pollers;

use crate::{
    DescriptorKind, DescriptorReport, DescriptorsReport, WayOut,
    kind::{Kinds, is_same},
    peer::{Sockets, is_asked_by},
    rings, sys,
};

/// The number of descriptors that a report lists: a server may have ten thousand connections.
const LISTED: usize = 256;
/// The number of descriptors that [`Census::ways_out`] names.
const NAMED: usize = 16;

/// Every descriptor that is open, with its inode.
#[derive(Debug)]
pub struct Census(Vec<(DescriptorReport, u64)>);

impl Census {
    /// Lists what is open now, but for `own`.
    ///
    /// # Errors
    ///
    /// The kernel's error when `/proc` can't be read.
    pub fn now(own: &BTreeSet<RawFd>) -> io::Result<Self> {
        let mut open = sys::Open::list()?;
        // What was closed meanwhile by another thread is not open.
        let inodes: Vec<(RawFd, Stat)> = open
            .numbers
            .iter()
            .copied()
            .filter(|number| !own.contains(number))
            .filter_map(|number| Some((number, sys::ask(number, fstat).ok()?)))
            .collect();
        let sockets = inodes
            .iter()
            .filter(|(_, found)| FileType::from_raw_mode(found.st_mode) == FileType::Socket)
            .map(|(_, found)| found.st_ino);
        let mut kinds = Kinds::new(Sockets::of(sockets.collect()));
        let described = inodes
            .into_iter()
            .filter_map(|(number, inode)| describe(&mut open, number, inode, &mut kinds));
        Ok(Self(described.collect()))
    }

    /// Names the descriptors that are allowed neither by number nor by kind.
    #[must_use]
    pub fn refused(&self, allowed: &BTreeSet<RawFd>) -> Vec<String> {
        let refused = self.0.iter().map(|(open, _)| open).filter(|open| {
            !open.kind.is_harmless() && !open.is_usual_stream() && !allowed.contains(&open.number)
        });
        refused.map(name).collect()
    }

    /// Names the io_urings that have a descriptor.
    #[must_use]
    pub fn rings(&self) -> Vec<String> {
        self.open_rings().map(|(open, _)| name(open)).collect()
    }

    fn open_rings(&self) -> impl Iterator<Item = &(DescriptorReport, u64)> {
        let all = self.0.iter();
        all.filter(|(open, _)| open.kind == DescriptorKind::Ring)
    }

    /// Names the io_urings that are mapped and have no descriptor.
    ///
    /// # Errors
    ///
    /// The process's memory can't be looked at.
    pub fn mapped_rings(&self) -> io::Result<Vec<String>> {
        let known: BTreeSet<u64> = self.open_rings().map(|(_, inode)| *inode).collect();
        let name = |inode| format!("an io_uring that is mapped (inode {inode})");
        Ok(rings::mapped()?.difference(&known).map(name).collect())
    }

    /// Names the io_urings that have no descriptor: those that are mapped, and those that a kernel
    /// thread polls. The parts of an allowed one don't count.
    ///
    /// # Errors
    ///
    /// The process's memory or its threads can't be looked at.
    pub fn hidden_rings(&self, allowed: &BTreeSet<RawFd>) -> io::Result<Vec<String>> {
        let mut named = self.mapped_rings()?;
        let is_polled_one = |(ring, _): &(DescriptorReport, u64)| {
            allowed.contains(&ring.number) && ring.way_out == Some(WayOut::PolledRing)
        };
        if !self.open_rings().any(is_polled_one) {
            let name = |(tid, name)| format!("an io_uring that thread {tid} (`{name}`) polls");
            named.extend(pollers()?.into_iter().map(name));
        }
        Ok(named)
    }

    /// Names the descriptors that give a way out, standard streams of a usual kind aside: some of
    /// them, and how many more there are. `None` if there is none.
    #[must_use]
    pub fn ways_out(&self) -> Option<String> {
        let all = self.0.iter().map(|(open, _)| open);
        let ways_out = all.filter(|open| open.way_out.is_some() && !open.is_usual_stream());
        let mut named: Vec<String> = ways_out.map(name).collect();
        let more = named.len().saturating_sub(NAMED);
        named.truncate(NAMED);
        if more > 0 {
            named.push(format!("{more} more"));
        }
        (!named.is_empty()).then(|| named.join(", "))
    }

    /// Returns the report. It lists 256 descriptors, the ways out first.
    #[must_use]
    pub fn into_report(self) -> DescriptorsReport {
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

/// The number of times that a descriptor is described whose number other threads give to other files meanwhile.
const LOOKS: usize = 64;

/// Describes a descriptor, and returns its inode too. Where another thread closes it and the number is given to another
/// file in between, the answers are about two files, and the descriptor is described again.
fn describe(
    open: &mut sys::Open,
    number: RawFd,
    mut inode: Stat,
    kinds: &mut Kinds,
) -> Option<(DescriptorReport, u64)> {
    let mut latest = None;
    for _ in 0..LOOKS {
        latest = describe_once(open, number, &inode, kinds).map(|found| (found, inode.st_ino));
        // Asked before the inode is looked at again: where the number was given on since, the answer doesn't count.
        let is_own = is_asked_by(number);
        let now = sys::ask(number, fstat).ok()?;
        if is_same(&now, &inode) {
            return latest.filter(|_| !is_own);
        }
        inode = now;
    }
    latest
}

fn describe_once(
    open: &mut sys::Open,
    number: RawFd,
    inode: &Stat,
    kinds: &mut Kinds,
) -> Option<DescriptorReport> {
    let (flags, passed_on) = sys::flags(number).ok()?;
    let target = match FileType::from_raw_mode(inode.st_mode) {
        // The kernel's name of a socket, which takes it longer than all the rest.
        FileType::Socket => format!("socket:[{}]", inode.st_ino),
        _ => open.target(number).ok()?,
    };
    let name_only = flags.contains(OFlags::PATH);
    // A file that is named only can be neither read nor written, whatever its access mode says.
    let access = (!name_only).then(|| flags & OFlags::RWMODE);
    let kind = if name_only {
        DescriptorKind::NameOnly
    } else {
        kinds.of(number, inode, &target)
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        fs,
        net::TcpListener,
        os::{fd::AsRawFd, unix::net::UnixStream},
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn each_target_is_the_one_in_proc() {
        let pair = UnixStream::pair().unwrap();
        let copies = [pair.0.try_clone().unwrap(), pair.1.try_clone().unwrap()];
        let (alone, _) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let file = fs::File::open("/proc/self/exe").unwrap();
        let open = [
            (pair.0.as_raw_fd(), DescriptorKind::SocketPair),
            (pair.1.as_raw_fd(), DescriptorKind::SocketPair),
            (copies[0].as_raw_fd(), DescriptorKind::SocketPair),
            (copies[1].as_raw_fd(), DescriptorKind::SocketPair),
            (alone.as_raw_fd(), DescriptorKind::UnixSocket),
            (listener.as_raw_fd(), DescriptorKind::Socket),
            (file.as_raw_fd(), DescriptorKind::File),
        ];
        let census = Census::now(&BTreeSet::new()).unwrap();
        for (number, kind) in open {
            let mut found = census.0.iter().map(|(open, _)| open);
            let found = found.find(|open| open.number == number).unwrap();
            assert_eq!(found.kind, kind, "{found}");
            let target = fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
            assert_eq!(found.target, target.to_str().unwrap());
        }
    }

    /// One thread closes a file while others list it, and the number is given to a file of another kind, or to the
    /// socket by which one of them asks the kernel.
    #[test]
    fn a_number_that_is_given_to_another_file_meanwhile_is_described_as_one_of_both() {
        fn odd_ones() -> Vec<String> {
            let listings = (0..5_000).map(|_| Census::now(&BTreeSet::new()).unwrap());
            let open = listings.flat_map(|census| census.0.into_iter().map(|(open, _)| open));
            let odd = open.filter(|open| {
                let odd = [DescriptorKind::Other, DescriptorKind::OtherSocket];
                odd.contains(&open.kind) && !open.is_usual_stream()
            });
            odd.map(|odd| odd.to_string()).collect()
        }

        let (_pair, done) = (UnixStream::pair().unwrap(), AtomicBool::new(false));
        let odd = thread::scope(|threads| {
            threads.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(fs::File::open("/proc/self/status"));
                    drop(UnixStream::pair());
                    drop(io::pipe());
                }
            });
            let odd = [threads.spawn(odd_ones), threads.spawn(odd_ones)].map(|one| one.join());
            done.store(true, Ordering::Relaxed);
            odd.map(Result::unwrap).concat()
        });
        assert_eq!(odd, [""; 0]);
    }
}
