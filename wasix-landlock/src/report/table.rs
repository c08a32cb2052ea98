//! The report as a table for people.

use super::{ProtectionStatus, Report, RuntimePathStatus};
use crate::{Access, Layer, Level, Right};

impl Report {
    /// Shows grants and protections as aligned columns: for whoever wants to see what would be enforced
    /// ([`Policy::show`](crate::Policy::show)), or is. Characters that aren't printed are escaped.
    #[must_use]
    pub fn table(&self) -> String {
        let state = match (self.enforced, self.would_restrict()) {
            (true, _) => "enforced",
            (_, true) => "would be enforced",
            _ => "NOT enforced",
        };
        let (mode, scope, abi) = (self.mode, self.scope, self.abi);
        let mut text = format!("{state}: mode {mode}, scope {scope}, Landlock ABI {abi}\n\n");
        text += &aligned(
            [
                "inside",
                "on the host",
                "kind",
                "access",
                "the kernel allows",
            ],
            self.grants(),
        );
        text.push('\n');
        text += &aligned(
            ["protection", "wanted", "enforced", "by"],
            self.protection_rows(),
        );
        if let Some(network) = &self.network {
            text += &format!("\n{network}\n");
        }
        for what in &self.not_enforced {
            text += &format!("not enforced: {}\n", printable(what));
        }
        for warning in &self.warnings {
            text += &format!("warning: {}\n", printable(warning));
        }
        for line in self.refused.lines() {
            text += &format!("refused: {line}\n");
        }
        text
    }

    fn grants(&self) -> Vec<[String; 5]> {
        let mut rows = Vec::new();
        for preopen in &self.preopens {
            let row = |host: &str, kind: String, access: Access, allowed: String| {
                let inside = printable(&preopen.guest);
                [inside, printable(host), kind, access.to_string(), allowed]
            };
            for host in &preopen.hosts {
                let mut kind = host
                    .found
                    .map(|found| found.to_string())
                    .unwrap_or_default();
                if host.created {
                    kind += if self.only_shown {
                        ", to be made"
                    } else {
                        ", made"
                    };
                }
                let allowed = match host.not_granted.first() {
                    Some(not) if host.granted.is_empty() => printable(&not.why),
                    _ => names(&host.granted),
                };
                let path = host.resolved.as_ref().unwrap_or(&host.path);
                rows.push(row(path, kind, host.access, allowed));
            }
            if preopen.hosts.is_empty() {
                rows.push(row(
                    "",
                    "in memory".to_owned(),
                    preopen.asked,
                    String::new(),
                ));
            }
        }
        for path in &self.runtime_paths {
            let status = match &path.status {
                RuntimePathStatus::Granted => "granted".to_owned(),
                // It is of no interest to whom it doesn't concern.
                RuntimePathStatus::Absent => continue,
                RuntimePathStatus::NotGranted { why } => format!("not granted: {}", printable(why)),
                RuntimePathStatus::Unrestricted => "unrestricted".to_owned(),
            };
            rows.push([
                format!("({})", printable(&path.reason)),
                printable(path.resolved.as_ref().unwrap_or(&path.path)),
                "runtime".to_owned(),
                path.access.to_string(),
                status,
            ]);
        }
        rows
    }

    fn protection_rows(&self) -> Vec<[String; 4]> {
        let on = self.protections.iter().filter(|p| p.level != Level::Off);
        on.map(|protection| {
            let enforced = match &protection.status {
                ProtectionStatus::Enforced => "yes".to_owned(),
                ProtectionStatus::NotEnforced { why } => format!("NO: {}", printable(why)),
                ProtectionStatus::Off => "off".to_owned(),
            };
            let by: Vec<String> = protection.by.iter().map(Layer::to_string).collect();
            [
                protection.name.to_string(),
                protection.level.to_string(),
                enforced,
                by.join(" and "),
            ]
        })
        .collect()
    }
}

fn names(rights: &[Right]) -> String {
    let names: Vec<&str> = rights.iter().map(|right| right.name()).collect();
    names.join(" ")
}

/// With what a terminal doesn't show escaped: paths may be anybody's.
fn printable(text: &str) -> String {
    let mut printable = String::new();
    for character in text.chars() {
        match character {
            ' '..='~' => printable.push(character),
            _ => printable.extend(character.escape_debug()),
        }
    }
    printable
}

/// Columns with a heading, each as wide as its longest cell.
fn aligned<const N: usize>(heading: [&str; N], rows: Vec<[String; N]>) -> String {
    let heading = heading.map(str::to_owned);
    let all: Vec<[String; N]> = [heading].into_iter().chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let mut text = String::new();
    for row in &all {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line += &format!("{cell:<width$}  ");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
