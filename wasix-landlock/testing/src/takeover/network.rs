//! Sockets.

use super::{
    Attempt, Call, Landlock, Targets,
    files::{close, done},
};
use crate::sys::{
    self,
    Argument::{self, Input, Output, Value},
};

const INET: i32 = libc::AF_INET;
const STREAM: i32 = libc::SOCK_STREAM;
const DATAGRAM: i32 = libc::SOCK_DGRAM;
const OTHERS: Option<&str> = Some("other-sockets");
const UNIX: Option<&str> = Some("unix-sockets");

pub(super) const CALLS: &[Call] = &[
    Call::new(
        "tcp-bind",
        "bind a TCP port",
        Landlock::Tcp(4),
        Some("tcp"),
        |_| with(INET, STREAM, 0, |socket| bind(socket, &ipv4(0))),
    ),
    Call::new(
        "tcp-connect",
        "connect to a TCP port",
        Landlock::Tcp(4),
        Some("tcp"),
        |t| {
            with(INET, STREAM, 0, |socket| {
                connect(socket, &ipv4(t.tcp_port()))
            })
        },
    ),
    Call::new(
        "tcp-fast-open",
        "connect to a TCP port by sending",
        Landlock::TcpFixed(4),
        Some("tcp"),
        |t| {
            with(INET, STREAM, 0, |socket| {
                send(socket, &ipv4(t.tcp_port()), libc::MSG_FASTOPEN)
            })
        },
    ),
    Call::new(
        "tcp-listen",
        "listen on any TCP port, without bind",
        Landlock::Nothing,
        Some("tcp"),
        |_| {
            with(INET, STREAM, 0, |socket| {
                done(sys::call(libc::SYS_listen, [Value(socket), Value(1)]))
            })
        },
    ),
    Call::new(
        "mptcp-connect",
        "connect to a TCP port by MPTCP",
        Landlock::Nothing,
        OTHERS,
        |t| {
            with(INET, STREAM, libc::IPPROTO_MPTCP, |socket| {
                connect(socket, &ipv4(t.tcp_port()))
            })
        },
    ),
    Call::new(
        "udp-bind",
        "bind a UDP port",
        Landlock::Udp(10),
        Some("udp"),
        |_| with(INET, DATAGRAM, 0, |socket| bind(socket, &ipv4(0))),
    ),
    Call::new(
        "udp-connect",
        "connect to a UDP port",
        Landlock::Udp(10),
        Some("udp"),
        |t| {
            with(INET, DATAGRAM, 0, |socket| {
                connect(socket, &ipv4(t.udp_port()))
            })
        },
    ),
    Call::new(
        "udp-send",
        "send to a UDP port",
        Landlock::Udp(10),
        Some("udp"),
        |t| {
            with(INET, DATAGRAM, 0, |socket| {
                send(socket, &ipv4(t.udp_port()), 0)
            })
        },
    ),
    Call::new(
        "unix-connect",
        "connect to a unix socket by its path",
        Landlock::Files(9),
        UNIX,
        |t| {
            let path = t.path().join("listener");
            let path = path.to_string_lossy();
            with(libc::AF_UNIX, STREAM, 0, |socket| {
                connect(socket, &unix(path.as_bytes()))
            })
        },
    ),
    Call::new(
        "unix-bind",
        "make a unix socket in a directory",
        Landlock::Files(1),
        UNIX,
        |t| {
            let path = t.path().join("bound");
            let path = path.to_string_lossy();
            with(libc::AF_UNIX, STREAM, 0, |socket| {
                bind(socket, &unix(path.as_bytes()))
            })
        },
    ),
    Call::new(
        "abstract-connect",
        "connect to an abstract socket outside",
        Landlock::Scope(6),
        UNIX,
        |t| {
            with(libc::AF_UNIX, DATAGRAM, 0, |socket| {
                connect(socket, &named(t))
            })
        },
    ),
    Call::new(
        "pair-send",
        "send from a socket pair to an abstract socket",
        Landlock::Scope(6),
        UNIX,
        |t| {
            let mut pair = [0_u8; 8];
            let arguments = [
                Value(libc::AF_UNIX.into()),
                Value(DATAGRAM.into()),
                Value(0),
                Output(&mut pair),
            ];
            sys::call(libc::SYS_socketpair, arguments)?;
            let [a, b, c, d, ..] = pair;
            send(i32::from_ne_bytes([a, b, c, d]).into(), &named(t), 0)
        },
    ),
    Call::new(
        "pair",
        "make a stream pair",
        Landlock::Nothing,
        None,
        |_| {
            let mut pair = [0_u8; 8];
            let arguments = [
                Value(libc::AF_UNIX.into()),
                Value(STREAM.into()),
                Value(0),
                Output(&mut pair),
            ];
            done(sys::call(libc::SYS_socketpair, arguments))
        },
    ),
    Call::new(
        "raw",
        "make a raw socket",
        Landlock::Nothing,
        OTHERS,
        |_| make(INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
    )
    .only_root(),
    Call::new(
        "packet",
        "make a packet socket",
        Landlock::Nothing,
        OTHERS,
        |_| make(libc::AF_PACKET, libc::SOCK_RAW, 0),
    )
    .only_root(),
    Call::new(
        "netlink",
        "make a netlink socket",
        Landlock::Nothing,
        OTHERS,
        |_| make(libc::AF_NETLINK, libc::SOCK_RAW, 0),
    ),
    Call::new(
        "vsock",
        "make a socket to the hypervisor",
        Landlock::Nothing,
        OTHERS,
        |_| make(libc::AF_VSOCK, STREAM, 0),
    ),
    Call::new(
        "sctp",
        "make an SCTP socket",
        Landlock::Nothing,
        OTHERS,
        |_| make(INET, STREAM, libc::IPPROTO_SCTP),
    ),
    Call::new(
        "crypto",
        "make a socket to the kernel's ciphers",
        Landlock::Nothing,
        OTHERS,
        |_| make(libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
    ),
];

fn socket(family: i32, kind: i32, protocol: i32) -> Result<i64, i32> {
    let arguments = [family, kind | libc::SOCK_CLOEXEC, protocol].map(|value| Value(value.into()));
    sys::call(libc::SYS_socket, arguments)
}

fn make(family: i32, kind: i32, protocol: i32) -> Attempt {
    close(socket(family, kind, protocol))
}

/// Makes a socket for what a body does with it.
fn with(family: i32, kind: i32, protocol: i32, body: impl FnOnce(i64) -> Attempt) -> Attempt {
    let socket = socket(family, kind, protocol)?;
    let result = body(socket);
    close(Ok(socket))?;
    result
}

fn length(address: &[u8]) -> Argument<'_> {
    Value(i64::try_from(address.len()).unwrap_or(0))
}

fn bind(socket: i64, address: &[u8]) -> Attempt {
    done(sys::call(
        libc::SYS_bind,
        [Value(socket), Input(address), length(address)],
    ))
}

fn connect(socket: i64, address: &[u8]) -> Attempt {
    done(sys::call(
        libc::SYS_connect,
        [Value(socket), Input(address), length(address)],
    ))
}

fn send(socket: i64, address: &[u8], flags: i32) -> Attempt {
    let arguments = [
        Value(socket),
        Input(b"x"),
        Value(1),
        Value(flags.into()),
        Input(address),
        length(address),
    ];
    done(sys::call(libc::SYS_sendto, arguments))
}

/// `struct sockaddr_in`, for a port of this machine.
fn ipv4(port: u16) -> Vec<u8> {
    let mut address = family(libc::AF_INET);
    address.extend(port.to_be_bytes());
    address.extend([127, 0, 0, 1]);
    address.extend([0; 8]);
    address
}

/// `struct sockaddr_un`.
fn unix(name: &[u8]) -> Vec<u8> {
    let mut address = family(libc::AF_UNIX);
    address.extend(name);
    address
}

fn named(targets: &Targets) -> Vec<u8> {
    let mut name = vec![0];
    name.extend(targets.abstract_name().as_bytes());
    unix(&name)
}

fn family(family: i32) -> Vec<u8> {
    u16::try_from(family).unwrap_or(0).to_ne_bytes().to_vec()
}
