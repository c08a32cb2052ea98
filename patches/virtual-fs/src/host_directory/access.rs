//! The access that a mount allows.

use std::io;

use rustix::io::Errno;

/// Checks that an access is allowed. In the build for tests of the kernel alone everything is: the kernel decides.
pub(super) fn may(allowed: bool) -> io::Result<()> {
    if allowed || cfg!(landlock_kernel_alone) {
        Ok(())
    } else {
        Err(Errno::ACCESS.into())
    }
}
