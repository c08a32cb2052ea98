//! File system calls relative to a directory's descriptor.

use std::{
    ffi::CStr,
    fs::File,
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use super::check;

/// Checks that the effective user may read what an `O_PATH` descriptor stands for; for a directory,
/// list and pass it. Landlock doesn't mediate this call, so it asks the permission bits.
pub(crate) fn may_read(object: BorrowedFd<'_>, directory: bool) -> io::Result<()> {
    let mode = if directory {
        libc::R_OK | libc::X_OK
    } else {
        libc::R_OK
    };
    // glibc's faccessat() would emulate AT_EACCESS where faccessat2 is filtered, and can't do
    // AT_EMPTY_PATH then: hence the system call itself. It is older (5.8) than Landlock (5.13).
    // SAFETY: the path is a valid, empty C string; the rest are integers.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            object.as_raw_fd(),
            c"".as_ptr(),
            mode,
            libc::AT_EACCESS | libc::AT_EMPTY_PATH,
        )
    };
    check(returned)
        .map(drop)
        .map_err(io::Error::from_raw_os_error)
}

/// Creates an empty file that must not exist yet, with what the umask leaves of `rw-rw-rw-`.
///
/// `flags` is the access mode. A file that was just created is opened whatever its mode is, but a
/// process that is restricted needs the right to it.
pub(crate) fn create_at(parent: BorrowedFd<'_>, name: &CStr, flags: i32) -> io::Result<File> {
    open(
        parent.as_raw_fd(),
        name,
        flags | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW,
    )
}

/// Opens what is called `name` in a directory.
pub(crate) fn open_at(parent: BorrowedFd<'_>, name: &CStr, flags: i32) -> io::Result<File> {
    open(parent.as_raw_fd(), name, flags)
}

fn open(parent: RawFd, name: &CStr, flags: i32) -> io::Result<File> {
    // SAFETY: `name` is a valid C string; the rest are integers.
    let fd = unsafe { libc::openat(parent, name.as_ptr(), flags | libc::O_CLOEXEC, 0o666) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just handed out this descriptor, so nothing else owns it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// True if something is called `name` in a directory. Landlock doesn't mediate this call.
pub(crate) fn exists_at(parent: BorrowedFd<'_>, name: &CStr) -> bool {
    // SAFETY: all-zero is a valid `stat`.
    let mut found: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: `name` is a valid C string, and the kernel writes to this function's structure.
    let returned = unsafe {
        libc::fstatat(
            parent.as_raw_fd(),
            name.as_ptr(),
            &raw mut found,
            libc::AT_SYMLINK_NOFOLLOW,
        )
    };
    check(returned.into()) != Err(libc::ENOENT)
}

/// True if a descriptor is of a proc file system.
pub(crate) fn is_proc(object: BorrowedFd<'_>) -> bool {
    // SAFETY: all-zero is a valid `statfs`.
    let mut found: libc::statfs = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes to the structure, which is this function's.
    let returned = unsafe { libc::fstatfs(object.as_raw_fd(), &raw mut found) };
    // C libraries differ in the types of both.
    check(returned.into()).is_ok() && i128::from(found.f_type) == i128::from(libc::PROC_SUPER_MAGIC)
}

/// Removes the file called `name` from a directory.
pub(crate) fn unlink_at(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: `name` is a valid C string; the rest are integers.
    let returned = unsafe { libc::unlinkat(parent.as_raw_fd(), name.as_ptr(), 0) };
    check(returned.into())
        .map(drop)
        .map_err(io::Error::from_raw_os_error)
}

/// A `struct linux_dirent64` with a name of 255 bytes, padded.
const LONGEST_RECORD: usize = 280;

/// The names in a directory, `.` and `..` excepted, read through a descriptor that was opened
/// earlier: a restriction that came after it doesn't matter then.
pub(crate) fn list_directory(directory: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
    // The heap would have to grow for the large one, which takes longer than a short listing.
    if let Some(names) = list_with(directory, &mut [0; 4 * 1024], 1)? {
        return Ok(names);
    }
    // Room for two thousand threads: a listing that takes several calls can miss some when others
    // vanish in between.
    let names = list_with(directory, &mut vec![0; 64 * 1024], usize::MAX)?;
    Ok(names.unwrap_or_default())
}

/// Lists with this buffer; `None` if it takes more calls than that.
fn list_with(
    directory: BorrowedFd<'_>,
    buffer: &mut [u8],
    calls: usize,
) -> io::Result<Option<Vec<Vec<u8>>>> {
    // SAFETY: takes integers.
    if unsafe { libc::lseek(directory.as_raw_fd(), 0, libc::SEEK_SET) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut names = Vec::new();
    for _ in 0..calls {
        // SAFETY: the kernel writes at most the given length into the buffer.
        let read = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                directory.as_raw_fd(),
                buffer.as_mut_ptr(),
                buffer.len(),
            )
        };
        let read = check(read).map_err(io::Error::from_raw_os_error)?;
        let read = usize::try_from(read).unwrap_or(0);
        let mut records = buffer.get(..read).unwrap_or_default();
        // `struct linux_dirent64`: inode (8 bytes), offset (8), record length (2), type (1), name.
        while let Some(&[low, high]) = records.get(16..18) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let Some((record, rest)) = records.split_at_checked(length.max(19)) else {
                break;
            };
            let name = record.get(19..).unwrap_or_default();
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            if name != b"." && name != b".." {
                names.push(name.to_owned());
            }
            records = rest;
        }
        // The kernel stops where the next record doesn't fit. With room left, there is none.
        if buffer.len() - read > LONGEST_RECORD {
            return Ok(Some(names));
        }
    }
    Ok(None)
}
