//! The verdict of a visit about a thread.

use std::{fmt, io, time::Duration};

use super::sys::{Attempt, Call, Refusal, Visit};
use crate::EnforceError;

/// A thread that is restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The attempt was allowed before and is denied now.
    Proved,
    /// The attempt was denied before already.
    Inherited,
}

/// A thread that isn't known to be restricted.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) tid: i32,
    pub(crate) problem: Problem,
}

/// The problem of a thread that isn't known to be restricted.
#[derive(Debug)]
pub(crate) enum Problem {
    TooManyLayers,
    Call {
        call: &'static str,
        errno: i32,
    },
    StillAllowed {
        probe: String,
    },
    NotFiltered(&'static Refusal),
    NotReached {
        name: String,
        state: char,
        reason: &'static str,
        deadline: Duration,
    },
    /// No signal reaches the thread.
    Unreachable {
        name: String,
        state: char,
        reason: &'static str,
    },
    NotSettled {
        rounds: usize,
    },
}

/// Judges a visit. `restricts` says whether the visit was to restrict the thread, `first` whether
/// the thread was there before any other was restricted.
pub(crate) fn judge(
    tid: i32,
    visit: Visit,
    attempt: &Attempt,
    restricts: bool,
    first: bool,
) -> Result<Judged, Failure> {
    let fail = |problem| Err(Failure { tid, problem });
    let tells_before = matches!(attempt, Attempt::Open { .. });
    let denied_before = tells_before && restricts && visit.before == Err(libc::EACCES);
    match visit.restricted {
        Ok(()) => {}
        // Started by a thread that has got its sixteenth layer from this sweep.
        Err((Call::RestrictSelf, libc::E2BIG)) if denied_before && !first => {}
        Err((Call::RestrictSelf, libc::E2BIG)) => return fail(Problem::TooManyLayers),
        Err((call, errno)) => {
            return fail(Problem::Call {
                call: call.name(),
                errno,
            });
        }
    }
    if let Some(refusal) = visit.not_refused {
        return fail(Problem::NotFiltered(refusal));
    }
    match (attempt, visit.after) {
        // The kernel's word is all there is; only a policy that lets this pass comes here.
        (Attempt::Nothing, _) => Ok(Judged::Proved),
        (_, Err(libc::EACCES)) if denied_before => Ok(Judged::Inherited),
        (_, Err(libc::EACCES)) => Ok(Judged::Proved),
        (_, Ok(())) => fail(Problem::StillAllowed {
            probe: attempt.to_string(),
        }),
        (_, Err(errno)) => fail(Problem::Call {
            call: "the probe afterwards",
            errno,
        }),
    }
}

impl Call {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoNewPrivileges => "prctl(PR_SET_NO_NEW_PRIVS)",
            Self::RestrictSelf => "landlock_restrict_self",
        }
    }
}

impl Failure {
    /// The error, with how many threads are restricted already.
    pub(crate) fn into_error(self, restricted: usize, deadline: Duration) -> EnforceError {
        let tid = self.tid;
        match self.problem {
            Problem::TooManyLayers => EnforceError::TooManyLayers { tid, restricted },
            Problem::Call { call, errno } => EnforceError::Restrict {
                tid,
                call,
                source: io::Error::from_raw_os_error(errno),
                restricted,
            },
            Problem::StillAllowed { probe } => EnforceError::NotRestricted {
                tid,
                probe,
                restricted,
            },
            Problem::NotFiltered(refusal) => EnforceError::NotFiltered {
                tid,
                protection: refusal.protection,
                probe: refusal.name,
                restricted,
            },
            Problem::NotReached {
                name,
                state,
                reason,
                deadline,
            } => EnforceError::ThreadNotReached {
                tid,
                name,
                state,
                reason,
                deadline,
                restricted,
            },
            Problem::Unreachable {
                name,
                state,
                reason,
            } => EnforceError::ThreadUnreachable {
                tid,
                name,
                state,
                reason,
                restricted,
            },
            Problem::NotSettled { rounds } => EnforceError::NotSettled {
                deadline,
                rounds,
                restricted,
            },
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, .. } => write!(f, "opening {}", path.to_string_lossy()),
            Self::MakeFifo(_) => f.write_str("making a fifo"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}
