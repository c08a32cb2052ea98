//! The messages that a host accepts from a worker: each once, in order, and up to a fixed size.

use std::{io, os::unix::net::UnixStream};

use wasix_landlock::{Mode, Report, Scope};

use crate::{
    frame::{self, kind},
    word::{LONGEST, Word, inert, shortened},
};

/// The most bytes of a report, which grows with the request's preopens.
pub(crate) const LARGEST_REPORT: u64 = 4 << 20;

/// The most bytes of an end: a message in which JSON escapes every byte, and what is around it.
const LARGEST_END: u64 = 6 * LONGEST as u64 + 64;

/// The messages that a worker was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) mode: Mode,
    /// The most bytes of the artifact, if one was asked for.
    pub(crate) artifact: Option<u64>,
}

/// The messages of a worker.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) report: Option<Report>,
    pub(crate) artifact: Option<Vec<u8>>,
    pub(crate) end: Option<Word>,
    /// The worker's message that a worker never sends. Nothing was read after it.
    pub(crate) violation: Option<String>,
}

impl Heard {
    /// Listens until the stream ends, or until the worker says what it wasn't asked for.
    pub(crate) fn listen(control: &mut UnixStream, expected: Expected) -> Self {
        let mut heard = Self::default();
        loop {
            match heard.next(control, expected) {
                Ok(true) => {}
                // A worker that dies in the middle of a frame has not said it.
                Ok(false) | Err(Trouble::Stream) => return heard,
                Err(Trouble::Violation(why)) => {
                    // It may quote what came.
                    heard.violation = Some(inert(&shortened(why)));
                    return heard;
                }
            }
        }
    }

    /// Takes a frame; `false` at the end of the stream.
    fn next(&mut self, control: &mut UnixStream, expected: Expected) -> Result<bool, Trouble> {
        let Some((kind, length)) = frame::head(control)? else {
            return Ok(false);
        };
        // Before a byte of it is kept.
        let (name, largest) = self.admit(kind, expected)?;
        if length > largest {
            return Err(Trouble::Violation(format!(
                "{name} of {length} bytes was sent; the limit is {largest}"
            )));
        }
        let bytes = frame::body(control, length)?;
        match kind {
            kind::REPORT => self.report = Some(report(&bytes, expected)?),
            kind::ARTIFACT => self.artifact = Some(bytes),
            _ => self.end = Some(self.word(&bytes, expected)?),
        }
        Ok(true)
    }

    /// The name of what comes, and how large it may be.
    fn admit(&self, kind: u8, expected: Expected) -> Result<(&'static str, u64), Trouble> {
        let violation = |why: &str| Err(Trouble::Violation(why.to_owned()));
        if self.end.is_some() {
            return violation("a message was sent after the end");
        }
        match (kind, &self.report, expected.artifact) {
            (kind::REPORT, None, _) => Ok(("a report", LARGEST_REPORT)),
            (kind::REPORT, Some(_), _) => violation("a second report was sent"),
            (kind::ARTIFACT, _, None) => {
                violation("an artifact was sent that the host did not request")
            }
            (kind::ARTIFACT, None, _) => violation("an artifact was sent before the report"),
            (kind::ARTIFACT, _, _) if self.artifact.is_some() => {
                violation("a second artifact was sent")
            }
            (kind::ARTIFACT, _, Some(largest)) => Ok(("an artifact", largest)),
            (kind::END, _, _) => Ok(("an end", LARGEST_END)),
            _ => violation(&format!("a frame of the unknown kind {kind} was sent")),
        }
    }

    fn word(&self, bytes: &[u8], expected: Expected) -> Result<Word, Trouble> {
        let word = serde_json::from_slice(bytes).map_err(|error| {
            Trouble::Violation(format!(
                "the message about the end can't be parsed: {error}"
            ))
        })?;
        let ran = match word {
            Word::Failed(why) => return Ok(Word::Failed(inert(&shortened(why)))),
            Word::Trapped(why) => Word::Trapped(inert(&shortened(why))),
            Word::Exited(code) => Word::Exited(code),
        };
        if self.report.is_none() {
            return Err(Trouble::Violation(
                "the module's end was sent without a report of the restriction".to_owned(),
            ));
        }
        if expected.artifact.is_some() && self.artifact.is_none() {
            return Err(Trouble::Violation(
                "the module's end was sent without the requested artifact".to_owned(),
            ));
        }
        Ok(ran)
    }
}

/// Reads a report, and checks that it is about what was asked for.
fn report(bytes: &[u8], expected: Expected) -> Result<Report, Trouble> {
    let violation = |why: String| Err(Trouble::Violation(why));
    let report: Report = match serde_json::from_slice(bytes) {
        Ok(report) => report,
        Err(error) => return violation(format!("the report can't be parsed: {error}")),
    };
    if report.mode != expected.mode {
        return violation(format!(
            "the report says mode {}, but the host requested {}",
            report.mode, expected.mode
        ));
    }
    if report.scope != Scope::Worker {
        return violation(format!(
            "the report says scope {}, which a worker never has",
            report.scope
        ));
    }
    if report.mode == Mode::Enforce && (!report.enforced || report.joined || report.only_shown) {
        return violation("the report says that the worker has enforced nothing".to_owned());
    }
    Ok(report)
}

/// The reason for which no more is taken.
enum Trouble {
    /// The stream broke off.
    Stream,
    /// The worker said this.
    Violation(String),
}

impl From<io::Error> for Trouble {
    fn from(_: io::Error) -> Self {
        Self::Stream
    }
}
