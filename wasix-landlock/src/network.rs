//! The granted part of the network: ports.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The ports that a process may use. Everything else of the network is refused.
///
/// The kernel knows ports, not addresses: a granted port may be connected to on any host. A socket
/// that was bound or connected before the restriction stays so, and a listening one goes on
/// accepting.
///
/// Without a UDP port all UDP is refused, **and names can't be resolved by DNS**: see
/// [`Network::connect`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Network {
    /// TCP ports to bind to. Port 0 stands for any free port.
    pub bind: BTreeSet<u16>,
    /// TCP ports to connect to.
    pub connect: BTreeSet<u16>,
    /// UDP ports to bind to. 0 is any free one, which a sender that binds to none gets as well.
    pub bind_udp: BTreeSet<u16>,
    /// UDP ports to connect and send to.
    pub send_udp: BTreeSet<u16>,
}

impl Network {
    /// No port at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Grants binding to a TCP port.
    #[must_use]
    pub fn bind(mut self, port: u16) -> Self {
        self.bind.insert(port);
        self
    }

    /// Grants connecting to a TCP port.
    ///
    /// This port alone grants no DNS, which needs UDP. From Linux 7.2 (ABI 10) on, add
    /// [`send_udp(53)`](Network::send_udp). An older kernel can't tell UDP ports apart: connect to
    /// addresses, resolve names before the policy is enforced, or leave UDP unrestricted with
    /// [`Policy::without`](crate::Policy::without)`(`[`Protection::Udp`](crate::Protection::Udp)`)`.
    /// The report warns of it.
    ///
    /// ```
    /// use wasix_landlock::{Network, Policy, Protection};
    ///
    /// // TCP to port 443 alone, and UDP to everywhere, so that names are resolved on any kernel.
    /// let client = Policy::default().network(Network::none().connect(443)).without(Protection::Udp);
    /// # drop(client);
    /// ```
    #[must_use]
    pub fn connect(mut self, port: u16) -> Self {
        self.connect.insert(port);
        self
    }

    /// Grants binding to a UDP port. Only a kernel with ABI 10 can tell UDP ports apart.
    #[must_use]
    pub fn bind_udp(mut self, port: u16) -> Self {
        self.bind_udp.insert(port);
        self
    }

    /// Grants connecting and sending to a UDP port, such as 53 for names. Only a kernel with ABI
    /// 10 can tell UDP ports apart.
    #[must_use]
    pub fn send_udp(mut self, port: u16) -> Self {
        self.send_udp.insert(port);
        self
    }

    /// True if TCP ports can be connected to while no UDP can be sent, so that names can't be resolved
    /// by DNS.
    #[must_use]
    pub fn lacks_dns(&self) -> bool {
        !self.connect.is_empty() && self.send_udp.is_empty()
    }

    /// True if no port is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the ports that both grant.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            bind: &self.bind & &other.bind,
            connect: &self.connect & &other.connect,
            bind_udp: &self.bind_udp & &other.bind_udp,
            send_udp: &self.send_udp & &other.send_udp,
        }
    }

    /// The granted ports of each operation: TCP and UDP, binding before sending.
    #[must_use]
    pub fn ports(&self) -> [(&'static str, &BTreeSet<u16>); 4] {
        [
            ("bind tcp", &self.bind),
            ("connect tcp", &self.connect),
            ("bind udp", &self.bind_udp),
            ("send udp", &self.send_udp),
        ]
    }

    /// Returns what the filter has to know of the ports.
    #[cfg(target_os = "linux")]
    pub(crate) fn in_filter(&self) -> wasix_landlock_filter::Ports {
        wasix_landlock_filter::Ports {
            tcp: !self.bind.is_empty() || !self.connect.is_empty(),
            bind_tcp: !self.bind.is_empty(),
            udp: !self.bind_udp.is_empty() || !self.send_udp.is_empty(),
        }
    }

    /// Describes the granted ports that `other` doesn't grant; empty if there are none.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Vec<String> {
        let (these, those) = (self.ports(), other.ports());
        these
            .into_iter()
            .zip(those)
            .flat_map(|((operation, these), (_, those))| {
                these
                    .difference(those)
                    .map(move |port| format!("{operation} {port}"))
            })
            .collect()
    }
}
