//! Denials in a report.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Access, Right, names};

/// The denials to a module until the report was asked for.
///
/// The kernel tells no process its denials, so the runtime fills this: it made the calls, and knows the module's
/// intention. This crate by itself leaves it empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DenialsReport {
    /// The different accesses, each once, in the order in which they were denied.
    pub listed: Vec<DenialReport>,
    /// The number of denied accesses, repetitions included.
    pub total: u64,
    /// True if there were more different ones than the list has room for, which are only counted.
    pub more: bool,
}

/// A denied access, in a [`DenialsReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DenialReport {
    /// The module's operation, such as `opening`.
    pub operation: String,
    /// The path inside.
    pub guest: String,
    /// The path on the host; `None` where nothing is preopened.
    pub host: Option<String>,
    /// The access that the operation needs.
    pub access: Access,
    /// The reason, in words.
    pub why: String,
    /// The access rights that the kernel's rules lack for the access.
    pub missing: Vec<Right>,
    /// The preopen that the path is in, or that comes nearest, in words.
    pub nearest: Option<String>,
    /// The builder's line that would allow the access, if a preopen can.
    pub line: Option<String>,
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
        }
    }
}

/// The name and version of the format of a [`DenialEvent`]. The version grows when a key goes or changes its meaning; a
/// reader has to take keys that it doesn't know.
pub const DENIAL_SCHEMA: &str = "wasix-landlock.denial/1";

/// A denial for programs that read a log, as one line of JSON.
///
/// ```
/// use wasix_landlock::{Access, DENIAL_SCHEMA, DenialEvent, DenialReport};
///
/// let report = DenialReport::new("opening", "/data/file", Access::WRITE, "the preopen doesn't allow it");
/// let line = serde_json::to_string(&DenialEvent::new("open", "preopen", report))?;
/// assert!(line.starts_with(r#"{"schema":"wasix-landlock.denial/1","operation":"open","cause":"preopen""#));
/// let event: DenialEvent = serde_json::from_str(&line)?;
/// assert_eq!((event.schema.as_str(), event.guest.as_str()), (DENIAL_SCHEMA, "/data/file"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DenialEvent {
    /// The name and version of this format.
    pub schema: String,
    /// The module's operation, such as `open`.
    pub operation: String,
    /// The cause, such as `preopen`.
    pub cause: String,
    /// The path inside.
    pub guest: String,
    /// The path on the host; null where nothing is preopened.
    pub host: Option<String>,
    /// The access that the operation needs.
    pub access: Access,
    /// The access rights that the kernel's rules lack for the access.
    pub missing: Vec<Right>,
    /// The cause in words.
    pub why: String,
    /// The preopen that the path is in, or that comes nearest, in words.
    pub nearest: Option<String>,
    /// The builder's line that would allow the access, if a preopen can.
    pub line: Option<String>,
}

impl DenialEvent {
    /// The event of a denial, with its operation and its cause by their short names.
    #[must_use]
    pub fn new(
        operation: impl Into<String>,
        cause: impl Into<String>,
        report: DenialReport,
    ) -> Self {
        Self {
            schema: DENIAL_SCHEMA.to_owned(),
            operation: operation.into(),
            cause: cause.into(),
            guest: report.guest,
            host: report.host,
            access: report.access,
            missing: report.missing,
            why: report.why,
            nearest: report.nearest,
            line: report.line,
        }
    }
}

/// Control characters and those that change the direction of text are escaped: the path is the module's.
impl fmt::Display for DenialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} ({}", self.operation, self.guest, self.access)?;
        if let Some(host) = &self.host {
            write!(f, "; on the host {host:?}")?;
        }
        write!(f, "): {}", self.why)?;
        if !self.missing.is_empty() {
            write!(f, "; missing: {}", names::list(&self.missing, ", "))?;
        }
        match &self.nearest {
            Some(nearest) => write!(f, "; the nearest preopen is {nearest}")?,
            None => f.write_str("; there is no preopen")?,
        }
        match &self.line {
            Some(line) => write!(f, "; `{line}` would allow it"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for DenialsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            listed,
            total,
            more,
        } = self;
        if *total == 0 {
            return writeln!(f, "no access was denied");
        }
        for denial in listed {
            writeln!(f, "{denial}")?;
        }
        let rest = if *more { "; more are only counted" } else { "" };
        writeln!(
            f,
            "{total} accesses were denied, {} of them listed{rest}",
            listed.len()
        )
    }
}
