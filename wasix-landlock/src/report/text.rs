//! The report as text for people.

use std::{collections::BTreeSet, fmt};

use super::{
    HostReport, PreopenReport, ProtectionStatus, Report, RuntimePathReport, RuntimePathStatus,
    Status, SweepMethod, ThreadsReport,
};
use crate::{Layer, Network, Right, Scope};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.enforced, self.joined) {
            (true, false) => "enforced",
            (true, true) => "enforced, within an earlier policy",
            (false, _) if self.would_restrict() => "would be enforced",
            (false, _) => "NOT enforced",
        };
        write!(f, "landlock: {state} (mode {}, ", self.mode)?;
        if self.scope != Scope::Process {
            write!(f, "scope {}, ", self.scope)?;
        }
        write!(f, "ABI {}", self.abi)?;
        if let Some(errata) = self.errata {
            write!(f, ", errata {errata:#x}")?;
        }
        writeln!(f, ")")?;
        for preopen in &self.preopens {
            write!(f, "{preopen}")?;
        }
        for path in &self.runtime_paths {
            writeln!(f, "  {path}")?;
        }
        for protection in &self.protections {
            if let ProtectionStatus::NotEnforced { why } = &protection.status {
                writeln!(f, "  protection {} is off: {why}", protection.name)?;
            }
        }
        let second: Vec<&str> = self
            .protections
            .iter()
            .filter(|protection| protection.by.contains(&Layer::Seccomp))
            .map(|protection| protection.name.name())
            .collect();
        if !second.is_empty() {
            writeln!(f, "  second layer: {}", second.join(" "))?;
        }
        if let Some(network) = &self.network {
            writeln!(f, "  {network}")?;
        }
        if let Some(descriptors) = &self.descriptors {
            write!(f, "{descriptors}")?;
        }
        if let Some(threads) = &self.threads {
            writeln!(f, "  {threads}")?;
        }
        for what in &self.not_enforced {
            writeln!(f, "  not enforced: {what}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "  warning: {warning}")?;
        }
        for line in self.refused.lines() {
            writeln!(f, "  refused: {line}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PreopenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {} `{}` ({}): {}",
            self.origin, self.guest, self.asked, self.status
        )?;
        for host in &self.hosts {
            writeln!(f, "    {host}")?;
        }
        Ok(())
    }
}

impl fmt::Display for HostReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(resolved) = self.resolved.as_ref().filter(|path| **path != self.path) {
            write!(f, " -> {resolved}")?;
        }
        if let Some(found) = self.found {
            write!(
                f,
                " ({found}{})",
                if self.created { ", created" } else { "" }
            )?;
        }
        if !self.granted.is_empty() {
            write!(f, ": {}", Names(&self.granted))?;
        }
        for not in &self.not_granted {
            write!(f, "; no {} ({})", not.right, not.why)?;
        }
        Ok(())
    }
}

impl fmt::Display for RuntimePathReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "runtime path {} ({}, {}): ",
            self.path, self.reason, self.access
        )?;
        match &self.status {
            RuntimePathStatus::Granted => f.write_str("granted"),
            RuntimePathStatus::Absent => f.write_str("absent"),
            RuntimePathStatus::NotGranted { why } => write!(f, "not granted ({why})"),
            RuntimePathStatus::Unrestricted => f.write_str("unrestricted"),
        }
    }
}

impl fmt::Display for ThreadsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "threads: {} {}, {} proved, {} inherited, {} gone",
            self.total, self.method, self.proved, self.inherited, self.gone
        )?;
        if self.unreached > 0 {
            write!(f, ", {} NOT REACHED", self.unreached)?;
        }
        if let Some(probe) = &self.probe {
            write!(f, " (probe: {probe})")?;
        }
        write!(f, " in {} µs", self.elapsed_us)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("network:")?;
        let mut any = false;
        for (what, ports) in [
            ("bind tcp", &self.bind_tcp),
            ("connect tcp", &self.connect_tcp),
            ("bind udp", &self.bind_udp),
            ("send udp", &self.send_udp),
        ] {
            if ports.is_empty() {
                continue;
            }
            write!(f, "{} {what} {}", if any { "," } else { "" }, Ports(ports))?;
            any = true;
        }
        if !any {
            f.write_str(" none")?;
        }
        Ok(())
    }
}

/// Ports in a line.
struct Ports<'a>(&'a BTreeSet<u16>);

impl fmt::Display for Ports<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, port) in self.0.iter().enumerate() {
            write!(f, "{}{port}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Granted => "granted",
            Self::Virtual => "virtual",
            Self::PartlyGranted => "partly granted",
            Self::NotGranted => "not granted",
            Self::Unrestricted => "unrestricted",
        })
    }
}

impl fmt::Display for SweepMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KernelThreadSync => "kernel thread sync",
            Self::VisitedOneByOne => "visited one by one",
            Self::CallingThread => "calling thread",
            Self::Joined => "joined",
        })
    }
}

/// Access rights in a line.
struct Names<'a>(&'a [Right]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, right) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{right}")?;
        }
        Ok(())
    }
}
