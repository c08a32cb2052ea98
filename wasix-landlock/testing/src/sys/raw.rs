//! System calls as native code makes them that has taken a process over.

use std::{ffi::CStr, io};

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

/// The end of a child of [`fork_for_status`].
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
