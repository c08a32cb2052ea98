//! Ports and scopes.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    process,
    sync::{Arc, Barrier},
    thread,
};

use wasix_landlock::{
    Layer, Level, Network, NotWithin, PrepareError, Protection, ProtectionReport, ProtectionStatus,
    Report,
};
use wasix_landlock_testing::{ask, isolated};

use crate::common::{hardened, needs, policy};

/// Refused by Landlock.
const BY_RULE: Result<(), i32> = Err(libc::EACCES);
/// Refused by the second layer, or by a scope.
const REFUSED: Result<(), i32> = Err(libc::EPERM);

fn protection(report: &Report, name: Protection) -> &ProtectionReport {
    report.protections.iter().find(|p| p.name == name).unwrap()
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn abstract_listener(name: &str) -> std::io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

for_both_users! {
    fn a_policy_that_says_nothing_leaves_network_and_signals_alone() {
        let (_before, port) = listen();
        let name = format!("before-{}", process::id());
        let _listener = abstract_listener(&name).unwrap();
        let child = process::Command::new("sleep").arg("60").spawn();
        let report = policy().enforce().unwrap();
        for name in [Protection::Tcp, Protection::Udp, Protection::SignalScope, Protection::Metadata] {
            assert_eq!(protection(&report, name).status, ProtectionStatus::Off);
            assert_eq!(protection(&report, name).level, Level::Off);
            assert!(!report.protects(name));
        }
        assert!(report.network.is_none());
        assert_eq!(ask::bind_tcp(0), Ok(()));
        assert_eq!(ask::connect_tcp(port), Ok(()));
        assert_eq!(ask::send_udp(port), Ok(()));
        assert_eq!(ask::connect_abstract(&name), Ok(()));
        if let Ok(mut child) = child {
            assert_eq!(ask::signal(child.id()), Ok(()));
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

for_both_users! {
    fn without_a_port_there_is_no_network() {
        needs(4);
        let (before, port) = listen();
        let accepted = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = datagrams.local_addr().unwrap().port();
        assert_eq!(ask::send_udp(to), Ok(()));
        assert_eq!(ask::bind_tcp(0), Ok(()));

        let report = policy().network(Network::none()).enforce().unwrap();
        for name in [Protection::Tcp, Protection::Udp, Protection::OtherSockets, Protection::IoUring] {
            assert!(report.protects(name), "{report}");
            assert!(protection(&report, name).by.contains(&Layer::Seccomp), "{report}");
        }
        assert_eq!(protection(&report, Protection::Tcp).by, [Layer::Landlock, Layer::Seccomp]);
        assert_eq!(report.network, Some(Network::none()));
        assert!(report.to_string().contains("network: none"), "{report}");
        assert_eq!(ask::bind_tcp(0), REFUSED);
        assert_eq!(ask::connect_tcp(port), REFUSED);
        assert_eq!(ask::send_udp(to), REFUSED);
        // What was there before goes on.
        before.accept().unwrap();
        drop(accepted);
        // And so do unix sockets, which aren't the network.
        UnixStream::pair().unwrap();
        let name = format!("after-{}", process::id());
        let _listener = abstract_listener(&name).unwrap();
        assert_eq!(ask::connect_abstract(&name), Ok(()));
    }
}

for_both_users! {
    fn ports_are_granted_one_by_one() {
        needs(4);
        let (granted, to) = listen();
        let (_other, elsewhere) = listen();
        let (free, from) = listen();
        drop(free);
        let report = policy()
            .network(Network::none().connect(to).bind(from))
            .enforce()
            .unwrap();
        assert!(report.protects(Protection::Tcp));
        assert_eq!(ask::connect_tcp(to), Ok(()));
        assert_eq!(ask::connect_tcp(elsewhere), BY_RULE);
        assert_eq!(ask::bind_tcp(from), Ok(()));
        assert_eq!(ask::bind_tcp(0), BY_RULE);
        assert_eq!(ask::send_udp(to), REFUSED);
        let why = report.lacks_dns().unwrap();
        assert!(why.contains("DNS can't resolve names; "), "{why}");
        assert_eq!(why.contains("can't tell UDP ports apart"), ask::landlock_abi() < 10);
        assert!(report.warnings.contains(&why), "{report}");
        assert_eq!(report.network.as_ref().unwrap().connect.len(), 1);
        drop(granted);
    }
}

#[test]
fn without_udp_nobody_warns_of_what_works() {
    isolated!(|| {
        needs(4);
        let (_listener, port) = listen();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = socket.local_addr().unwrap().port();
        let granted = || policy().network(Network::none().connect(port));
        assert!(granted().prepare().unwrap().report().lacks_dns().is_some());
        // Who only serves asks for no names.
        let serving = policy().network(Network::none().bind(port)).prepare();
        assert_eq!(serving.unwrap().report().lacks_dns(), None);
        let report = granted().without(Protection::Udp).enforce().unwrap();
        assert_eq!(report.lacks_dns(), None);
        assert!(report.warnings.is_empty(), "{report}");
        assert_eq!(ask::send_udp(to), Ok(()));
        assert_eq!(ask::connect_tcp(port ^ 1), BY_RULE);
    });
}

#[test]
fn udp_ports_need_a_kernel_that_knows_them() {
    isolated!(|| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let asked = || policy().network(Network::none().send_udp(port).bind_udp(0));
        match asked().prepare() {
            // Linux 7.2 and newer.
            Ok(prepared) => {
                prepared.enforce().unwrap();
                assert_eq!(ask::send_udp(port), Ok(()));
                assert_eq!(ask::send_udp(port ^ 1), BY_RULE);
            }
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        PrepareError::ProtectionUnavailable {
                            protection: Protection::Udp,
                            ..
                        }
                    ),
                    "{error}"
                );
                let report = asked().optional(Protection::Udp).enforce().unwrap();
                assert!(!report.protects(Protection::Udp));
                let lacks =
                    |name: &str| report.not_enforced.iter().any(|not| not.starts_with(name));
                assert!(lacks("udp: "), "{report}");
                // It isn't restricted at all then, and TCP is.
                assert_eq!(ask::send_udp(port ^ 1), Ok(()));
                assert_eq!(ask::bind_tcp(0), REFUSED);
            }
        }
    });
}

