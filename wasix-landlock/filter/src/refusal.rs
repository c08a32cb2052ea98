//! System calls that the second layer must refuse.
//!
//! All of this crate's unsafe code is here.

use std::{io, sync::OnceLock};

use crate::Protection;

/// A system call that has no effect, and that the filter refuses with `EPERM`. Without a filter it
/// fails with another error, or succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The protection that the call proves.
    pub protection: Protection,
    /// The system call, for messages.
    pub name: &'static str,
    number: libc::c_long,
    arguments: [libc::c_long; 5],
}

/// The calls that must be refused, once the filter is there. There is one filter for the process, and the
/// signal handler has to find it.
static EXPECTED: OnceLock<Box<[Refusal]>> = OnceLock::new();

/// From now on these must be refused. Only the first call counts.
pub(crate) fn expect(refusals: Vec<Refusal>) {
    // `wasix-landlock` never adds a second filter, see its `Policy::enforce`.
    let _ = EXPECTED.set(refusals.into());
}

/// Tries in the calling thread the calls that must be refused, and returns one that isn't. Async-signal-safe:
/// system calls only.
#[must_use]
pub fn first_not_refused() -> Option<&'static Refusal> {
    EXPECTED.get()?.iter().find(|refusal| !refusal.holds())
}

impl Refusal {
    /// A call that fails without the filter.
    pub(crate) const fn new(
        protection: Protection,
        name: &'static str,
        number: libc::c_long,
        arguments: [libc::c_long; 5],
    ) -> Self {
        Self {
            protection,
            name,
            number,
            arguments,
        }
    }

    /// Making a socket, which succeeds without the filter.
    pub(crate) const fn of_socket(protection: Protection, arguments: [libc::c_long; 5]) -> Self {
        Self::new(protection, "socket", libc::SYS_socket, arguments)
    }

    /// Returns the call's result.
    pub(crate) fn answer(&self) -> Result<libc::c_long, i32> {
        let [a, b, c, d, e] = self.arguments;
        // SAFETY: only this crate makes a `Refusal`, and each is one of its tables, whose arguments name nothing: no
        // descriptor, no process and no memory, but for constants.
        check(unsafe { libc::syscall(self.number, a, b, c, d, e, 0) })
    }

    /// True if the call is refused. Async-signal-safe: system calls only.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.answer() {
            Err(errno) => errno == libc::EPERM,
            Ok(fd) => {
                if self.number == libc::SYS_socket {
                    // SAFETY: the descriptor was handed out by the call above and goes nowhere
                    // else.
                    unsafe { libc::syscall(libc::SYS_close, fd) };
                }
                false
            }
        }
    }
}

/// Returns a system call's result, or the error number. Reading errno allocates nothing.
fn check(returned: libc::c_long) -> Result<libc::c_long, i32> {
    if returned < 0 {
        Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
    } else {
        Ok(returned)
    }
}

/// `SECCOMP_GET_ACTION_AVAIL` in `linux/seccomp.h`.
const GET_ACTION_AVAIL: u32 = 2;

/// Checks that this kernel has filters that refuse with an error number.
pub(crate) fn can_refuse() -> io::Result<()> {
    let action = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the action outlives the call, which only reads it.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            GET_ACTION_AVAIL,
            0_u32,
            &raw const action,
        )
    };
    check(answer)
        .map(drop)
        .map_err(io::Error::from_raw_os_error)
}
