//! The network of a runtime, with the ports of a profile.

#[cfg(feature = "host-vnet")]
use std::sync::Arc;

use virtual_net::DynVirtualNetworking;
use wasix_landlock_profile::Network;

use crate::landlock::no_network;

/// The network that a runtime has to be made with for these ports: none if no port is named, else the host's, with the
/// same ports in Wasmer's own rules. What the kernel enforces doesn't depend on it.
///
/// ```
/// use wasmer_wasix::profile::{self, Profile};
///
/// let networking = profile::networking(&Profile::new().network);
/// ```
#[cfg(feature = "host-vnet")]
#[must_use]
pub fn networking(network: &Network) -> DynVirtualNetworking {
    if network.is_empty() {
        return no_network();
    }
    match rules(network).parse() {
        Ok(rules) => Arc::new(virtual_net::host::LocalNetworking::with_ruleset(rules)),
        Err(error) => {
            tracing::error!(%error, "the ports have no form as Wasmer's rules: no network");
            no_network()
        }
    }
}

/// The network of a runtime: this build has none of the host's (feature `host-vnet`).
#[cfg(not(feature = "host-vnet"))]
#[must_use]
pub fn networking(_network: &Network) -> DynVirtualNetworking {
    no_network()
}

/// Wasmer's own rules for the host's network. They ask whether a peer may be connected to, also where it is the peer
/// that connects, from any port: with a port to bind to they let everything out, and only the kernel's rules hold.
#[cfg(feature = "host-vnet")]
fn rules(network: &Network) -> String {
    let list = |ports: &mut dyn Iterator<Item = &u16>| {
        let ports: Vec<String> = ports.map(u16::to_string).collect();
        (!ports.is_empty()).then(|| format!("{{{}}}", ports.join(", ")))
    };
    let inward = list(&mut network.bind.union(&network.bind_udp));
    let outward = match inward {
        Some(_) => Some("*".to_owned()),
        None => list(&mut network.connect.union(&network.send_udp)),
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
