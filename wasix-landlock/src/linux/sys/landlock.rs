//! Landlock's own system calls, as far as the `landlock` crate hides what is needed of them.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use super::check;

/// `LANDLOCK_CREATE_RULESET_VERSION` in `linux/landlock.h`.
const CREATE_RULESET_VERSION: u32 = 1 << 0;
/// `LANDLOCK_CREATE_RULESET_ERRATA` in `linux/landlock.h`.
const CREATE_RULESET_ERRATA: u32 = 1 << 1;
/// `LANDLOCK_RESTRICT_SELF_TSYNC` in `linux/landlock.h`, since ABI 8: restricts every thread of
/// the process.
const RESTRICT_SELF_TSYNC: u32 = 1 << 3;

/// `LANDLOCK_RESTRICT_SELF_LOG_*` in `linux/landlock.h`, since ABI 7: what the audit log records.
pub(crate) mod log_flags {
    /// Nothing that is denied to the program that asks.
    pub(crate) const SAME_EXEC_OFF: u32 = 1 << 0;
    /// Records denials to programs that the program executes.
    pub(crate) const NEW_EXEC_ON: u32 = 1 << 1;
    /// Nothing that is denied by restrictions that are added later.
    pub(crate) const SUBDOMAINS_OFF: u32 = 1 << 2;
}

/// `LANDLOCK_ADD_RULE_QUIET` in `linux/landlock.h`, since ABI 10: what the ruleset's quiet access
/// rights name isn't recorded when it is denied on this object, or beneath it.
const ADD_RULE_QUIET: u32 = 1 << 0;

/// The kernel's Landlock ABI. The crate tells no ABI above the ones it knows.
pub(crate) fn abi() -> Result<u32, i32> {
    ask(CREATE_RULESET_VERSION)
}

/// The bit mask of errata that are fixed in this kernel; `None` if it doesn't tell.
pub(crate) fn errata() -> Option<u32> {
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

/// `LANDLOCK_RULE_PATH_BENEATH` in `linux/landlock.h`.
const RULE_PATH_BENEATH: u32 = 1;
/// `LANDLOCK_RULE_NET_PORT` in `linux/landlock.h`.
const RULE_NET_PORT: u32 = 2;

/// `struct landlock_ruleset_attr` in `linux/landlock.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handled {
    pub(crate) access_fs: u64,
    /// Since ABI 4.
    pub(crate) access_net: u64,
    /// Since ABI 6.
    pub(crate) scoped: u64,
    /// Since ABI 10, of what is handled: the access rights whose denials aren't recorded where a quiet
    /// rule says so. For scopes no rule is needed.
    pub(crate) quiet_access_fs: u64,
    pub(crate) quiet_access_net: u64,
    pub(crate) quiet_scoped: u64,
}

/// `struct landlock_path_beneath_attr` in `linux/landlock.h`.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// `struct landlock_net_port_attr` in `linux/landlock.h`.
#[repr(C)]
struct NetPort {
    allowed_access: u64,
    port: u64,
}

/// Makes a ruleset. A kernel refuses what it doesn't know: a bit (`EINVAL`), or a field that is
/// longer than its own structure and not zero (`E2BIG`).
pub(crate) fn create_ruleset(handled: &Handled) -> io::Result<OwnedFd> {
    // SAFETY: the attribute outlives the call, and its size is given.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::from_ref(handled),
            size_of::<Handled>(),
            0_u32,
        )
    };
    let fd = check(answer).map_err(io::Error::from_raw_os_error)?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just handed out this descriptor, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Grants access on what a descriptor stands for, and beneath it.
pub(crate) fn add_path_rule(
    ruleset: BorrowedFd<'_>,
    object: BorrowedFd<'_>,
    allowed_access: u64,
) -> io::Result<()> {
    let rule = PathBeneath {
        allowed_access,
        parent_fd: object.as_raw_fd(),
    };
    // SAFETY: the rule is what its type says, and outlives the call.
    unsafe { add_rule(ruleset, RULE_PATH_BENEATH, (&raw const rule).cast(), 0) }
}

