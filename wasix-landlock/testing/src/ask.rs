//! Questions to the kernel: each tries something, and says with which error number it failed.

use std::{
    fs::{self, OpenOptions},
    io,
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsFd, AsRawFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::{OpenOptionsExt, PermissionsExt, symlink},
            net::{SocketAddr, UnixListener, UnixStream},
        },
    },
    path::Path,
    process::{Command, Stdio},
};

use crate::sys::{self, Argument};

/// Success, or the kernel's error number.
pub type Answer = Result<(), i32>;

fn answer<T>(result: io::Result<T>) -> Answer {
    result
        .map(drop)
        .map_err(|error| error.raw_os_error().unwrap_or(0))
}

/// The kernel's Landlock ABI, 0 without Landlock.
#[must_use]
pub fn landlock_abi() -> u32 {
    sys::landlock_abi().unwrap_or(0)
}

/// Opens a file or a directory for reading.
///
/// # Errors
///
/// The error number.
pub fn open_read(path: impl AsRef<Path>) -> Answer {
    let mut options = OpenOptions::new();
    answer(options.read(true).custom_flags(libc::O_NONBLOCK).open(path))
}

/// Opens a file for writing, without changing it.
///
/// # Errors
///
/// The error number.
pub fn open_write(path: impl AsRef<Path>) -> Answer {
    let mut options = OpenOptions::new();
    answer(
        options
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path),
    )
}

/// Empties a file with `truncate(2)`, without opening it.
///
/// # Errors
///
/// The error number.
pub fn truncate(path: impl AsRef<Path>) -> Answer {
    answer(sys::truncate(path.as_ref()))
}

/// Makes a regular file that doesn't exist yet, without opening it.
///
/// # Errors
///
/// The error number.
pub fn make_file(path: impl AsRef<Path>) -> Answer {
    answer(sys::make_node(path.as_ref(), libc::S_IFREG, 0))
}

/// Makes a file with `open(2)` and opens it for writing.
///
/// # Errors
///
/// The error number.
pub fn create_new(path: impl AsRef<Path>) -> Answer {
    answer(OpenOptions::new().write(true).create_new(true).open(path))
}

/// Makes a fifo.
///
/// # Errors
///
/// The error number.
pub fn make_fifo(path: impl AsRef<Path>) -> Answer {
    answer(sys::make_node(path.as_ref(), libc::S_IFIFO, 0))
}

/// Makes a character device, the same as `/dev/null`.
///
/// # Errors
///
/// The error number.
pub fn make_character_device(path: impl AsRef<Path>) -> Answer {
    answer(sys::make_node(
        path.as_ref(),
        libc::S_IFCHR,
        libc::makedev(1, 3),
    ))
}

/// Makes a block device, the same as the first loop device.
///
/// # Errors
///
/// The error number.
pub fn make_block_device(path: impl AsRef<Path>) -> Answer {
    answer(sys::make_node(
        path.as_ref(),
        libc::S_IFBLK,
        libc::makedev(7, 0),
    ))
}

/// Makes a unix socket by binding to it.
///
/// # Errors
///
/// The error number.
pub fn bind_socket(path: impl AsRef<Path>) -> Answer {
    answer(UnixListener::bind(path))
}

/// Connects to a unix socket by its path.
///
/// # Errors
///
/// The error number.
pub fn connect_socket(path: impl AsRef<Path>) -> Answer {
    answer(UnixStream::connect(path))
}

/// Makes a directory.
///
/// # Errors
///
/// The error number.
pub fn make_directory(path: impl AsRef<Path>) -> Answer {
    answer(fs::create_dir(path))
}

/// Makes a symbolic link.
///
/// # Errors
///
/// The error number.
pub fn make_symlink(target: impl AsRef<Path>, path: impl AsRef<Path>) -> Answer {
    answer(symlink(target, path))
}

/// Makes a hard link.
///
/// # Errors
///
/// The error number.
pub fn link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Answer {
    answer(fs::hard_link(from, to))
}

