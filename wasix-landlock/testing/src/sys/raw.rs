//! System calls as native code makes them that has taken a process over.

use std::{ffi::CStr, io, ptr};

use super::check;

/// An argument of a system call.
pub(crate) enum Argument<'a> {
    Value(i64),
    Text(&'a CStr),
    Input(&'a [u8]),
    Output(&'a mut [u8]),
}

/// Makes a system call, as code does that has no library to ask. What the kernel writes has to fit
/// into the outputs, and nothing of this process's own may be named that others use.
pub(crate) fn call<const N: usize>(number: i64, arguments: [Argument; N]) -> Result<i64, i32> {
    let mut values = [0_i64; 6];
    for (value, argument) in values.iter_mut().zip(arguments) {
        *value = match argument {
            Argument::Value(value) => value,
            Argument::Text(text) => text.as_ptr() as i64,
            Argument::Input(bytes) => bytes.as_ptr() as i64,
            Argument::Output(bytes) => bytes.as_mut_ptr() as i64,
        };
    }
    let [a, b, c, d, e, f] = values;
    // SAFETY: what the arguments point to outlives the call; `takeover` gives each call what its
    // manual page asks for.
    let returned = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if returned < 0 {
        Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
    } else {
        Ok(returned)
    }
}

/// How a child of [`fork_for_status`] ended.
pub(crate) enum Ended {
    Status(i32),
    Signal(i32),
}

/// Forks, and has the child exit with what the body returns.
pub(crate) fn fork_for_status(body: impl FnOnce() -> i32) -> io::Result<Ended> {
    // SAFETY: the child has this thread alone, and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    check(child.into())?;
    if child == 0 {
        let status = body();
        // SAFETY: ends the child, without running what the parent has registered for its end.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: waits for the child above, and writes to an integer of this function.
    check(unsafe { libc::waitpid(child, &raw mut status, 0) }.into())?;
    Ok(if libc::WIFSIGNALED(status) {
        Ended::Signal(libc::WTERMSIG(status))
    } else {
        Ended::Status(libc::WEXITSTATUS(status))
    })
}

/// Ends the process at once.
pub(crate) fn end_process() -> ! {
    // SAFETY: ends the process, without running what was registered for its end.
    unsafe { libc::_exit(0) }
}

/// `fchmod(2)` by the 32-bit interface, which takes no pointer. A kernel without that interface
/// ends the process with a signal.
#[cfg(target_arch = "x86_64")]
pub(crate) fn fchmod_by_32_bit_call(descriptor: i32, mode: u32) -> i32 {
    const FCHMOD: i32 = 94;
    let mut returned = FCHMOD;
    // SAFETY: the call takes integers and touches no memory of this process. `rbx`, which the
    // compiler keeps for itself, is put back.
    unsafe {
        std::arch::asm!(
            "push rbx",
            "mov ebx, {descriptor:e}",
            "int 0x80",
            "pop rbx",
            descriptor = in(reg) descriptor,
            inout("eax") returned,
            in("ecx") mode,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    returned
}

/// Opens a file for reading by io_uring.
pub(crate) fn open_by_uring(path: &CStr) -> Result<i32, i32> {
    /// `struct io_uring_params` in `linux/io_uring.h`.
    const PARAMETERS: usize = 120;
    /// Where it has the features, and the offsets in the two rings.
    const SUBMISSION: usize = 40;
    const COMPLETION: usize = 80;
    const OPENAT: u8 = 18;
    const PAGES: usize = 4096;

    let mut parameters = [0_u8; PARAMETERS];
    let ring = call(
        libc::SYS_io_uring_setup,
        [Argument::Value(1), Argument::Output(&mut parameters)],
    )?;
    let offset = |at: usize| {
        let bytes = parameters.get(at..at + 4).unwrap_or_default();
        usize::try_from(u32::from_ne_bytes(bytes.try_into().unwrap_or_default())).unwrap_or(0)
    };
    let map = |offset: i64| {
        // SAFETY: a mapping of the ring, at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                PAGES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                i32::try_from(ring).unwrap_or(-1),
                offset,
            )
        };
        if address == libc::MAP_FAILED {
            Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
        } else {
            Ok(address.cast::<u8>())
        }
    };
    // `IORING_OFF_SQ_RING`, which since Linux 5.4 holds both rings, and `IORING_OFF_SQES`.
    let (rings, entries) = (map(0)?, map(0x1000_0000)?);
    // SAFETY: with one entry, both mappings are a page at least, and the kernel's offsets lie
    // within. The entry is `struct io_uring_sqe`: the operation, the directory, the path, the
    // flags of `open`.
    unsafe {
        entries.write(OPENAT);
        entries.add(4).cast::<i32>().write(libc::AT_FDCWD);
        entries.add(16).cast::<u64>().write(path.as_ptr() as u64);
        entries
            .add(28)
            .cast::<u32>()
            .write(libc::O_RDONLY.cast_unsigned());
        // The array has the entry's index, and the tail says that there is one.
        rings.add(offset(SUBMISSION + 24)).cast::<u32>().write(0);
        rings
            .add(offset(SUBMISSION + 4))
            .cast::<u32>()
            .write_volatile(1);
    }
    let submit_and_wait = [1, 1, 1].map(Argument::Value);
    let [submit, wait, get_events] = submit_and_wait;
    call(
        libc::SYS_io_uring_enter,
        [Argument::Value(ring), submit, wait, get_events],
    )?;
    // SAFETY: as above; the completion is `struct io_uring_cqe`, whose result comes after 8 bytes.
    let result = unsafe {
        rings
            .add(offset(COMPLETION + 20) + 8)
            .cast::<i32>()
            .read_volatile()
    };
    // SAFETY: the mappings are this function's own, and the descriptor too.
    unsafe {
        libc::munmap(rings.cast(), PAGES);
        libc::munmap(entries.cast(), PAGES);
        libc::close(i32::try_from(ring).unwrap_or(-1));
    }
    if result < 0 { Err(-result) } else { Ok(result) }
}
