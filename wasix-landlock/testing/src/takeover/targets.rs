//! The targets of the calls.

use std::{
    ffi::CString,
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram, UnixListener},
        },
    },
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{calls, processes::make_program};
use crate::descriptors::{Helper, Ring};

/// A variable of the victim's, at the same address in a child that it forks.
pub(super) static MEMORY: AtomicU64 = AtomicU64::new(0);

/// A process with what it owns: files in a directory, and sockets that listen.
#[derive(Debug)]
pub struct Victim {
    pub(super) directory: PathBuf,
    /// Opened before any restriction, as a runtime has directories open for its guests.
    open_directory: File,
    open_file: File,
    /// A terminal's end, where this machine has any.
    terminal: Option<File>,
    tcp: TcpListener,
    udp: UdpSocket,
    by_path: UnixListener,
    by_name: UnixDatagram,
    name: String,
    /// An io_uring with the rights of before, and the number of those, where this machine has any.
    ring: Option<(Mutex<Ring>, u16)>,
    /// A process that is never restricted, with one end of a socket pair.
    helper: Helper,
}

/// The targets of the calls, as seen by a child of the victim.
#[derive(Debug)]
pub struct Targets<'a> {
    victim: &'a Victim,
    /// The victim.
    pub(super) process: i64,
}

impl Victim {
    /// Makes a victim with its files in this directory, which must exist and may be removed with
    /// all in it afterwards.
    ///
    /// # Errors
    ///
    /// What can't be made.
    pub fn new(directory: &Path) -> io::Result<Self> {
        let directory = directory.to_owned();
        for call in calls() {
            fs::write(directory.join(call.name), "content")?;
        }
        fs::create_dir(directory.join("empty"))?;
        make_program(&directory)?;
        let listener = UnixListener::bind(directory.join("listener"))?;
        let name = format!(
            "wasix-landlock-victim-{}-{}",
            process::id(),
            directory.display()
        );
        // No longer than the 107 bytes that unix(7) leaves for a name.
        let name: String = name.chars().take(100).collect();
        MEMORY.store(1, Ordering::Relaxed);
        Ok(Self {
            open_directory: File::open(&directory)?,
            open_file: File::options()
                .read(true)
                .write(true)
                .open(directory.join("read-of-an-open-file"))?,
            terminal: File::options()
                .read(true)
                .write(true)
                .open("/dev/ptmx")
                .ok(),
            tcp: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
            udp: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            by_path: listener,
            by_name: UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?,
            name,
            ring: Ring::new(false)
                .and_then(|ring| Ok((ring.register_personality()?, ring)))
                .map(|(rights, ring)| (Mutex::new(ring), rights))
                .ok(),
            helper: Helper::start(&directory.join("handed-over"))?,
            directory,
        })
    }

    /// The same without the io_uring, which keeps a process that has one from being restricted.
    #[must_use]
    pub fn without_ring(self) -> Self {
        Self { ring: None, ..self }
    }

    /// Returns the targets of a child's calls, when its parent has this number.
    #[must_use]
    pub fn targets(&self, parent: u32) -> Targets<'_> {
        // Kept for the time that this is, not used by number.
        let _ = (&self.by_path, &self.by_name);
        Targets {
            victim: self,
            process: parent.into(),
        }
    }
}

impl Targets<'_> {
    /// A file of the victim's that is there for one call alone.
    pub(super) fn file(&self, name: &str) -> CString {
        c_path(&self.victim.directory.join(name))
    }

    /// A path below the victim's entry in `/proc`.
    pub(super) fn of_process(&self, rest: &str) -> CString {
        c_path(Path::new(&format!("/proc/{}/{rest}", self.process)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.victim.directory
    }

    pub(super) fn open_directory(&self) -> i64 {
        self.victim.open_directory.as_raw_fd().into()
    }

    pub(super) fn open_file(&self) -> i64 {
        self.victim.open_file.as_raw_fd().into()
    }

    pub(super) fn terminal(&self) -> i64 {
        let terminal = self.victim.terminal.as_ref();
        terminal
            .unwrap_or(&self.victim.open_file)
            .as_raw_fd()
            .into()
    }

    pub(super) fn ring(&self) -> Option<(MutexGuard<'_, Ring>, u16)> {
        let (ring, rights) = self.victim.ring.as_ref()?;
        Some((ring.lock().ok()?, *rights))
    }

    pub(super) fn helper(&self) -> &Helper {
        &self.victim.helper
    }

    pub(super) fn tcp_port(&self) -> u16 {
        self.victim
            .tcp
            .local_addr()
            .map_or(0, |address| address.port())
    }

    pub(super) fn udp_port(&self) -> u16 {
        self.victim
            .udp
            .local_addr()
            .map_or(0, |address| address.port())
    }

    pub(super) fn abstract_name(&self) -> &str {
        &self.victim.name
    }
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

// A host function of a runtime has to own what it uses, and be fit for any thread.
const _: () = {
    const fn is_fit_for_any_thread<T: Send + Sync>() {}
    is_fit_for_any_thread::<Targets<'_>>();
};
