//! Host paths that the runtime itself reads after `build()`.

use std::path::PathBuf;

use wasix_landlock::{Access, Policy};

use crate::{Runtime, capabilities::Capabilities};

/// Files that the C library reads to resolve names: resolv.conf(5), hosts(5), nsswitch.conf(5), host.conf(5),
/// gai.conf(5), services(5), protocols(5), and where systemd keeps the file behind the first one.
const DNS_FILES: [&str; 8] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/run/systemd/resolve",
];

/// Directories of the authorities' certificates in distributions, as the crate `openssl-probe` knows them.
const TLS_ROOTS: [&str; 5] = [
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted/pem",
    "/usr/share/ca-certificates",
];

/// Grants the paths that `runtime` needs with `capabilities`, read-only. No runtime means upstream's default one.
pub(crate) fn grant(
    policy: Policy,
    runtime: Option<&(dyn Runtime + Send + Sync)>,
    capabilities: &Capabilities,
) -> Policy {
    let mut paths: Vec<(PathBuf, &str)> = Vec::new();
    let mut add = |path: PathBuf, reason| paths.push((path, reason));
    let names = runtime.map_or(cfg!(feature = "host-vnet"), |runtime| {
        runtime.resolves_host_names()
    });
    if names {
        for file in DNS_FILES {
            add(file.into(), "dns");
        }
    }
    let http = runtime.is_none_or(|runtime| runtime.http_client().is_some());
    if http && !capabilities.http_client.is_deny_all() {
        for root in TLS_ROOTS {
            add(root.into(), "tls roots");
        }
    }
    for directory in runtime
        .map(|r| r.module_cache().host_directories())
        .unwrap_or_default()
    {
        add(directory, "module cache");
    }
    let granted = |policy: Policy, (path, reason)| policy.runtime_path(path, Access::READ, reason);
    paths.into_iter().fold(policy, granted)
}
