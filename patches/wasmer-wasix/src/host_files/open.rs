//! Opening.

use std::io;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use virtual_fs::host_directory::{HostNode, HostOpen, HostPlace};
use wasmer_wasix_types::wasi::{Errno, Fd as WasiFd, Fdflags, Fdflagsext, Oflags, Rights};

use super::OnHost;
use crate::WasiEnv;
use crate::fs::{DIRECTORY_RIGHTS, Fd, Kind, WasiFs};
use crate::landlock::Operation;

/// The time for which whoever opens a fifo for writing sleeps before looking again for somebody who reads.
const PAUSE: Duration = Duration::from_millis(2);

/// A module's request to open a path.
pub(crate) struct Opening<'p> {
    pub(crate) path: &'p str,
    pub(crate) follow: bool,
    pub(crate) how: Oflags,
    pub(crate) rights: Rights,
    pub(crate) inheriting: Rights,
    /// The rights that the descriptor's rights imply.
    pub(crate) implied: Rights,
    pub(crate) flags: Fdflags,
    pub(crate) fd_flags: Fdflagsext,
    pub(crate) number: Option<WasiFd>,
}

impl Opening<'_> {
    fn writes(&self) -> bool {
        self.rights.contains(Rights::FD_WRITE)
    }

    /// True if the file's size is to be set, and nothing written.
    fn sizes(&self) -> bool {
        let sizes = Rights::FD_ALLOCATE | Rights::FD_FILESTAT_SET_SIZE;
        !self.writes() && self.rights.intersects(sizes)
    }

    fn reads(&self) -> bool {
        self.rights.intersects(Rights::FD_READ | Rights::FD_READDIR)
    }

    fn on_host(&self) -> HostOpen {
        HostOpen {
            read: self.reads(),
            write: self.writes(),
            append: self.flags.contains(Fdflags::APPEND),
            truncate: self.how.contains(Oflags::TRUNC),
            create: self.how.contains(Oflags::CREATE),
            exclusive: self.how.contains(Oflags::EXCL),
            directory: self.how.contains(Oflags::DIRECTORY),
            follow: self.follow,
            data_sync: self.flags.contains(Fdflags::DSYNC),
            sync: self.flags.intersects(Fdflags::SYNC | Fdflags::RSYNC),
        }
    }
}

/// Opens a file or a directory of the host.
pub(crate) fn open(env: &WasiEnv, base: &Fd, asked: &Opening<'_>) -> OnHost<WasiFd> {
    let state = &env.state;
    let place = state
        .fs
        .host_place(&state.inodes, base, asked.path, asked.follow)?;
    Some(place.and_then(|place| open_at(env, base, asked, &place)))
}

fn open_at(
    env: &WasiEnv,
    base: &Fd,
    asked: &Opening<'_>,
    place: &HostPlace,
) -> Result<WasiFd, Errno> {
    let fs = &env.state.fs;
    let how = allowed(fs, base, asked)?;
    let node = open_node(env, asked, place, how).map_err(|error| {
        let may_create = !asked.how.contains(Oflags::CREATE) || how.create || how.directory;
        if !may_create && error.kind() == io::ErrorKind::NotFound {
            return fs.missing_path_right();
        }
        // As upstream has it, and other systems: a directory isn't made by opening it.
        if how.directory && asked.how.contains(Oflags::CREATE) {
            return crate::host_errno::of_files(error);
        }
        fs.host_error(Operation::Open, (base, asked.path), error)
    })?;
    insert(fs, base, asked, how, node)
}

/// The way in which the host opens it, by what the directory's descriptor gives.
fn allowed(fs: &WasiFs, base: &Fd, asked: &Opening<'_>) -> Result<HostOpen, Errno> {
    let mut needed = Rights::PATH_OPEN;
    if fs.is_plain_wasi() && asked.how.contains(Oflags::TRUNC) {
        needed |= Rights::PATH_FILESTAT_SET_SIZE;
    }
    if !base.inner.rights.contains(needed) {
        return Err(fs.missing_path_right());
    }
    let mut how = asked.on_host();
    let may_write = base.inner.rights_inheriting.contains(Rights::FD_WRITE);
    if (how.write || how.truncate) && !may_write {
        if !how.read || how.truncate || how.create {
            return Err(refused(fs, base, asked));
        }
        how.write = false;
    }
    if how.read && !base.inner.rights_inheriting.contains(Rights::FD_READ) {
        how.read = false;
        if !how.write && !how.directory {
            return Err(refused(fs, base, asked));
        }
    }
    if how.directory && how.create {
        how.create = false;
    }
    if fs.is_plain_wasi() && !base.inner.rights.contains(Rights::PATH_CREATE_FILE) {
        how.create = false;
    }
    Ok(how)
}

