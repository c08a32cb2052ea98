//! Sockets that can be made.

use crate::{Condition, Ports, Protection, Refusal, Rules};

/// The kernel's mask of a socket's type, without the flags: `SOCK_TYPE_MASK` in
/// `linux/net.h`.
const TYPE: u32 = 0xf;

const UNIX: u32 = libc::AF_UNIX as u32;
const STREAM: u32 = libc::SOCK_STREAM as u32;
const DATAGRAM: u32 = libc::SOCK_DGRAM as u32;
const RAW: u32 = libc::SOCK_RAW as u32;
const INTERNET: [u32; 2] = [libc::AF_INET as u32, libc::AF_INET6 as u32];
const TCP: u32 = libc::IPPROTO_TCP as u32;
const UDP: u32 = libc::IPPROTO_UDP as u32;
const FAST_OPEN: u32 = libc::MSG_FASTOPEN as u32;

/// A family that is none.
const NO_FAMILY: i64 = 255;

/// Adds the rules of a protection, and returns the calls that prove them.
pub(crate) fn add(
    protection: Protection,
    ports: Ports,
    all: &[Protection],
    rules: &mut Rules,
) -> Vec<Refusal> {
    match protection {
        Protection::Tcp => tcp(ports, all, rules),
        Protection::Udp if !ports.udp => internet(protection, DATAGRAM, rules),
        Protection::OtherSockets => others(rules),
        Protection::UnixSockets => unix(rules),
        _ => Vec::new(),
    }
}

fn internet(protection: Protection, kind: u32, rules: &mut Rules) -> Vec<Refusal> {
    for family in INTERNET {
        rules.refuse_where(
            libc::SYS_socket,
            &[Condition::Is(0, family), Condition::Masked(1, TYPE, kind)],
        );
    }
    let arguments = [libc::AF_INET.into(), kind.into(), 0, 0, 0];
    vec![Refusal::of_socket(protection, arguments)]
}

fn tcp(ports: Ports, all: &[Protection], rules: &mut Rules) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if !ports.tcp {
        refusals = internet(Protection::Tcp, STREAM, rules);
    }
    // Sending with this flag, and listening, pass by Landlock: they connect and bind on the way.
    // The rules also hold for sockets that are there already.
    let flag = FAST_OPEN.into();
    for (name, number, flags, arguments) in [
        ("sendto", libc::SYS_sendto, 3, [-1, 0, 0, flag, 0]),
        ("sendmsg", libc::SYS_sendmsg, 2, [-1, 0, flag, 0, 0]),
        ("sendmmsg", libc::SYS_sendmmsg, 3, [-1, 0, 0, flag, 0]),
    ] {
        rules.refuse_where(number, &[Condition::Masked(flags, FAST_OPEN, FAST_OPEN)]);
        refusals.push(Refusal::new(Protection::Tcp, name, number, arguments));
    }
    // Where unix sockets can be made, one of theirs may be meant.
    if !ports.bind_tcp && all.contains(&Protection::UnixSockets) {
        let (number, arguments) = (libc::SYS_listen, [-1, 0, 0, 0, 0]);
        rules.refuse(number);
        refusals.push(Refusal::new(Protection::Tcp, "listen", number, arguments));
    }
    refusals
}

fn others(rules: &mut Rules) -> Vec<Refusal> {
    let [inet, inet6] = INTERNET;
    rules.refuse_where(
        libc::SYS_socket,
        &[UNIX, inet, inet6].map(|family| Condition::IsNot(0, family)),
    );
    rules.refuse_where(libc::SYS_socketpair, &[Condition::IsNot(0, UNIX)]);
    for family in INTERNET {
        let family = Condition::Is(0, family);
        // Whatever is neither 1 nor 2: a filter can't say it of masked bits, so bit by bit.
        for kind in [
            Condition::Masked(1, TYPE, RAW),
            Condition::Masked(1, 4, 4),
            Condition::Masked(1, 8, 8),
        ] {
            rules.refuse_where(libc::SYS_socket, &[family, kind]);
        }
        let mut conditions = [0, TCP, UDP]
            .map(|protocol| Condition::IsNot(2, protocol))
            .to_vec();
        conditions.push(family);
        rules.refuse_where(libc::SYS_socket, &conditions);
    }
    let mptcp = libc::IPPROTO_MPTCP.into();
    [
        [NO_FAMILY, STREAM.into(), 0, 0, 0],
        [libc::AF_INET.into(), RAW.into(), 0, 0, 0],
        [libc::AF_INET6.into(), STREAM.into(), mptcp, 0, 0],
    ]
    .map(|arguments| Refusal::of_socket(Protection::OtherSockets, arguments))
    .to_vec()
}

fn unix(rules: &mut Rules) -> Vec<Refusal> {
    rules.refuse_where(libc::SYS_socket, &[Condition::Is(0, UNIX)]);
    // A datagram socket of a pair can still send to any name. The kernel takes raw for datagram.
    for kind in [DATAGRAM, RAW] {
        rules.refuse_where(
            libc::SYS_socketpair,
            &[Condition::Is(0, UNIX), Condition::Masked(1, TYPE, kind)],
        );
    }
    let arguments = [UNIX.into(), DATAGRAM.into(), 0, 0, 0];
    let protection = Protection::UnixSockets;
    vec![
        Refusal::of_socket(protection, arguments),
        Refusal::new(protection, "socketpair", libc::SYS_socketpair, arguments),
    ]
}