/// Has each of two threads that are there before the build listen on an abstract socket of its own
/// after it, and connect to the other one's. Returns what connecting answered.
fn connect_to_each_other(build: impl FnOnce()) -> Vec<Result<(), i32>> {
    let (built, listening) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(2)));
    let name = |number| format!("wasix-landlock-{}-{number}", process::id());
    let threads = [0, 1].map(|number| {
        let (built, listening) = (Arc::clone(&built), Arc::clone(&listening));
        thread::spawn(move || {
            built.wait();
            let own = abstract_listener(&name(number)).unwrap();
            listening.wait();
            let answer = ask::connect_abstract(&name(1 - number));
            listening.wait();
            drop(own);
            answer
        })
    });
    build();
    built.wait();
    threads.map(|thread| thread.join().unwrap()).into()
}

#[test]
fn threads_that_may_not_connect_to_each_other_are_warned_about() {
    isolated!(|| {
        needs(6);
        let free = connect_to_each_other(|| ());
        assert_eq!(free, [Ok(()), Ok(())]);
        let mut warned = false;
        let restricted = connect_to_each_other(|| {
            let report = policy()
                .require(Protection::AbstractSocketScope)
                .enforce()
                .unwrap();
            warned = report
                .warnings
                .iter()
                .any(|warning| warning.starts_with("abstract-socket-scope: "));
        });
        // The kernel's own thread synchronisation puts both into one domain.
        let expected = if ask::landlock_abi() < 8 {
            REFUSED
        } else {
            Ok(())
        };
        assert_eq!(restricted, [expected, expected]);
        assert_eq!(warned, expected == REFUSED);
    });
}

for_both_users! {
    fn a_scope_ends_at_what_was_there_before() {
        needs(6);
        let name = format!("before-{}", process::id());
        let _listener = abstract_listener(&name).unwrap();
        assert_eq!(ask::connect_abstract(&name), Ok(()));
        let Ok(mut child) = process::Command::new("sleep").arg("60").spawn() else {
            skip!("there is no `sleep`");
        };
        assert_eq!(ask::signal(child.id()), Ok(()));

        let report = policy()
            .require(Protection::SignalScope)
            .require(Protection::AbstractSocketScope)
            .enforce()
            .unwrap();
        assert!(report.protects(Protection::SignalScope));
        assert_eq!(protection(&report, Protection::SignalScope).by, [Layer::Landlock]);
        assert_eq!(ask::signal(child.id()), REFUSED);
        assert_eq!(ask::connect_abstract(&name), REFUSED);
        // Itself and what it makes are inside.
        assert_eq!(ask::signal(process::id()), Ok(()));
        let name = format!("after-{}", process::id());
        let _listener = abstract_listener(&name).unwrap();
        assert_eq!(ask::connect_abstract(&name), Ok(()));
        let stopped = child.kill().map_err(|error| error.raw_os_error().unwrap());
        assert_eq!(stopped, REFUSED);
    }
}

#[test]
fn a_later_policy_gets_no_ports_that_the_first_one_has_not() {
    isolated!(|| {
        needs(4);
        policy()
            .network(Network::none().connect(80).connect(443))
            .enforce()
            .unwrap();
        let within = policy().network(Network::none().connect(443)).enforce();
        assert!(within.unwrap().joined);
        assert!(policy().enforce().unwrap().joined);
        let error = policy()
            .network(Network::none().connect(443).bind(8080))
            .enforce()
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the ports (bind tcp 8080) are outside the grants"),
            "{error}"
        );
    });
}

#[test]
fn a_later_policy_is_not_restricted_less_than_it_requires() {
    isolated!(|| {
        let later = hardened().prepare().unwrap();
        policy().enforce().unwrap();
        let error = later.enforce().unwrap_err();
        assert!(error.to_string().contains("restricted without"), "{error}");
        let error = policy().network(Network::none()).prepare().unwrap_err();
        assert!(
            matches!(error, PrepareError::NotWithin(NotWithin::Protection { .. })),
            "{error}"
        );
        assert!(policy().enforce().unwrap().joined);
    });
}
