//! The verdict of a visit about a thread.

use std::io;

use wasix_landlock_filter::Refusal;

use crate::{
    RestrictError, ThreadError,
    sys::{self, Call, Probe, Visit},
};

/// A thread that is restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The probe was allowed before and is denied now.
    Proved,
    /// The probe was denied before already.
    Inherited,
}

/// Judges a visit. `restricts` says whether the visit was to restrict the thread, `first` whether
/// the thread was there before any other was restricted.
pub(crate) fn judge(
    tid: i32,
    visit: Visit,
    probe: &Probe,
    restricts: bool,
    first: bool,
) -> Result<Judged, RestrictError> {
    let fail = |problem| Err(RestrictError::of_thread(tid, problem));
    let tells_before = matches!(probe, Probe::Open { .. });
    let denied_before = tells_before && restricts && visit.before == Err(libc::EACCES);
    match visit.restricted {
        Ok(()) => {}
        // Started by a thread that has got its sixteenth layer from this sweep.
        Err((Call::RestrictSelf, libc::E2BIG)) if denied_before && !first => {}
        Err((call, errno)) => return fail(call.failed(errno)),
    }
    if let Some(refusal) = visit.not_refused {
        return fail(not_refused(refusal));
    }
    match (probe, visit.after) {
        // The kernel's word is all there is; only a policy that lets this pass comes here.
        (Probe::Nothing, _) => Ok(Judged::Proved),
        (_, Err(libc::EACCES)) if denied_before => Ok(Judged::Inherited),
        (_, Err(libc::EACCES)) => Ok(Judged::Proved),
        (_, Ok(())) => fail(still_allowed(probe)),
        (_, Err(errno)) => fail(failed("the probe afterwards", errno)),
    }
}

/// Checks that the calling thread is under the restriction that this probe has proved in another.
///
/// # Errors
///
/// [`ThreadError::NotRestricted`] of the thread.
pub fn check_restricted(probe: &Probe) -> Result<(), RestrictError> {
    if matches!(probe, Probe::Nothing) || probe.is_denied() {
        return Ok(());
    }
    let tid = sys::current_thread();
    Err(RestrictError::of_thread(tid, still_allowed(probe)))
}

/// The problem of a thread in which the probe must be denied, and isn't.
fn still_allowed(probe: &Probe) -> ThreadError {
    ThreadError::NotRestricted {
        probe: probe.to_string(),
    }
}

/// The problem of a thread in which the filter must refuse a call, and doesn't.
pub(crate) fn not_refused(refusal: &Refusal) -> ThreadError {
    ThreadError::NotFiltered {
        protection: refusal.protection,
        call: refusal.name,
    }
}

/// The problem of a thread in which a call failed.
pub(crate) fn failed(call: &'static str, errno: i32) -> ThreadError {
    ThreadError::Restrict {
        call,
        source: io::Error::from_raw_os_error(errno),
    }
}

impl Call {
    /// The problem of a thread in which this call failed.
    pub(crate) fn failed(self, errno: i32) -> ThreadError {
        match (self, errno) {
            (Self::RestrictSelf, libc::E2BIG) => ThreadError::TooManyLayers,
            (Self::RestrictSelf, _) => failed("landlock_restrict_self", errno),
            (Self::NoNewPrivileges, _) => failed("prctl(PR_SET_NO_NEW_PRIVS)", errno),
        }
    }
}
