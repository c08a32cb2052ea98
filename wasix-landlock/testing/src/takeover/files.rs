//! Opening, making, moving and removing files.

use std::ffi::CStr;

use super::{Attempt, Call, Landlock, Targets, Trouble};
use crate::sys::{
    self,
    Argument::{Input, Output, Text, Value},
};

const HERE: i64 = libc::AT_FDCWD as i64;
const READ: i32 = libc::O_RDONLY | libc::O_NONBLOCK;
const BOTH: i32 = libc::O_RDWR | libc::O_NONBLOCK;

pub(super) const CALLS: &[Call] = &[
    Call::new(
        "open-to-read",
        "open a file",
        Landlock::Files(1),
        None,
        |t| open(&t.file("open-to-read"), READ),
    ),
    Call::new(
        "open-to-write",
        "open a file for writing",
        Landlock::Files(1),
        None,
        |t| open(&t.file("open-to-write"), BOTH),
    ),
    Call::new(
        "open-to-truncate",
        "open a file with O_TRUNC",
        Landlock::Files(1),
        None,
        |t| open(&t.file("open-to-truncate"), BOTH | libc::O_TRUNC),
    ),
    Call::new(
        "create",
        "make a file with open",
        Landlock::Files(1),
        None,
        |t| open(&t.file("new"), BOTH | libc::O_CREAT | libc::O_EXCL),
    ),
    Call::new(
        "open-by-directory",
        "openat on a directory that was open before",
        Landlock::Files(1),
        None,
        |t| open_at(t.open_directory(), c"open-by-directory", READ),
    ),
    Call::new(
        "openat2",
        "open by openat2",
        Landlock::Files(1),
        None,
        openat2,
    ),
    Call::new(
        "list-directory",
        "list a directory that was open before",
        Landlock::Nothing,
        None,
        list,
    ),
    Call::new(
        "reopen",
        "open /proc/self/fd of a file that was open before",
        Landlock::Files(1),
        None,
        |t| open(&name(&format!("/proc/self/fd/{}", t.open_file())), BOTH),
    ),
    Call::new(
        "open-name-only",
        "open a file with O_PATH",
        Landlock::Nothing,
        None,
        |t| open(&t.file("open-name-only"), libc::O_PATH),
    ),
    Call::new(
        "read-of-an-open-file",
        "read a file that was open before",
        Landlock::Nothing,
        None,
        |t| {
            let mut bytes = [0; 8];
            done(sys::call(
                libc::SYS_pread64,
                [Value(t.open_file()), Output(&mut bytes), Value(7), Value(0)],
            ))
        },
    ),
    Call::new(
        "write-of-an-open-file",
        "write a file that was open before",
        Landlock::Nothing,
        None,
        |t| {
            done(sys::call(
                libc::SYS_pwrite64,
                [Value(t.open_file()), Input(b"c"), Value(1), Value(0)],
            ))
        },
    ),
    Call::new(
        "ftruncate-of-an-open-file",
        "truncate a file that was open before",
        Landlock::Nothing,
        None,
        |t| {
            done(sys::call(
                libc::SYS_ftruncate,
                [Value(t.open_file()), Value(7)],
            ))
        },
    ),
    Call::new(
        "truncate",
        "truncate a file by its path",
        Landlock::Files(3),
        None,
        |t| {
            done(sys::call(
                libc::SYS_truncate,
                [Text(&t.file("truncate")), Value(0)],
            ))
        },
    ),
    Call::new("rename", "rename a file", Landlock::Files(1), None, |t| {
        let (from, to) = (t.file("rename"), t.file("renamed"));
        done(sys::call(
            libc::SYS_renameat2,
            [Value(HERE), Text(&from), Value(HERE), Text(&to), Value(0)],
        ))
    }),
    Call::new(
        "rename-to-exchange",
        "swap two files",
        Landlock::Files(1),
        None,
        |t| {
            let (from, to) = (t.file("rename-to-exchange"), t.file("chmod"));
            let exchange = Value(libc::RENAME_EXCHANGE.into());
            done(sys::call(
                libc::SYS_renameat2,
                [Value(HERE), Text(&from), Value(HERE), Text(&to), exchange],
            ))
        },
    ),
    Call::new("link", "make a hard link", Landlock::Files(1), None, |t| {
        let (from, to) = (t.file("link"), t.file("linked"));
        done(sys::call(
            libc::SYS_linkat,
            [Value(HERE), Text(&from), Value(HERE), Text(&to), Value(0)],
        ))
    }),
    Call::new(
        "symlink",
        "make a symbolic link",
        Landlock::Files(1),
        None,
        |t| {
            done(sys::call(
                libc::SYS_symlinkat,
                [Text(c"/"), Value(HERE), Text(&t.file("symbolic"))],
            ))
        },
    ),
    Call::new("unlink", "remove a file", Landlock::Files(1), None, |t| {
        done(sys::call(
            libc::SYS_unlinkat,
            [Value(HERE), Text(&t.file("unlink")), Value(0)],
        ))
    }),
    Call::new("mkdir", "make a directory", Landlock::Files(1), None, |t| {
        done(sys::call(
            libc::SYS_mkdirat,
            [Value(HERE), Text(&t.file("directory")), Value(0o700)],
        ))
    }),
    Call::new(
        "rmdir",
        "remove a directory",
        Landlock::Files(1),
        None,
        |t| {
            let directory = Value(libc::AT_REMOVEDIR.into());
            done(sys::call(
                libc::SYS_unlinkat,
                [Value(HERE), Text(&t.file("empty")), directory],
            ))
        },
    ),
    Call::new("mkfifo", "make a fifo", Landlock::Files(1), None, |t| {
        make_node(t, "fifo", libc::S_IFIFO, 0)
    }),
    Call::new("mknod", "make a device", Landlock::Files(1), None, |t| {
        make_node(t, "device", libc::S_IFCHR, libc::makedev(1, 3))
    })
    .only_root(),
    Call::new(
        "name-to-handle",
        "ask for a file's handle",
        Landlock::Nothing,
        Some("file-handles"),
        |t| handle(t).map(drop),
    ),
    Call::new(
        "open-by-handle",
        "open a file by its handle",
        Landlock::Files(1),
        Some("file-handles"),
        open_by_handle,
    )
    .only_root(),
    Call::new(
        "uring-setup",
        "make an io_uring",
        Landlock::Nothing,
        Some("io-uring"),
        |_| {
            let mut parameters = [0; 120];
            close(sys::call(
                libc::SYS_io_uring_setup,
                [Value(1), Output(&mut parameters)],
            ))
        },
    ),
    Call::new(
        "uring-open",
        "open a file by io_uring",
        Landlock::Files(1),
        Some("io-uring"),
        |t| close(sys::open_by_uring(&t.file("uring-open")).map(i64::from)),
    ),
    Call::new(
        "uring-of-before",
        "open a file by an io_uring that was there before, with rights that it has registered",
        Landlock::Nothing,
        Some("io-uring"),
        |t| match t.ring() {
            Some((ring, rights)) => {
                let path = t.path().join("uring-of-before");
                close(ring.open(path, rights).map(i64::from))
            }
            None => Err(Trouble::Unavailable("there is no io_uring".to_owned())),
        },
    ),
    Call::new(
        "handed-over",
        "take a file from a helper that has the other end of a socket pair",
        Landlock::Nothing,
        None,
        |t| {
            t.helper().read()?;
            Ok(())
        },
    ),
    Call::new(
        "inotify",
        "watch a directory",
        Landlock::Nothing,
        None,
        |t| {
            let watch = sys::call(libc::SYS_inotify_init1, [Value(0)])?;
            let all = Value(libc::IN_ALL_EVENTS.into());
            let path = t.file("");
            let watched = sys::call(
                libc::SYS_inotify_add_watch,
                [Value(watch), Text(&path), all],
            );
            close(Ok(watch))?;
            done(watched)
        },
    ),
    Call::new(
        "flock",
        "lock a file that was open before",
        Landlock::Nothing,
        None,
        |t| {
            done(sys::call(
                libc::SYS_flock,
                [Value(t.open_file()), Value(libc::LOCK_SH.into())],
            ))
        },
    ),
    Call::new(
        "memfd",
        "make a memory file",
        Landlock::Nothing,
        None,
        |_| {
            close(sys::call(
                libc::SYS_memfd_create,
                [Text(c"memory"), Value(0)],
            ))
        },
    ),
];

