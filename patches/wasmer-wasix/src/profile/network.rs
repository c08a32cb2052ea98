//! The ports that a module may use.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use virtual_net::DynVirtualNetworking;

use crate::landlock::Network;

/// Ports of the host that may be used. None of them is, unless it is named.
///
/// ```
/// use wasmer_wasix::profile::Profile;
///
/// let mut profile = Profile::new();
/// assert!(profile.network.is_empty());
/// profile = profile.bind(8080).connect(443);
/// profile.network.send_udp.insert(53);
/// assert!(!profile.network.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Ports {
    /// TCP ports to bind to. 0 is what is asked for to get any free port.
    pub bind: BTreeSet<u16>,
    /// TCP ports to connect to. That alone grants no DNS, which needs UDP: see
    /// [`Network::connect`](crate::landlock::Network::connect).
    pub connect: BTreeSet<u16>,
    /// UDP ports to bind to (from Linux 7.2 on).
    pub bind_udp: BTreeSet<u16>,
    /// UDP ports to connect and send to, such as 53 for names (from Linux 7.2 on).
    pub send_udp: BTreeSet<u16>,
}

impl Ports {
    /// The ports that the kernel's rules grant.
    pub(crate) fn of(network: &Network) -> Self {
        Self {
            bind: network.bind_tcp.clone(),
            connect: network.connect_tcp.clone(),
            bind_udp: network.bind_udp.clone(),
            send_udp: network.send_udp.clone(),
        }
    }

    /// True if no port is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The rules for the kernel.
    pub(super) fn network(&self) -> Network {
        let mut network = Network::none();
        network.bind_tcp.clone_from(&self.bind);
        network.connect_tcp.clone_from(&self.connect);
        network.bind_udp.clone_from(&self.bind_udp);
        network.send_udp.clone_from(&self.send_udp);
        network
    }

    /// The same as Wasmer's own rules, for the host's network. They ask whether a peer may be connected to, also where it is the peer that
    /// connects, from any port: with a port to bind to they let everything out, and only the kernel's rules hold.
    #[cfg(feature = "host-vnet")]
    pub(super) fn rules(&self) -> String {
        let list = |ports: &mut dyn Iterator<Item = &u16>| {
            let ports: Vec<String> = ports.map(u16::to_string).collect();
            (!ports.is_empty()).then(|| format!("{{{}}}", ports.join(", ")))
        };
        let inward = list(&mut self.bind.union(&self.bind_udp));
        let outward = match inward {
            Some(_) => Some("*".to_owned()),
            None => list(&mut self.connect.union(&self.send_udp)),
        };
        let mut rules = Vec::new();
        for address in ["ipv4:allow=*", "ipv6:allow=*"] {
            rules.extend(inward.iter().map(|ports| format!("{address}:{ports}/in")));
            rules.extend(outward.iter().map(|ports| format!("{address}:{ports}/out")));
        }
        if outward.is_some() {
            rules.push("dns:allow=*:*".to_owned());
        }
        rules.join(", ")
    }

    /// The network for a runtime: none, or the host's with the same ports in Wasmer's own rules.
    #[cfg(feature = "host-vnet")]
    pub(crate) fn networking(&self) -> DynVirtualNetworking {
        if self.is_empty() {
            return Arc::new(virtual_net::UnsupportedVirtualNetworking::default());
        }
        match self.rules().parse() {
            Ok(rules) => Arc::new(virtual_net::host::LocalNetworking::with_ruleset(rules)),
            Err(error) => {
                tracing::error!(%error, "the ports have no form as Wasmer's rules: no network");
                Arc::new(virtual_net::UnsupportedVirtualNetworking::default())
            }
        }
    }

    #[cfg(not(feature = "host-vnet"))]
    pub(crate) fn networking(&self) -> DynVirtualNetworking {
        Arc::new(virtual_net::UnsupportedVirtualNetworking::default())
    }
}
