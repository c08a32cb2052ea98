//! Calls that reveal files' metadata, or change modes, owners, times and attributes.

use super::{
    Attempt, Call, Landlock, Targets,
    files::{done, name},
};
use crate::sys::{
    self,
    Argument::{Input, Output, Text, Value},
};

const HERE: i64 = libc::AT_FDCWD as i64;
const METADATA: Option<&str> = Some("metadata");
const IOCTL: &str = "ioctl";
/// Leaves the owner as it is: what may be changed at all is what counts.
const SAME: i64 = -1;
const MODE: i64 = 0o600;

pub(super) const CALLS: &[Call] = &[
    Call::new(
        "stat",
        "ask for a file's metadata",
        Landlock::Nothing,
        None,
        |t| {
            let mut found = [0; 256];
            let arguments = [
                Value(HERE),
                Text(&t.file("stat")),
                Value(0),
                Value(libc::STATX_BASIC_STATS.into()),
                Output(&mut found),
            ];
            done(sys::call(libc::SYS_statx, arguments))
        },
    ),
    Call::new(
        "access",
        "ask whether a file may be read",
        Landlock::Nothing,
        None,
        |t| {
            done(sys::call(
                libc::SYS_faccessat,
                [Value(HERE), Text(&t.file("access")), Value(4)],
            ))
        },
    ),
    Call::new(
        "readlink",
        "read a symbolic link",
        Landlock::Nothing,
        None,
        |_| {
            let mut target = [0; 64];
            let arguments = [
                Value(HERE),
                Text(c"/proc/self/exe"),
                Output(&mut target),
                Value(64),
            ];
            done(sys::call(libc::SYS_readlinkat, arguments))
        },
    ),
    Call::new(
        "statfs",
        "ask for a file system's metadata",
        Landlock::Nothing,
        None,
        |t| {
            let mut found = [0; 256];
            done(sys::call(
                libc::SYS_statfs,
                [Text(&t.file("statfs")), Output(&mut found)],
            ))
        },
    ),
    Call::new(
        "chdir",
        "change the working directory",
        Landlock::Nothing,
        None,
        |t| done(sys::call(libc::SYS_chdir, [Text(&t.file(""))])),
    ),
    Call::new(
        "getxattr",
        "read an extended attribute's list",
        Landlock::Nothing,
        None,
        |t| {
            let mut list = [0; 256];
            done(sys::call(
                libc::SYS_listxattr,
                [Text(&t.file("getxattr")), Output(&mut list), Value(256)],
            ))
        },
    ),
    Call::new(
        "chmod",
        "change a file's mode",
        Landlock::Nothing,
        METADATA,
        |t| {
            done(sys::call(
                libc::SYS_fchmodat,
                [Value(HERE), Text(&t.file("chmod")), Value(MODE)],
            ))
        },
    ),
    #[cfg(target_arch = "x86_64")]
    Call::new(
        "chmod-old",
        "change a file's mode by the older call",
        Landlock::Nothing,
        METADATA,
        |t| {
            done(sys::call(
                libc::SYS_chmod,
                [Text(&t.file("chmod-old")), Value(MODE)],
            ))
        },
    ),
    Call::new(
        "fchmod",
        "change an open file's mode",
        Landlock::Nothing,
        METADATA,
        |t| {
            done(sys::call(
                libc::SYS_fchmod,
                [Value(t.open_file()), Value(MODE)],
            ))
        },
    ),
    Call::new(
        "fchmodat2",
        "change a file's mode by the newer call",
        Landlock::Nothing,
        METADATA,
        |t| {
            let path = t.file("fchmodat2");
            done(sys::call(
                452,
                [Value(HERE), Text(&path), Value(MODE), Value(0)],
            ))
        },
    ),
    #[cfg(target_arch = "x86_64")]
    Call::new(
        "fchmod-32-bit",
        "change a file's mode by a 32-bit call",
        Landlock::Nothing,
        METADATA,
        by_32_bit_call,
    ),
    Call::new(
        "chown",
        "change a file's owner",
        Landlock::Nothing,
        METADATA,
        |t| {
            let path = t.file("chown");
            done(sys::call(
                libc::SYS_fchownat,
                [Value(HERE), Text(&path), Value(SAME), Value(SAME), Value(0)],
            ))
        },
    ),
    Call::new(
        "fchown",
        "change an open file's owner",
        Landlock::Nothing,
        METADATA,
        |t| {
            done(sys::call(
                libc::SYS_fchown,
                [Value(t.open_file()), Value(SAME), Value(SAME)],
            ))
        },
    ),
    Call::new(
        "utime",
        "set a file's times by its path",
        Landlock::Nothing,
        METADATA,
        |t| {
            let path = t.file("utime");
            done(sys::call(
                libc::SYS_utimensat,
                [Value(HERE), Text(&path), Value(0), Value(0)],
            ))
        },
    ),
    Call::new(
        "futime",
        "set an open file's times",
        Landlock::Nothing,
        None,
        |t| {
            done(sys::call(
                libc::SYS_utimensat,
                [Value(t.open_file()), Value(0), Value(0), Value(0)],
            ))
        },
    ),
    Call::new(
        "setxattr",
        "set an extended attribute",
        Landlock::Nothing,
        METADATA,
        |t| {
            let path = t.file("setxattr");
            let arguments = [
                Text(&path),
                Text(c"user.taken"),
                Input(b"x"),
                Value(1),
                Value(0),
            ];
            done(sys::call(libc::SYS_setxattr, arguments))
        },
    ),
    Call::new(
        "fsetxattr",
        "set an open file's extended attribute",
        Landlock::Nothing,
        METADATA,
        |t| {
            let arguments = [
                Value(t.open_file()),
                Text(c"user.taken"),
                Input(b"x"),
                Value(1),
                Value(0),
            ];
            done(sys::call(libc::SYS_fsetxattr, arguments))
        },
    ),
    Call::new(
        "removexattr",
        "remove an extended attribute",
        Landlock::Nothing,
        METADATA,
        |t| {
            let path = t.file("setxattr");
            done(sys::call(
                libc::SYS_removexattr,
                [Text(&path), Text(c"user.taken")],
            ))
        },
    ),
    Call::new(
        "inode-flags",
        "set an open file's inode flags",
        Landlock::Nothing,
        METADATA,
        |t| {
            change_inode(
                t,
                [libc::FS_IOC_GETFLAGS as i64, libc::FS_IOC_SETFLAGS as i64],
            )
        },
    )
    .also(IOCTL),
    Call::new(
        "inode-version",
        "set an open file's inode version",
        Landlock::Nothing,
        METADATA,
        |t| {
            change_inode(
                t,
                [
                    libc::FS_IOC_GETVERSION as i64,
                    libc::FS_IOC_SETVERSION as i64,
                ],
            )
        },
    )
    .also(IOCTL),
    Call::new(
        "block-size",
        "ask for an open file's block size by a command",
        Landlock::Nothing,
        Some(IOCTL),
        |t| {
            // `FIGETBSZ` in `linux/fs.h`. It stands for all commands that only look.
            let mut size = [0; 4];
            let file = Value(t.open_file());
            done(sys::call(
                libc::SYS_ioctl,
                [file, Value(2), Output(&mut size)],
            ))
        },
    ),
    Call::new(
        "chmod-by-proc",
        "change a mode by /proc/self/fd",
        Landlock::Nothing,
        METADATA,
        |t| {
            let path = name(&format!("/proc/self/fd/{}", t.open_file()));
            done(sys::call(
                libc::SYS_fchmodat,
                [Value(HERE), Text(&path), Value(MODE)],
            ))
        },
    ),
];