pub(super) fn done(result: Result<i64, i32>) -> Attempt {
    Ok(result.map(drop)?)
}

/// A call that is done when it gives out a descriptor.
pub(super) fn close(result: Result<i64, i32>) -> Attempt {
    let descriptor = result?;
    done(sys::call(libc::SYS_close, [Value(descriptor)]))
}

pub(super) fn name(text: &str) -> std::ffi::CString {
    std::ffi::CString::new(text).unwrap_or_default()
}

pub(super) fn open(path: &CStr, flags: i32) -> Attempt {
    open_at(HERE, path, flags)
}

fn open_at(directory: i64, path: &CStr, flags: i32) -> Attempt {
    close(sys::call(
        libc::SYS_openat,
        [
            Value(directory),
            Text(path),
            Value(flags.into()),
            Value(0o600),
        ],
    ))
}

fn openat2(targets: &Targets) -> Attempt {
    // `struct open_how` in `linux/openat2.h`: flags, mode, resolve.
    let how = [0_u8; 24];
    let path = targets.file("openat2");
    close(sys::call(
        libc::SYS_openat2,
        [Value(HERE), Text(&path), Input(&how), Value(24)],
    ))
}

fn list(targets: &Targets) -> Attempt {
    let mut entries = [0; 4096];
    done(sys::call(
        libc::SYS_getdents64,
        [
            Value(targets.open_directory()),
            Output(&mut entries),
            Value(4096),
        ],
    ))
}

fn make_node(targets: &Targets, name: &str, kind: u32, device: u64) -> Attempt {
    let device = i64::try_from(device).unwrap_or(0);
    let path = targets.file(name);
    done(sys::call(
        libc::SYS_mknodat,
        [
            Value(HERE),
            Text(&path),
            Value((kind | 0o600).into()),
            Value(device),
        ],
    ))
}

/// `struct file_handle` in `linux/fcntl.h`: how long the handle is, its type, the handle.
fn handle(targets: &Targets) -> Result<[u8; 136], Trouble> {
    let mut handle = [0_u8; 136];
    if let Some(length) = handle.first_mut() {
        *length = 128;
    }
    let mut mount = [0_u8; 4];
    let path = targets.file("open-by-handle");
    sys::call(
        libc::SYS_name_to_handle_at,
        [
            Value(HERE),
            Text(&path),
            Output(&mut handle),
            Output(&mut mount),
            Value(0),
        ],
    )?;
    Ok(handle)
}

fn open_by_handle(targets: &Targets) -> Attempt {
    let mut handle = match handle(targets) {
        // The handle could come from elsewhere, so the next call is tried nevertheless.
        Err(Trouble::Refused(libc::EPERM)) => [8; 136],
        other => other?,
    };
    close(sys::call(
        libc::SYS_open_by_handle_at,
        [
            Value(targets.open_directory()),
            Output(&mut handle),
            Value(READ.into()),
        ],
    ))
}
