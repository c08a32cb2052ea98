//! WASI's names for Linux's error numbers.

use rustix::io::Errno;

/// The name of WASI's twin, for every number that a call on files can return.
#[must_use]
pub fn name(errno: Errno) -> String {
    let name = match errno {
        Errno::ACCESS => "acces",
        Errno::AGAIN => "again",
        Errno::BADF => "badf",
        Errno::BUSY => "busy",
        Errno::DQUOT => "dquot",
        Errno::EXIST => "exist",
        Errno::FAULT => "fault",
        Errno::FBIG => "fbig",
        Errno::INTR => "intr",
        Errno::INVAL => "inval",
        Errno::IO => "io",
        Errno::ISDIR => "isdir",
        Errno::LOOP => "loop",
        Errno::MFILE => "mfile",
        Errno::MLINK => "mlink",
        Errno::NAMETOOLONG => "nametoolong",
        Errno::NFILE => "nfile",
        Errno::NODEV => "nodev",
        Errno::NOENT => "noent",
        Errno::NOMEM => "nomem",
        Errno::NOSPC => "nospc",
        Errno::NOSYS => "nosys",
        Errno::NOTDIR => "notdir",
        Errno::NOTEMPTY => "notempty",
        Errno::NOTSUP => "notsup",
        Errno::NOTTY => "notty",
        Errno::NXIO => "nxio",
        Errno::OVERFLOW => "overflow",
        Errno::PERM => "perm",
        Errno::PIPE => "pipe",
        Errno::ROFS => "rofs",
        Errno::SPIPE => "spipe",
        Errno::STALE => "stale",
        Errno::TXTBSY => "txtbsy",
        Errno::XDEV => "xdev",
        other => return format!("linux-{}", other.raw_os_error()),
    };
    name.to_owned()
}
