//! The access that a mount allows.

use std::io;

use rustix::io::Errno;

/// Checks that an access is allowed. With the feature `landlock-kernel-alone` everything is: the kernel decides.
pub(super) fn may(allowed: bool) -> io::Result<()> {
    if allowed || cfg!(feature = "landlock-kernel-alone") {
        Ok(())
    } else {
        Err(Errno::ACCESS.into())
    }
}
