//! The limit of open files.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

/// Returns the soft and the hard limit of open files, if the process has none left now.
pub(crate) fn open_files_limit_reached() -> Option<(u64, Option<u64>)> {
    // For neither reading nor writing, so that Landlock has no say in it.
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = rustix::fs::open("/", flags, Mode::empty());
    if !matches!(opened, Err(Errno::MFILE)) {
        return None;
    }
    let (limit, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    Some((limit, (hard != RLIM_INFINITY).then_some(hard)))
}
