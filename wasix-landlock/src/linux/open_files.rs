//! The limit of open files.

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    process::{Resource, getrlimit},
};

/// Returns the soft and the hard limit of open files, if the process has none left now.
pub(crate) fn open_files_limit_reached() -> Option<(u64, Option<u64>)> {
    // For neither reading nor writing, so that Landlock has no say in it.
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = rustix::fs::open("/", flags, Mode::empty());
    if !matches!(opened, Err(Errno::MFILE)) {
        return None;
    }
    let limit = getrlimit(Resource::Nofile);
    Some((limit.current.unwrap_or(u64::MAX), limit.maximum))
}
