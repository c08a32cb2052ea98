//! The report as text for people. Characters that a terminal doesn't print are escaped: paths may be anybody's.

use std::fmt;

use super::{
    HostReport, PreopenReport, ProtectionStatus, Report, RuntimePathReport, RuntimePathStatus,
    ThreadsReport,
};
use crate::{Layer, Network, OutsideReport, Scope, names::list};

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
            self.preopen(f, preopen)?;
        }
        for path in &self.runtime_paths {
            writeln!(f, "  {path}")?;
        }
        self.protections(f)?;
        if let Some(network) = &self.network {
            writeln!(f, "  {network}")?;
        }
        if let Some(descriptors) = &self.descriptors {
            write!(f, "{descriptors}")?;
        }
        if let Some(threads) = &self.threads {
            writeln!(f, "  {threads}")?;
        }
        if let Some(outside) = &self.outside {
            writeln!(f, "  policy from outside: {outside}")?;
            for taken in &outside.taken {
                writeln!(f, "    taken away: {}", Printable(taken))?;
            }
        }
        for gap in &self.not_enforced {
            writeln!(f, "  not enforced: {}", Printable(gap))?;
        }
        for warning in &self.warnings {
            writeln!(f, "  warning: {}", Printable(warning))?;
        }
        if self.denials.total > 0 {
            for line in self.denials.to_string().lines() {
                writeln!(f, "  denied: {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for OutsideReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Printable(&self.files.join(", ")))?;
        f.write_str(match (self.refused, self.taken.is_empty()) {
            (true, _) => " (IGNORED: the program refuses a policy from outside)",
            (false, true) => " (allows all that the program grants)",
            (false, false) => "",
        })
    }
}

impl Report {
    fn preopen(&self, f: &mut fmt::Formatter<'_>, preopen: &PreopenReport) -> fmt::Result {
        let (origin, guest) = (&preopen.origin, Printable(&preopen.guest));
        writeln!(
            f,
            "  {origin} `{guest}` ({}): {}",
            preopen.asked, preopen.status
        )?;
        for host in &preopen.hosts {
            self.host(f, host)?;
        }
        Ok(())
    }

    fn host(&self, f: &mut fmt::Formatter<'_>, host: &HostReport) -> fmt::Result {
        write!(f, "    {}", Printable(&host.path))?;
        if let Some(resolved) = host.resolved.as_ref().filter(|path| **path != host.path) {
            write!(f, " -> {}", Printable(resolved))?;
        }
        if let Some(found) = host.found {
            let created = match (host.created, self.only_shown) {
                (true, true) => ", to be created",
                (true, false) => ", created",
                _ => "",
            };
            write!(f, " ({found}{created})")?;
        }
        if !host.granted.is_empty() {
            write!(f, ": {}", list(&host.granted, " "))?;
        }
        for not in &host.not_granted {
            write!(f, "; no {} ({})", not.right, Printable(&not.why))?;
        }
        writeln!(f)
    }

    /// Shows the protections by layer, then the gaps.
    fn protections(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |layer| {
            let all = self.protections.iter();
            let enforced = all.filter(move |protection| protection.by.contains(&layer));
            list(enforced.map(|protection| protection.name), " ")
        };
        for (title, names) in [
            ("protections", by(Layer::Landlock)),
            ("second layer", by(Layer::Seccomp)),
        ] {
            if !names.is_empty() {
                writeln!(f, "  {title}: {names}")?;
            }
        }
        for protection in &self.protections {
            if let ProtectionStatus::NotEnforced { why } = &protection.status {
                writeln!(
                    f,
                    "  protection {} is off: {}",
                    protection.name,
                    Printable(why)
                )?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for RuntimePathReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, reason) = (Printable(&self.path), Printable(&self.reason));
        write!(f, "runtime path {path} ({reason}, {}): ", self.access)?;
        match &self.status {
            RuntimePathStatus::Granted => f.write_str("granted"),
            RuntimePathStatus::Absent => f.write_str("absent"),
            RuntimePathStatus::NotGranted { why } => write!(f, "not granted ({})", Printable(why)),
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
        let granted = self.ports().into_iter();
        let granted = granted
            .filter(|(_, ports)| !ports.is_empty())
            .map(|(operation, ports)| format!("{operation} {}", list(ports, " ")));
        match list(granted, ", ").as_str() {
            "" => f.write_str("network: none"),
            granted => write!(f, "network: {granted}"),
        }
    }
}

/// Text with unprintable characters escaped.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            ' '..='~' => write!(f, "{character}"),
            _ => write!(f, "{}", character.escape_debug()),
        })
    }
}