/// Returns the mount's error for an access that the preopen doesn't give.
fn refused(fs: &WasiFs, base: &Fd, asked: &Opening<'_>) -> Errno {
    let error = io::Error::from_raw_os_error(libc::EACCES);
    fs.host_error(Operation::Open, (base, asked.path), error)
}

fn open_node(
    env: &WasiEnv,
    asked: &Opening<'_>,
    place: &HostPlace,
    mut how: HostOpen,
) -> io::Result<HostNode> {
    if asked.how.contains(Oflags::EXCL) && asked.how.contains(Oflags::CREATE) && !how.create {
        // It may not be made, but whether it is there is answered.
        place.directory.stat(&place.path, false)?;
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if !how.read && !how.write && !how.directory {
        // A program whose libc took the right away that it asked for is refused. A directory needs none.
        let found = place.directory.stat(&place.path, how.follow);
        how.write = !found.is_ok_and(|found| found.file_type.is_dir());
        how.directory = !how.write && !how.create;
    }
    if how.read && !how.directory && asked.sizes() {
        // It is done without if the host doesn't let the file be written, or if it is a directory.
        let writing = HostOpen { write: true, ..how };
        if let Ok(opened) = place.directory.open(&place.path, writing) {
            return Ok(opened);
        }
    }
    loop {
        match place.directory.open(&place.path, how) {
            Err(error) if waits_for_reader(asked, place, how, &error) => {
                if env.should_exit().is_some() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                std::thread::sleep(PAUSE);
            }
            opened => return opened,
        }
    }
}

/// True if a fifo has nobody who reads, and the module waits for that.
fn waits_for_reader(
    asked: &Opening<'_>,
    place: &HostPlace,
    how: HostOpen,
    error: &io::Error,
) -> bool {
    error.raw_os_error() == Some(libc::ENXIO)
        && !asked.flags.contains(Fdflags::NONBLOCK)
        && place
            .directory
            .stat(&place.path, how.follow)
            .is_ok_and(|found| found.file_type.is_fifo())
}

fn insert(
    fs: &WasiFs,
    base: &Fd,
    asked: &Opening<'_>,
    how: HostOpen,
    node: HostNode,
) -> Result<WasiFd, Errno> {
    let delegated = base.inner.rights_inheriting;
    let mut rights = (asked.rights | asked.implied) & delegated;
    if fs.is_plain_wasi() {
        rights &= asked.rights;
        if node.as_directory().is_some() {
            rights &= DIRECTORY_RIGHTS;
        }
    }
    let used = [
        (how.read, Fd::READ),
        (how.write, Fd::WRITE),
        (how.create, Fd::CREATE),
        (how.truncate, Fd::TRUNCATE),
    ];
    let open_flags = used.iter().filter(|(used, _)| *used).map(|(_, flag)| flag);
    let open_flags = open_flags.fold(0, |flags, flag| flags | flag);
    // Other paths begin at a directory's. A file's is only for reports.
    let path = match node.as_directory() {
        Some(_) => fs.guest_path(base, asked.path),
        None => fs.guest_text(base, asked.path),
    };
    let kind = Kind::File {
        handle: Some(Arc::new(RwLock::new(Box::new(node)))),
        path,
        fd: None,
    };
    let inode = fs.inode_apart(kind);
    let mut fd_map = fs.fd_map.write().map_err(|_| Errno::Fault)?;
    WasiFs::insert_fd_locked(
        &mut fd_map,
        rights,
        asked.inheriting & delegated,
        asked.flags,
        asked.fd_flags,
        open_flags,
        inode,
        asked.number,
        asked.number.is_some(),
    )
}
