//! The limit of open files.

use std::fmt;

/// The limit of open files (`RLIMIT_NOFILE`) that this process has reached, in
/// [`PathError::OpenFiles`](super::PathError::OpenFiles).
///
/// A preopened directory is a descriptor for as long as the module may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenFilesLimit {
    /// The soft limit, which was reached.
    pub limit: u64,
    /// The hard limit, up to which the process itself can raise the soft one; `None` if there is none.
    pub hard_limit: Option<u64>,
    /// The limit that the preopens need, with what the process had open before.
    pub needed: u64,
}

/// The descriptors that are open for a moment while a policy is prepared and enforced: the ruleset, lists of threads, and
/// the like.
const FOR_A_MOMENT: u64 = 16;

impl OpenFilesLimit {
    /// Returns the limit if no descriptor is free now. `more` is the number of descriptors that the preopens still
    /// need.
    #[must_use]
    pub fn reached(more: usize) -> Option<Self> {
        let (limit, hard_limit) = crate::platform::open_files_limit_reached()?;
        // Each number below the limit is taken.
        let needed = limit.saturating_add(more as u64) + FOR_A_MOMENT;
        Some(Self {
            limit,
            hard_limit,
            needed,
        })
    }
}

impl fmt::Display for OpenFilesLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            hard_limit,
            needed,
        } = self;
        write!(
            f,
            "Too many open files: the process has reached its limit of {limit}, and the preopens need {needed}; raise the soft \
             limit RLIMIT_NOFILE (`ulimit -n {needed}`, or `LimitNOFILE={needed}` of a systemd unit"
        )?;
        match hard_limit {
            Some(hard) if hard < needed => {
                write!(f, "; the hard limit, {hard}, is too low as well")?
            }
            Some(hard) => write!(f, "; the hard limit is {hard}")?,
            None => {}
        }
        f.write_str("), or preopen one directory above several")
    }
}