/// Reads something of the open file's inode by a command, and sets the same by another.
fn change_inode(targets: &Targets, [get, set]: [i64; 2]) -> Attempt {
    let mut value = [0; 8];
    let file = || Value(targets.open_file());
    // What is set could be known otherwise, so the next call is made nevertheless.
    match sys::call(libc::SYS_ioctl, [file(), Value(get), Output(&mut value)]) {
        Ok(_) | Err(libc::EPERM) => {}
        Err(errno) => return Err(errno.into()),
    }
    done(sys::call(
        libc::SYS_ioctl,
        [file(), Value(set), Input(&value)],
    ))
}

/// In a child, as a kernel without 32-bit calls ends whoever makes one.
#[cfg(target_arch = "x86_64")]
fn by_32_bit_call(targets: &Targets) -> Attempt {
    use sys::Ended;

    let descriptor = i32::try_from(targets.open_file()).unwrap_or(-1);
    match sys::fork_for_status(|| -sys::fchmod_by_32_bit_call(descriptor, 0o600))? {
        Ended::Status(0) => Ok(()),
        Ended::Status(errno) => Err(errno.into()),
        Ended::Signal(signal) => Err(super::Trouble::Unavailable(format!(
            "there are no 32-bit calls: signal {signal}"
        ))),
    }
}
