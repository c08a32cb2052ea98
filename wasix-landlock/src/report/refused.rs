//! Denials in a report.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Access, Right};

/// The denials to a module until the report was asked for.
///
/// The kernel tells no process what it refuses, so this is filled by the runtime that asked it and knows what the
/// module meant. This crate by itself leaves it empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RefusedReport {
    /// The different accesses, each once, in the order in which they were refused.
    pub denials: Vec<DenialReport>,
    /// The number of denied accesses, repetitions included.
    pub accesses: u64,
    /// True if there were more different ones than are kept, which are only counted.
    pub more: bool,
}

/// An access that was refused, in a [`RefusedReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DenialReport {
    /// The module's operation, such as `opening`.
    pub operation: String,
    /// The path inside.
    pub guest: String,
    /// The path on the host; `None` where nothing is preopened.
    pub host: Option<String>,
    /// The access that it takes.
    pub access: Access,
    /// The reason, in words.
    pub why: String,
    /// The access rights that the kernel's rules lack for it.
    pub missing: Vec<Right>,
    /// The preopen that the path is in, or that comes nearest, in words.
    pub nearest: Option<String>,
    /// The builder's line that would allow it, if a preopen can.
    pub line: Option<String>,
    /// The same as an option of the example `run`.
    pub flag: Option<String>,
}

impl RefusedReport {
    /// Returns the lines of a report: none without a denial.
    pub(super) fn lines(&self) -> Vec<String> {
        match self.accesses {
            0 => Vec::new(),
            _ => self.to_string().lines().map(str::to_owned).collect(),
        }
    }
}

impl DenialReport {
    /// A denial of which no more is known than this.
    #[must_use]
    pub fn new(
        operation: impl Into<String>,
        guest: impl Into<String>,
        access: Access,
        why: impl Into<String>,
    ) -> Self {
        Self {
            operation: operation.into(),
            guest: guest.into(),
            host: None,
            access,
            why: why.into(),
            missing: Vec::new(),
            nearest: None,
            line: None,
            flag: None,
        }
    }
}

/// Control characters and those that change the direction of text are escaped: the path is the module's.
impl fmt::Display for DenialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            guest,
            access,
            why,
            ..
        } = self;
        write!(f, "{operation} {guest:?} ({access}")?;
        if let Some(host) = &self.host {
            write!(f, "; on the host {host:?}")?;
        }
        write!(f, "): {why}")?;
        for (number, right) in self.missing.iter().enumerate() {
            let before = if number == 0 { "; missing: " } else { ", " };
            write!(f, "{before}{}", right.name())?;
        }
        match &self.nearest {
            Some(nearest) => write!(f, "; the nearest preopen is {nearest}")?,
            None => f.write_str("; there is no preopen")?,
        }
        match (&self.line, &self.flag) {
            (Some(line), Some(flag)) => write!(f, "; `{line}` would allow it, or `{flag}`"),
            (Some(line), None) => write!(f, "; `{line}` would allow it"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for RefusedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.accesses == 0 {
            return writeln!(f, "nothing was refused");
        }
        for denial in &self.denials {
            writeln!(f, "{denial}")?;
        }
        let Self { accesses, more, .. } = self;
        let kinds = self.denials.len();
        let rest = if *more { "; more are only counted" } else { "" };
        writeln!(
            f,
            "{accesses} accesses were refused, {kinds} of them told{rest}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Report};

    fn report() -> Report {
        let mut denial = DenialReport::new("opening", "/a\u{1b}[2J", Access::READ, "because");
        denial.host = Some("/srv/a".into());
        denial.missing = vec![Right::ReadFile];
        denial.line = Some(".preopen(…)?".into());
        denial.flag = Some("--file /srv/a".into());
        let mut report = Report::new(Mode::Enforce);
        report.refused.denials.push(denial);
        report.refused.accesses = 3;
        report
    }

    #[test]
    fn what_was_refused_is_in_the_text_of_the_report_and_inert() {
        let text = report().to_string();
        let line = "  refused: opening \"/a\\u{1b}[2J\" (read; on the host \"/srv/a\"): because; missing: read_file; \
                    there is no preopen; `.preopen(…)?` would allow it, or `--file /srv/a`\n";
        assert!(text.contains(line), "{text}");
        assert!(
            text.contains("  refused: 3 accesses were refused, 1 of them told\n"),
            "{text}"
        );
        assert_eq!(report().table().matches("refused: ").count(), 2);
    }

    #[test]
    fn a_report_in_which_nothing_was_refused_says_nothing_of_it() {
        let report = Report::new(Mode::Enforce);
        assert!(!report.to_string().contains("refused"));
        assert_eq!(report.refused.to_string(), "nothing was refused\n");
    }
}
