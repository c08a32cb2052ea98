//! Landlock's own system calls that the `landlock` crate hides.

use std::{os::fd::RawFd, ptr};

use super::check;

/// `LANDLOCK_CREATE_RULESET_VERSION` in `linux/landlock.h`.
const CREATE_RULESET_VERSION: u32 = 1 << 0;
/// `LANDLOCK_CREATE_RULESET_ERRATA` in `linux/landlock.h`.
const CREATE_RULESET_ERRATA: u32 = 1 << 1;
/// `LANDLOCK_RESTRICT_SELF_TSYNC` in `linux/landlock.h`, since ABI 8: restricts every thread of
/// the process.
const RESTRICT_SELF_TSYNC: u32 = 1 << 3;

/// `LANDLOCK_RESTRICT_SELF_LOG_*` in `linux/landlock.h`, since ABI 7: what the audit log records.
pub mod log_flags {
    /// Records no denial to the program that restricts itself.
    pub const SAME_EXEC_OFF: u32 = 1 << 0;
    /// Records denials to programs that it executes.
    pub const NEW_EXEC_ON: u32 = 1 << 1;
    /// Records no denial by restrictions that are added later.
    pub const SUBDOMAINS_OFF: u32 = 1 << 2;
}

/// The kernel's Landlock ABI. The `landlock` crate reports no ABI above the ones it knows.
///
/// # Errors
///
/// The kernel's error number, such as `ENOSYS` without Landlock.
pub fn abi() -> Result<u32, i32> {
    ask(CREATE_RULESET_VERSION)
}

/// The bit mask of errata that are fixed in this kernel; `None` if the kernel reports none.
#[must_use]
pub fn errata() -> Option<u32> {
    ask(CREATE_RULESET_ERRATA).ok()
}

fn ask(flag: u32) -> Result<u32, i32> {
    // SAFETY: with one of these flags the kernel takes no attribute: a null pointer of size 0 is
    // what it asks for.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::null::<libc::c_void>(),
            0_usize,
            flag,
        )
    };
    check(answer).map(|answer| u32::try_from(answer).unwrap_or(0))
}

/// A domain that a thread can put on itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domain {
    /// The descriptor of the ruleset.
    pub(crate) ruleset: RawFd,
    /// The flags of `landlock_restrict_self`.
    pub(crate) flags: u32,
}

impl Domain {
    /// The same with [`RESTRICT_SELF_TSYNC`].
    pub(crate) const fn on_all_threads(self) -> Self {
        Self {
            flags: self.flags | RESTRICT_SELF_TSYNC,
            ..self
        }
    }

    /// Restricts the calling thread, or all. Async-signal-safe.
    pub(crate) fn restrict_self(self) -> Result<(), i32> {
        // SAFETY: takes two integers; one that is no ruleset's descriptor is refused.
        check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.ruleset, self.flags) })
            .map(drop)
    }
}

/// True if this program was executed with more privileges than its caller has.
#[must_use]
pub fn has_gained_privileges() -> bool {
    // SAFETY: takes an integer, and only reads what the kernel gave this process at its start.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// True if the calling thread has `PR_SET_NO_NEW_PRIVS`.
pub(crate) fn has_no_new_privileges() -> bool {
    rustix::thread::no_new_privs() == Ok(true)
}

/// Sets `PR_SET_NO_NEW_PRIVS` on the calling thread, which Landlock asks of a process without
/// `CAP_SYS_ADMIN`. Async-signal-safe.
pub(crate) fn set_no_new_privileges() -> Result<(), i32> {
    rustix::thread::set_no_new_privs(true).map_err(rustix::io::Errno::raw_os_error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        os::fd::{AsRawFd, OwnedFd},
        thread,
    };

    use landlock::{AccessFs, Ruleset, RulesetAttr};

    use super::*;

    #[test]
    fn the_kernel_takes_the_log_flags_that_its_abi_promises() {
        let Ok(abi @ 1..) = abi() else {
            println!("SKIPPED: this kernel has no Landlock");
            return;
        };
        let ruleset = Ruleset::default().handle_access(AccessFs::MakeBlock);
        let ruleset: Option<OwnedFd> = ruleset.unwrap().create().unwrap().into();
        let ruleset = ruleset.unwrap();
        for flags in [
            log_flags::SAME_EXEC_OFF,
            log_flags::NEW_EXEC_ON,
            log_flags::SUBDOMAINS_OFF,
            log_flags::SAME_EXEC_OFF | log_flags::NEW_EXEC_ON | log_flags::SUBDOMAINS_OFF,
            1 << 31,
        ] {
            let ruleset = ruleset.as_raw_fd();
            let restricted = thread::spawn(move || {
                set_no_new_privileges().unwrap();
                Domain { ruleset, flags }.restrict_self()
            });
            let expected = if abi >= 7 && flags != 1 << 31 {
                Ok(())
            } else {
                Err(libc::EINVAL)
            };
            assert_eq!(restricted.join().unwrap(), expected, "{flags:#x}");
        }
    }
}