/// Removes a file.
///
/// # Errors
///
/// The error number.
pub fn unlink(path: impl AsRef<Path>) -> Answer {
    answer(fs::remove_file(path))
}

/// Removes an empty directory.
///
/// # Errors
///
/// The error number.
pub fn remove_directory(path: impl AsRef<Path>) -> Answer {
    answer(fs::remove_dir(path))
}

/// Renames.
///
/// # Errors
///
/// The error number.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Answer {
    answer(fs::rename(from, to))
}

/// Executes a program, without waiting for success.
///
/// # Errors
///
/// The error number.
pub fn execute(path: impl AsRef<Path>) -> Answer {
    let mut command = Command::new(path.as_ref());
    command.stdin(Stdio::inherit());
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    answer(command.status())
}

/// Opens a device for reading and sends it an ioctl that asks for a terminal's settings.
///
/// # Errors
///
/// The error number; without a restriction, `ENOTTY` from a device that is no terminal.
pub fn ioctl_device(path: impl AsRef<Path>) -> Answer {
    answer(fs::File::open(path).and_then(|device| sys::ask_terminal(&device)))
}

/// Sends a command to an open file, socket or device. What the command reads or writes goes through
/// the bytes.
///
/// # Errors
///
/// The error number.
pub fn ioctl(open: &impl AsFd, command: libc::Ioctl, bytes: &mut [u8; 256]) -> Answer {
    let number = i64::from(open.as_fd().as_raw_fd());
    // The type is the C library's choice; the kernel takes 32 bits.
    #[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]
    let command = command as i64;
    let arguments = [
        Argument::Value(number),
        Argument::Value(command),
        Argument::Output(bytes),
    ];
    sys::call(libc::SYS_ioctl, arguments).map(drop)
}

/// Makes a system call by its number, with arguments that name nothing.
///
/// # Errors
///
/// The error number.
pub fn system_call(number: i64) -> Answer {
    let nothing = [-1, 0, 0, 0, 0].map(Argument::Value);
    sys::call(number, nothing).map(drop)
}

/// Changes a file's mode to what it may well be.
///
/// # Errors
///
/// The error number.
pub fn change_mode(path: impl AsRef<Path>) -> Answer {
    answer(fs::set_permissions(path, fs::Permissions::from_mode(0o644)))
}

/// Binds and listens on a TCP port of this machine; 0 for any.
///
/// # Errors
///
/// The error number.
pub fn bind_tcp(port: u16) -> Answer {
    answer(TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
}

/// Connects to a TCP port of this machine.
///
/// # Errors
///
/// The error number.
pub fn connect_tcp(port: u16) -> Answer {
    answer(TcpStream::connect((Ipv4Addr::LOCALHOST, port)))
}

/// Sends a datagram to a UDP port of this machine.
///
/// # Errors
///
/// The error number.
pub fn send_udp(port: u16) -> Answer {
    answer(
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.send_to(b"x", (Ipv4Addr::LOCALHOST, port))),
    )
}

/// Connects to an abstract unix socket.
///
/// # Errors
///
/// The error number.
pub fn connect_abstract(name: &str) -> Answer {
    answer(SocketAddr::from_abstract_name(name).and_then(|name| UnixStream::connect_addr(&name)))
}

/// Asks whether a process may be signalled.
///
/// # Errors
///
/// The error number.
pub fn signal(process: u32) -> Answer {
    send_signal(process, 0)
}

/// Sends a signal to a process.
///
/// # Errors
///
/// The error number.
pub fn send_signal(process: u32, signal: i32) -> Answer {
    answer(
        i32::try_from(process)
            .map_err(io::Error::other)
            .and_then(|pid| sys::signal(pid, signal)),
    )
}

/// Runs code that was generated just now, as a compiler does that runs its output.
///
/// # Errors
///
/// The error number.
pub fn run_generated_code() -> Answer {
    answer(sys::run_generated_code())
}

/// Reads from a descriptor that is known by its number.
///
/// # Errors
///
/// The error number.
pub fn read_descriptor(number: i32) -> Answer {
    answer(sys::read_descriptor(number))
}
