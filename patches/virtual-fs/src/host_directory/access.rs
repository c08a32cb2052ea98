//! What a mount allows.

use std::io;

use rustix::io::Errno;

/// Whether it is allowed. With the feature `landlock-kernel-alone` everything is: the kernel has to know.
pub(super) fn may(allowed: bool) -> io::Result<()> {
    if allowed || cfg!(feature = "landlock-kernel-alone") {
        Ok(())
    } else {
        Err(Errno::ACCESS.into())
    }
}
