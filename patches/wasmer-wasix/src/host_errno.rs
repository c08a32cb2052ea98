//! The host's error numbers as WASI has them.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::io;

use wasmer_wasix_types::wasi::Errno;

/// WASI's number for an error of the host; `None` if the error has no number of the host's.
#[cfg(unix)]
pub(crate) fn of(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(of_number)
}

/// Elsewhere numbers mean something else.
#[cfg(not(unix))]
pub(crate) fn of(_error: &io::Error) -> Option<Errno> {
    None
}

/// WASI's number for an error of the host's files.
pub(crate) fn of_files(error: io::Error) -> Errno {
    of(&error).unwrap_or_else(|| match error.kind() {
        // What the virtual file systems say.
        io::ErrorKind::StorageFull => Errno::Nospc,
        io::ErrorKind::NotADirectory => Errno::Notdir,
        io::ErrorKind::IsADirectory => Errno::Isdir,
        _ => error.into(),
    })
}

#[cfg(unix)]
fn of_number(number: i32) -> Errno {
    let known = TABLE.iter().find(|(host, _)| *host == number);
    known.map_or(Errno::Io, |(_, wasi)| *wasi)
}

/// Every number that Linux names and WASI has. What isn't here is EIO.
#[cfg(unix)]
const TABLE: &[(i32, Errno)] = &[
    (libc::E2BIG, Errno::Toobig),
    (libc::EACCES, Errno::Access),
    (libc::EADDRINUSE, Errno::Addrinuse),
    (libc::EADDRNOTAVAIL, Errno::Addrnotavail),
    (libc::EAFNOSUPPORT, Errno::Afnosupport),
    (libc::EAGAIN, Errno::Again),
    (libc::EALREADY, Errno::Already),
    (libc::EBADF, Errno::Badf),
    (libc::EBADMSG, Errno::Badmsg),
    (libc::EBUSY, Errno::Busy),
    (libc::ECANCELED, Errno::Canceled),
    (libc::ECHILD, Errno::Child),
    (libc::ECONNABORTED, Errno::Connaborted),
    (libc::ECONNREFUSED, Errno::Connrefused),
    (libc::ECONNRESET, Errno::Connreset),
    (libc::EDEADLK, Errno::Deadlk),
    (libc::EDESTADDRREQ, Errno::Destaddrreq),
    (libc::EDOM, Errno::Dom),
    (libc::EDQUOT, Errno::Dquot),
    (libc::EEXIST, Errno::Exist),
    (libc::EFAULT, Errno::Fault),
    (libc::EFBIG, Errno::Fbig),
    (libc::EHOSTUNREACH, Errno::Hostunreach),
    (libc::EIDRM, Errno::Idrm),
    (libc::EILSEQ, Errno::Ilseq),
    (libc::EINPROGRESS, Errno::Inprogress),
    (libc::EINTR, Errno::Intr),
    (libc::EINVAL, Errno::Inval),
    (libc::EIO, Errno::Io),
    (libc::EISCONN, Errno::Isconn),
    (libc::EISDIR, Errno::Isdir),
    (libc::ELOOP, Errno::Loop),
    (libc::EMFILE, Errno::Mfile),
    (libc::EMLINK, Errno::Mlink),
    (libc::EMSGSIZE, Errno::Msgsize),
    (libc::EMULTIHOP, Errno::Multihop),
    (libc::ENAMETOOLONG, Errno::Nametoolong),
    (libc::ENETDOWN, Errno::Netdown),
    (libc::ENETRESET, Errno::Netreset),
    (libc::ENETUNREACH, Errno::Netunreach),
    (libc::ENFILE, Errno::Nfile),
    (libc::ENOBUFS, Errno::Nobufs),
    (libc::ENODEV, Errno::Nodev),
    (libc::ENOENT, Errno::Noent),
    (libc::ENOEXEC, Errno::Noexec),
    (libc::ENOLCK, Errno::Nolck),
    (libc::ENOLINK, Errno::Nolink),
    (libc::ENOMEM, Errno::Nomem),
    (libc::ENOMSG, Errno::Nomsg),
    (libc::ENOPROTOOPT, Errno::Noprotoopt),
    (libc::ENOSPC, Errno::Nospc),
    (libc::ENOSYS, Errno::Nosys),
    (libc::ENOTCONN, Errno::Notconn),
    (libc::ENOTDIR, Errno::Notdir),
    (libc::ENOTEMPTY, Errno::Notempty),
    (libc::ENOTRECOVERABLE, Errno::Notrecoverable),
    (libc::ENOTSOCK, Errno::Notsock),
    // Linux has one number for ENOTSUP and EOPNOTSUPP.
    (libc::ENOTSUP, Errno::Notsup),
    (libc::ENOTTY, Errno::Notty),
    (libc::ENXIO, Errno::Nxio),
    (libc::EOVERFLOW, Errno::Overflow),
    (libc::EOWNERDEAD, Errno::Ownerdead),
    (libc::EPERM, Errno::Perm),
    (libc::EPIPE, Errno::Pipe),
    (libc::EPROTO, Errno::Proto),
    (libc::EPROTONOSUPPORT, Errno::Protonosupport),
    (libc::EPROTOTYPE, Errno::Prototype),
    (libc::ERANGE, Errno::Range),
    (libc::EROFS, Errno::Rofs),
    (libc::ESPIPE, Errno::Spipe),
    (libc::ESRCH, Errno::Srch),
    (libc::ESTALE, Errno::Stale),
    (libc::ETIMEDOUT, Errno::Timedout),
    (libc::ETXTBSY, Errno::Txtbsy),
    (libc::EXDEV, Errno::Xdev),
];
