//! Descriptors of every kind, and what can be done with them after a restriction.

use std::{
    ffi::{CStr, CString},
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::Path,
};

use crate::sys::{
    self,
    Argument::{Input, Text, Value},
};

/// A kind of descriptor, and how to make one.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The name.
    pub name: &'static str,
    make: fn() -> Result<i64, i32>,
}

impl Kind {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// The kernel's error number, for one that this user can't make, or this kernel hasn't.
    pub fn make(&self) -> Result<OwnedFd, i32> {
        sys::own((self.make)()?)
    }
}

const fn kind(name: &'static str, make: fn() -> Result<i64, i32>) -> Kind {
    Kind { name, make }
}

/// Kinds that give no way out.
pub const HARMLESS: &[Kind] = &[
    kind("pipe", || {
        let mut ends = [0; 8];
        sys::call(
            libc::SYS_pipe2,
            [sys::Argument::Output(&mut ends), Value(0)],
        )?;
        let [a, b, c, d, ..] = ends;
        Ok(i32::from_ne_bytes([a, b, c, d]).into())
    }),
    kind("event counter", || {
        sys::call(libc::SYS_eventfd2, [Value(0), Value(0)])
    }),
    kind("epoll", || sys::call(libc::SYS_epoll_create1, [Value(0)])),
    kind("timer", || {
        let clock = Value(libc::CLOCK_MONOTONIC.into());
        sys::call(libc::SYS_timerfd_create, [clock, Value(0)])
    }),
    kind("signal queue", || {
        let mask = [0; 8];
        let size = Value(8);
        sys::call(
            libc::SYS_signalfd4,
            [Value(-1), Input(&mask), size, Value(0)],
        )
    }),
    kind("ruleset", || {
        // `struct landlock_ruleset_attr` of the first ABI.
        let handled = 1_u64.to_ne_bytes();
        let arguments = [Input(&handled), Value(8), Value(0)];
        sys::call(libc::SYS_landlock_create_ruleset, arguments)
    }),
    kind("null device", || open(c"/dev/null", libc::O_RDWR)),
];

/// Kinds that give a way out, that can't be told to give none, or that are an open file.
pub const OTHERS: &[Kind] = &[
    kind("file", || open(c"/proc/self/exe", libc::O_RDONLY)),
    kind("file of the kernel's", || {
        open(c"/proc/self/mem", libc::O_RDWR)
    }),
    kind("memory file", || {
        sys::call(libc::SYS_memfd_create, [Text(c"memory"), Value(0)])
    }),
    kind("directory", || open(c"/", libc::O_DIRECTORY)),
    kind("name", || open(c"/", libc::O_PATH)),
    kind("name of the null device", || {
        open(c"/dev/null", libc::O_PATH)
    }),
    kind("zero device", || open(c"/dev/zero", libc::O_RDWR)),
    kind("terminal", || {
        open(c"/dev/ptmx", libc::O_RDWR | libc::O_NOCTTY)
    }),
    kind("hypervisor", || open(c"/dev/kvm", libc::O_RDWR)),
    kind("internet socket", || {
        socket(libc::AF_INET, libc::SOCK_STREAM)
    }),
    kind("unix socket", || socket(libc::AF_UNIX, libc::SOCK_STREAM)),
    kind("netlink socket", || {
        socket(libc::AF_NETLINK, libc::SOCK_RAW)
    }),
    kind("packet socket", || socket(libc::AF_PACKET, libc::SOCK_RAW)),
    kind("cipher socket", || {
        socket(libc::AF_ALG, libc::SOCK_SEQPACKET)
    }),
    kind("inotify", || sys::call(libc::SYS_inotify_init1, [Value(0)])),
    kind("fanotify", || {
        sys::call(libc::SYS_fanotify_init, [Value(0), Value(0)])
    }),
    kind("process", || {
        let this = Value(std::process::id().into());
        sys::call(libc::SYS_pidfd_open, [this, Value(0)])
    }),
    kind("namespace", || open(c"/proc/self/ns/net", libc::O_RDONLY)),
    kind("page faults", || {
        sys::call(libc::SYS_userfaultfd, [Value(1)])
    }),
    kind("file system to mount", || {
        sys::call(libc::SYS_fsopen, [Text(c"tmpfs"), Value(0)])
    }),
    kind("copy of a mount", || {
        let arguments = [Value(libc::AT_FDCWD.into()), Text(c"/"), Value(1)];
        sys::call(libc::SYS_open_tree, arguments)
    }),
    kind("bpf map", || {
        // `union bpf_attr`: an array with keys and values of four bytes, and one entry.
        let mut attribute = [0_u8; 128];
        for (field, value) in attribute.chunks_exact_mut(4).zip([2_u32, 4, 4, 1]) {
            field.copy_from_slice(&value.to_ne_bytes());
        }
        sys::call(libc::SYS_bpf, [Value(0), Input(&attribute), Value(128)])
    }),
    kind("performance event", || {
        // `struct perf_event_attr`: the task's clock, of user mode alone.
        let mut attribute = [0_u8; 128];
        for (at, value) in [(0, 1_u64 | 128 << 32), (8, 1), (40, 1 << 5 | 1 << 6)] {
            if let Some(field) = attribute.get_mut(at..at + 8) {
                field.copy_from_slice(&u64::to_ne_bytes(value));
            }
        }
        let arguments = [Input(&attribute), Value(0), Value(-1), Value(-1), Value(0)];
        sys::call(libc::SYS_perf_event_open, arguments)
    }),
    kind("message queue", || {
        let name = CString::new(format!("kinds-{}", std::process::id())).unwrap_or_default();
        let flags = Value((libc::O_CREAT | libc::O_EXCL | libc::O_RDWR).into());
        let arguments = [Text(&name), flags, Value(0o600), Value(0)];
        let opened = sys::call(libc::SYS_mq_open, arguments);
        let _ = sys::call(libc::SYS_mq_unlink, [Text(&name)]);
        opened
    }),
    kind("io_uring", || {
        let mut parameters = [0; 120];
        let arguments = [Value(1), sys::Argument::Output(&mut parameters)];
        sys::call(libc::SYS_io_uring_setup, arguments)
    }),
];