/// Grants nothing, and has denials on what a descriptor stands for, and beneath it, not recorded, as
/// far as the ruleset's quiet access rights say. Since ABI 10.
pub(crate) fn add_quiet_rule(ruleset: BorrowedFd<'_>, object: BorrowedFd<'_>) -> io::Result<()> {
    let rule = PathBeneath {
        allowed_access: 0,
        parent_fd: object.as_raw_fd(),
    };
    let (kind, quiet) = (RULE_PATH_BENEATH, ADD_RULE_QUIET);
    // SAFETY: the rule is what its type says, and outlives the call.
    unsafe { add_rule(ruleset, kind, (&raw const rule).cast(), quiet) }
}

/// Grants access to a port.
pub(crate) fn add_port_rule(
    ruleset: BorrowedFd<'_>,
    port: u16,
    allowed_access: u64,
) -> io::Result<()> {
    let rule = NetPort {
        allowed_access,
        port: port.into(),
    };
    // SAFETY: the rule is what its type says, and outlives the call.
    unsafe { add_rule(ruleset, RULE_NET_PORT, (&raw const rule).cast(), 0) }
}

/// # Safety
///
/// `rule` points to a structure of this type.
unsafe fn add_rule(
    ruleset: BorrowedFd<'_>,
    kind: u32,
    rule: *const libc::c_void,
    flags: u32,
) -> io::Result<()> {
    // SAFETY: the kernel reads the structure, which the caller vouches for.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            kind,
            rule,
            flags,
        )
    };
    check(answer)
        .map(drop)
        .map_err(io::Error::from_raw_os_error)
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
pub(crate) fn has_gained_privileges() -> bool {
    // SAFETY: takes an integer, and only reads what the kernel gave this process at its start.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// True if the calling thread has `PR_SET_NO_NEW_PRIVS`.
pub(crate) fn has_no_new_privileges() -> bool {
    // SAFETY: takes integers; the unused ones have to be zero.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_prctl,
            libc::PR_GET_NO_NEW_PRIVS,
            0_usize,
            0_usize,
            0_usize,
            0_usize,
        )
    };
    returned == 1
}

/// Sets `PR_SET_NO_NEW_PRIVS` on the calling thread, which Landlock asks of a process without
/// `CAP_SYS_ADMIN`. Async-signal-safe.
pub(crate) fn set_no_new_privileges() -> Result<(), i32> {
    // SAFETY: takes integers; the unused ones have to be zero.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_NO_NEW_PRIVS,
            1_usize,
            0_usize,
            0_usize,
            0_usize,
        )
    };
    check(returned).map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{fs::File, os::fd::AsFd, thread};

    use super::*;

    /// `LANDLOCK_ACCESS_FS_MAKE_BLOCK`, which no test needs.
    const MAKE_BLOCK: u64 = 1 << 11;

    #[test]
    fn the_kernel_takes_the_log_flags_that_its_abi_promises() {
        let Ok(abi @ 1..) = abi() else {
            println!("SKIPPED: this kernel has no Landlock");
            return;
        };
        let handled = Handled {
            access_fs: MAKE_BLOCK,
            ..Handled::default()
        };
        let ruleset = create_ruleset(&handled).unwrap();
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

    #[test]
    fn the_kernel_takes_a_quiet_rule_if_its_abi_promises_it() {
        let Ok(abi @ 1..) = abi() else {
            println!("SKIPPED: this kernel has no Landlock");
            return;
        };
        let handled = Handled {
            access_fs: MAKE_BLOCK,
            quiet_access_fs: MAKE_BLOCK,
            ..Handled::default()
        };
        let ruleset = match create_ruleset(&handled) {
            Ok(ruleset) => ruleset,
            Err(error) => {
                assert!(
                    abi < 10 && error.raw_os_error() == Some(libc::E2BIG),
                    "{error}"
                );
                return;
            }
        };
        assert!(abi >= 10);
        let root = File::open("/").unwrap();
        add_quiet_rule(ruleset.as_fd(), root.as_fd()).unwrap();
    }
}
