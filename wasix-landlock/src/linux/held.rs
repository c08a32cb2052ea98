//! Whether the kernel holds what the ruleset says beyond files.
//!
//! A kernel can take an access right or a scope into a ruleset and do nothing about it. So each is
//! tried: what is allowed before the restriction must be refused after it.

use std::{fmt, os::fd::OwnedFd};

use super::sys::{self, Helper, UnixAddress};
use crate::{Network, Protection};

/// How often to look for a port that isn't granted.
const TRIES: usize = 16;

/// What is to be tried, made ready before the restriction: afterwards, sockets may not be made.
pub(crate) struct Trials(Vec<Trial>);

struct Trial {
    protection: Protection,
    way: Way,
}

enum Way {
    /// Bind this socket to the port of the other one, which isn't granted.
    Bind {
        socket: OwnedFd,
        port: u16,
        _holder: OwnedFd,
    },
    /// Connect this socket to a port that isn't granted.
    Connect {
        socket: OwnedFd,
        port: u16,
        _holder: OwnedFd,
    },
    /// Connect this socket to an abstract one that was made before the restriction.
    Abstract {
        socket: OwnedFd,
        to: UnixAddress,
        _server: OwnedFd,
    },
    /// Ask whether a process that was started before may be signalled.
    Signal { pid: i32, _helper: Option<Helper> },
}

/// Something that the ruleset denies and the kernel allowed.
#[derive(Debug)]
pub(crate) struct NotHeld {
    pub(crate) protection: Protection,
    pub(crate) what: String,
}

impl Trials {
    /// Makes trials of these protections ready. Also returns those that nothing can be tried for,
    /// in words: where a container denies it already, or where there is no such network.
    pub(crate) fn new(protections: &[Protection], ports: &Network) -> (Self, Vec<String>) {
        let mut trials = Vec::new();
        let mut untried = Vec::new();
        for protection in protections.iter().copied() {
            let ways = match protection {
                Protection::Tcp => network(libc::SOCK_STREAM, ports),
                Protection::Udp => network(libc::SOCK_DGRAM, ports),
                Protection::AbstractSocketScope => abstract_socket(),
                Protection::SignalScope => signal(),
                _ => Ok(Vec::new()),
            };
            match ways {
                Ok(ways) => trials.extend(ways.into_iter().map(|way| Trial { protection, way })),
                Err(why) => untried.push(format!("{protection} is taken from the kernel: {why}")),
            }
        }
        (Self(trials), untried)
    }

    /// Tries all of it, and returns what isn't refused.
    pub(crate) fn run(self) -> Vec<NotHeld> {
        let not_held = |trial: &Trial| match trial.way.run() {
            Err(libc::EACCES | libc::EPERM) => None,
            _ => Some(NotHeld {
                protection: trial.protection,
                what: trial.way.to_string(),
            }),
        };
        self.0.iter().filter_map(not_held).collect()
    }
}

impl Way {
    fn run(&self) -> Result<(), i32> {
        match self {
            Self::Bind { socket, port, .. } => sys::bind_port(socket, *port),
            Self::Connect { socket, port, .. } => sys::connect_port(socket, *port),
            Self::Abstract { socket, to, .. } => sys::connect_unix(socket, to),
            Self::Signal { pid, .. } => sys::may_signal(*pid),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { port, .. } => write!(f, "binding to port {port}"),
            Self::Connect { port, .. } => write!(f, "connecting to port {port}"),
            Self::Abstract { .. } => f.write_str("connecting to an abstract socket"),
            Self::Signal { pid, .. } => write!(f, "signalling process {pid}"),
        }
    }
}

fn network(kind: i32, ports: &Network) -> Result<Vec<Way>, String> {
    let make = || {
        sys::socket(libc::AF_INET, kind).map_err(|error| format!("no socket can be made: {error}"))
    };
    let denied = |what: &str, errno: i32| {
        let error = std::io::Error::from_raw_os_error(errno);
        format!("{what} a port fails without the restriction: {error}")
    };
    let mut holders = Vec::new();
    for _ in 0..TRIES {
        let holder = make()?;
        sys::bind_port(&holder, 0).map_err(|errno| denied("binding to", errno))?;
        let port = sys::port_of(&holder).map_err(|error| error.to_string())?;
        if ports.grants(port) {
            // Kept, so that the next one gets another port.
            holders.push(holder);
            continue;
        }
        // Refused by the network itself, as nobody listens; what matters is that it isn't EACCES.
        let before = sys::connect_port(&make()?, port);
        if let Err(errno @ (libc::EACCES | libc::EPERM)) = before {
            return Err(denied("connecting to", errno));
        }
        let again = holder.try_clone().map_err(|error| error.to_string())?;
        return Ok(vec![
            Way::Bind {
                socket: make()?,
                port,
                _holder: holder,
            },
            Way::Connect {
                socket: make()?,
                port,
                _holder: again,
            },
        ]);
    }
    Err("every port that was tried is granted".to_owned())
}

fn abstract_socket() -> Result<Vec<Way>, String> {
    let make = || {
        sys::socket(libc::AF_UNIX, libc::SOCK_DGRAM)
            .map_err(|error| format!("no socket can be made: {error}"))
    };
    let words = |errno| std::io::Error::from_raw_os_error(errno).to_string();
    let server = make()?;
    let to = sys::bind_any_abstract(&server).map_err(words)?;
    sys::connect_unix(&make()?, &to).map_err(words)?;
    Ok(vec![Way::Abstract {
        socket: make()?,
        to,
        _server: server,
    }])
}

fn signal() -> Result<Vec<Way>, String> {
    let way = match sys::parent().filter(|pid| sys::may_signal(*pid).is_ok()) {
        Some(pid) => Way::Signal { pid, _helper: None },
        // The parent is somebody else's, such as the service manager.
        None => {
            let helper = Helper::start().map_err(|error| format!("no process starts: {error}"))?;
            let pid = helper.pid();
            sys::may_signal(pid)
                .map_err(|errno| std::io::Error::from_raw_os_error(errno).to_string())?;
            Way::Signal {
                pid,
                _helper: Some(helper),
            }
        }
    };
    Ok(vec![way])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is restricted here, so that whoever believed the ruleset would be wrong.
    #[test]
    fn a_kernel_that_holds_nothing_is_found_out() {
        let all = [
            Protection::Tcp,
            Protection::Udp,
            Protection::AbstractSocketScope,
            Protection::SignalScope,
        ];
        let (trials, untried) = Trials::new(&all, &Network::none());
        assert_eq!(untried, Vec::<String>::new());
        let found: Vec<Protection> = trials.run().iter().map(|not| not.protection).collect();
        let [tcp, udp, socket, signal] = all;
        assert_eq!(found, [tcp, tcp, udp, udp, socket, signal]);
    }
}