fn open(path: &CStr, flags: i32) -> Result<i64, i32> {
    let arguments = [
        Value(libc::AT_FDCWD.into()),
        Text(path),
        Value(flags.into()),
        Value(0),
    ];
    sys::call(libc::SYS_openat, arguments)
}

fn socket(family: i32, kind: i32) -> Result<i64, i32> {
    let arguments = [family, kind, 0].map(|value| Value(value.into()));
    sys::call(libc::SYS_socket, arguments)
}

/// Has this in the place of the standard input.
///
/// # Errors
///
/// The kernel's error number.
pub fn replace_standard_input(by: OwnedFd) -> Result<(), i32> {
    let arguments = [by.as_raw_fd(), 0, 0].map(|value| Value(value.into()));
    sys::call(libc::SYS_dup3, arguments).map(drop)
}

/// A ring that is passed on to a program: its descriptor's number, whether a kernel thread polls it, and the offsets of its
/// parts.
pub type PassedRing = (i32, bool, [[u32; 10]; 2]);

/// An io_uring.
#[derive(Debug)]
pub struct Ring(sys::Ring);

impl Ring {
    /// Makes one with one entry, which a kernel thread polls if `polled` says so.
    ///
    /// # Errors
    ///
    /// The kernel's error number.
    pub fn new(polled: bool) -> Result<Self, i32> {
        sys::Ring::new(polled).map(Self)
    }

    /// The descriptor's number; -1 once it is closed.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0.number()
    }

    /// Closes its descriptor. The ring stays mapped.
    pub fn close(&mut self) {
        self.0.close();
    }

    /// Registers the rights of the calling thread.
    ///
    /// # Errors
    ///
    /// The kernel's error number.
    pub fn register_personality(&self) -> Result<u16, i32> {
        self.0.register_personality()
    }

    /// Opens a file for reading, with registered rights unless `personality` is 0. It stays open.
    ///
    /// # Errors
    ///
    /// The kernel's error number.
    pub fn open(&self, path: impl AsRef<Path>, personality: u16) -> Result<i32, i32> {
        self.0.open(&c_path(path.as_ref()), personality)
    }

    /// The same with a path at an address in the memory of whoever made the ring, if that is polled. The kernel's thread
    /// looks for the path there, and opens the file for that process.
    ///
    /// # Errors
    ///
    /// The kernel's error number.
    pub fn open_at(&self, path: u64, personality: u16) -> Result<i32, i32> {
        self.0.open_at(path, personality)
    }

    /// Leaves the ring to the program that is executed.
    ///
    /// # Errors
    ///
    /// The kernel's error number.
    pub fn pass_on(self, polled: bool) -> Result<PassedRing, i32> {
        let number = self.number();
        Ok((number, polled, self.0.pass_on()?))
    }

    /// Takes a ring that was left by [`Ring::pass_on`].
    ///
    /// # Errors
    ///
    /// The kernel's error number.
    pub fn take((number, polled, offsets): PassedRing) -> Result<Self, i32> {
        sys::Ring::take(number, polled, offsets).map(Self)
    }

    /// Makes a directory.
    ///
    /// # Errors
    ///
    /// The kernel's error number.
    pub fn make_directory(&self, path: &CStr) -> Result<(), i32> {
        self.0.make_directory(path).map(drop)
    }
}

/// A path as the kernel takes it.
#[must_use]
pub fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

/// A forked process that opens a file when it is asked to, and hands it over.
#[derive(Debug)]
pub struct Helper(UnixStream);

impl Helper {
    /// Starts one. It has the other end of a socket pair which this process made, and ends when
    /// nobody has this end any more.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub fn start(path: &Path) -> io::Result<Self> {
        let (here, there) = UnixStream::pair()?;
        let mut here = Some(here);
        sys::fork_off(|| {
            drop(here.take());
            while serve(&there, path).is_ok() {}
        })?;
        here.map(Self).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The number of this process's end.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Has the helper open its file, and reads it.
    ///
    /// # Errors
    ///
    /// The kernel's error, to either of the two.
    pub fn read(&self) -> io::Result<String> {
        (&self.0).write_all(b"x")?;
        let mut content = String::new();
        sys::receive_file(&self.0)?.read_to_string(&mut content)?;
        Ok(content)
    }
}

fn serve(socket: &UnixStream, path: &Path) -> io::Result<()> {
    let mut asked = [0];
    { socket }.read_exact(&mut asked)?;
    sys::send_file(socket, &File::open(path)?)
}
