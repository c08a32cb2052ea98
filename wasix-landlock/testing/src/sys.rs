//! The system calls that std has no safe form of.

pub(crate) mod foreign;
mod handover;
mod raw;
mod uring;

use std::{
    env,
    ffi::{CString, OsStr},
    fs::File,
    io, mem,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    ptr,
    time::Duration,
};

pub(crate) use handover::{receive as receive_file, send as send_file};
#[cfg(target_arch = "x86_64")]
pub(crate) use raw::fchmod_by_32_bit_call;
pub(crate) use raw::{Argument, Ended, call, end_process, fork_for_status};
pub(crate) use uring::{Ring, open_by_uring};

fn check(returned: i64) -> io::Result<()> {
    if returned < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Takes a descriptor that a system call has just handed out.
pub(crate) fn own(number: i64) -> Result<OwnedFd, i32> {
    let number = i32::try_from(number).map_err(|_| libc::EBADF)?;
    // SAFETY: the kernel has just handed out this descriptor, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

pub(crate) fn in_forked_children(call: extern "C" fn()) -> io::Result<()> {
    // SAFETY: the C library calls a safe function, in a child that has one thread or is about to end.
    match unsafe { libc::pthread_atfork(None, None, Some(call)) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

pub(crate) fn kill_group(leader: u32) {
    if let Ok(group) = i32::try_from(leader)
        && group > 1
    {
        // SAFETY: takes integers. The group is one that `isolated` has made for its child.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}

pub(crate) fn effective_user() -> u32 {
    // SAFETY: takes nothing and can't fail.
    unsafe { libc::geteuid() }
}

pub(crate) fn become_user(id: u32) -> io::Result<()> {
    // SAFETY: no groups, so the pointer isn't read.
    check(unsafe { libc::setgroups(0, ptr::null()) }.into())?;
    // SAFETY: takes integers; libc does it in every thread.
    check(unsafe { libc::setresgid(id, id, id) }.into())?;
    // SAFETY: takes integers; libc does it in every thread.
    check(unsafe { libc::setresuid(id, id, id) }.into())?;
    // Changing users gives /proc/self to root, which an ordinary process doesn't see.
    // SAFETY: takes integers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) }.into())
}

pub(crate) fn limit_descriptors(count: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: count,
        rlim_max: count,
    };
    // SAFETY: the pointer is to a limit that outlives the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }.into())
}

pub(crate) fn fail_system_call(number: i64, errno: i32) -> io::Result<()> {
    const NUMBER: u32 = mem::offset_of!(libc::seccomp_data, nr) as u32;
    let refuse = libc::SECCOMP_RET_ERRNO | (errno.unsigned_abs() & libc::SECCOMP_RET_DATA);
    let statement = |code: u32, jt, jf, k| libc::sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt,
        jf,
        k,
    };
    let number = u32::try_from(number).map_err(io::Error::other)?;
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, NUMBER),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, refuse),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).unwrap_or(0),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: takes integers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
    // SAFETY: the program and its statements outlive the call, which copies them.
    check(
        unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            )
        }
        .into(),
    )
}

pub(crate) fn current_thread() -> i32 {
    // SAFETY: takes nothing and can't fail.
    unsafe { libc::gettid() }
}

pub(crate) fn mask_all_signals(block: bool) -> io::Result<()> {
    // SAFETY: all-zero is a valid set, and it is filled before it is used.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the set is this function's own.
    unsafe { libc::sigfillset(&raw mut set) };
    let how = if block {
        libc::SIG_BLOCK
    } else {
        libc::SIG_UNBLOCK
    };
    // SAFETY: the set outlives the call, and the old one isn't asked for.
    match unsafe { libc::pthread_sigmask(how, &raw const set, ptr::null_mut()) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Blocks signals by the system call itself, as the C library leaves out those that it uses.
pub(crate) fn block_signals(mask: u64) -> io::Result<()> {
    // SAFETY: the mask outlives the call, and has the size that is given.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_BLOCK,
            &raw const mask,
            ptr::null_mut::<u64>(),
            size_of::<u64>(),
        )
    };
    check(returned)
}

/// Blocks a signal in the calling thread and waits for it.
pub(crate) fn wait_for_signal(signal: i32, ready: impl FnOnce()) -> io::Result<i32> {
    block_signals(1 << (signal - 1))?;
    // SAFETY: all-zero is a valid set.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the set is this function's own.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    ready();
    let mut received = 0;
    // SAFETY: the set and the number outlive the call.
    match unsafe { libc::sigwait(&raw const set, &raw mut received) } {
        0 => Ok(received),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Sends a signal to a thread of this process.
pub(crate) fn signal_thread(tid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes integers.
    check(unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, signal) })
}

/// Sets this process's groups to what they are, which the C library does in every thread.
pub(crate) fn set_group_again() -> io::Result<()> {
    // SAFETY: takes integers.
    check(unsafe { libc::setgid(libc::getgid()) }.into())
}

/// Gives the calling thread a table of descriptors of its own, with what is open now.
pub(crate) fn separate_descriptors() -> io::Result<()> {
    // SAFETY: takes an integer.
    check(unsafe { libc::unshare(libc::CLONE_FILES) }.into())
}

/// Has the next child of the calling thread be the first process of a PID namespace. An ordinary
/// user needs a user namespace for that.
pub(crate) fn new_process_namespace() -> io::Result<()> {
    let user = if effective_user() == 0 {
        0
    } else {
        libc::CLONE_NEWUSER
    };
    // SAFETY: takes an integer.
    check(unsafe { libc::unshare(libc::CLONE_NEWPID | user) }.into())
}

pub(crate) fn poll_nothing(time: Duration) -> io::Result<()> {
    let time = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: no descriptors, so the pointer isn't read.
    check(unsafe { libc::poll(ptr::null_mut(), 0, time) }.into())
}

/// Waits in `epoll_wait(2)` until something can be read.
pub(crate) fn epoll(readable: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes an integer.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    check(epoll.into())?;
    // SAFETY: the kernel has just handed out this descriptor, so nothing else owns it.
    let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
    let mut event = libc::epoll_event {
        events: libc::EPOLLIN.unsigned_abs(),
        u64: 0,
    };
    // SAFETY: the event outlives the call; the rest are integers.
    let added = unsafe {
        libc::epoll_ctl(
            epoll.as_raw_fd(),
            libc::EPOLL_CTL_ADD,
            readable.as_raw_fd(),
            &raw mut event,
        )
    };
    check(added.into())?;
    // SAFETY: the kernel writes one event at most, which outlives the call.
    check(unsafe { libc::epoll_wait(epoll.as_raw_fd(), &raw mut event, 1, -1) }.into())
}

/// Starts a process as `vfork(2)` does, which keeps the calling thread in the kernel until the
/// process ends. It ends when something can be read.
pub(crate) fn wait_as_vfork_does(readable: BorrowedFd<'_>) -> io::Result<()> {
    let flags = libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: without CLONE_VM the child has a memory of its own, as after fork(), and it makes
    // two system calls.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    check(child)?;
    if child == 0 {
        let mut byte = 0_u8;
        // SAFETY: reads one byte into an integer of this function.
        unsafe { libc::read(readable.as_raw_fd(), (&raw mut byte).cast(), 1) };
        // SAFETY: ends the child, without running what the parent has registered for its end.
        unsafe { libc::_exit(0) };
    }
    let child = i32::try_from(child).map_err(io::Error::other)?;
    // SAFETY: waits for the child above, without asking how it ended.
    check(unsafe { libc::waitpid(child, ptr::null_mut(), 0) }.into())
}

/// Has the kernel end this process after so many seconds.
pub(crate) fn end_after(seconds: u32) {
    // SAFETY: takes an integer.
    unsafe { libc::alarm(seconds) };
}

pub(crate) fn real_time_signals_in_use() -> Vec<i32> {
    (libc::SIGRTMIN()..=libc::SIGRTMAX())
        .filter(|signal| {
            // SAFETY: all-zero is a valid action.
            let mut action: libc::sigaction = unsafe { mem::zeroed() };
            // SAFETY: only asks, and writes to an action of this function.
            unsafe { libc::sigaction(*signal, ptr::null(), &raw mut action) };
            action.sa_sigaction != libc::SIG_DFL
        })
        .collect()
}

pub(crate) fn ignore_all_real_time_signals() {
    for signal in libc::SIGRTMIN()..=libc::SIGRTMAX() {
        // SAFETY: no handler is called, since the signal is ignored.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

pub(crate) fn end_thread() -> ! {
    loop {
        // SAFETY: ends the calling thread without returning; its stack stays until the process
        // ends.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}

/// The kernel's Landlock ABI.
pub(crate) fn landlock_abi() -> io::Result<u32> {
    const VERSION: u32 = 1 << 0;
    // SAFETY: with this flag the kernel takes no attribute: a null pointer of size 0 is what it
    // asks for.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::null::<libc::c_void>(),
            0_usize,
            VERSION,
        )
    };
    check(abi)?;
    u32::try_from(abi).map_err(io::Error::other)
}

pub(crate) fn truncate(path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path is a valid C string.
    check(unsafe { libc::truncate(path.as_ptr(), 0) }.into())
}

pub(crate) fn make_node(path: &Path, kind: u32, device: u64) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path is a valid C string; the rest are integers.
    check(unsafe { libc::mknod(path.as_ptr(), kind | 0o600, device) }.into())
}

pub(crate) fn ask_terminal(device: &File) -> io::Result<()> {
    // SAFETY: all-zero is a valid `termios`, and is written to at most.
    let mut settings: libc::termios = unsafe { mem::zeroed() };
    // SAFETY: TCGETS writes a kernel `termios`, which is no larger than libc's.
    check(unsafe { libc::ioctl(device.as_raw_fd(), libc::TCGETS, &raw mut settings) }.into())
}

pub(crate) fn signal(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes integers.
    check(unsafe { libc::kill(pid, signal) }.into())
}

/// Maps a page, writes a function that returns to it, makes it executable and calls it.
pub(crate) fn run_generated_code() -> io::Result<()> {
    #[cfg(target_arch = "x86_64")]
    const RETURN: &[u8] = &[0xc3];
    #[cfg(target_arch = "aarch64")]
    const RETURN: &[u8] = &[0xc0, 0x03, 0x5f, 0xd6];
    const LENGTH: usize = 4096;
    // SAFETY: an anonymous mapping of a page, at an address of the kernel's choice.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            LENGTH,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the page is writable, this function's own, and longer than the code.
    unsafe { ptr::copy_nonoverlapping(RETURN.as_ptr(), page.cast(), RETURN.len()) };
    // SAFETY: the page is the one mapped above.
    check(unsafe { libc::mprotect(page, LENGTH, libc::PROT_READ | libc::PROT_EXEC) }.into())?;
    // SAFETY: the page holds a function that takes nothing and returns at once. Instructions were
    // never fetched from there, so no cache has older ones.
    unsafe { mem::transmute::<*mut libc::c_void, extern "C" fn()>(page)() };
    // SAFETY: nothing refers to the page any more.
    check(unsafe { libc::munmap(page, LENGTH) }.into())
}

/// Opens a file so that a program that is executed gets the descriptor too. Nothing closes it.
pub(crate) fn leak_descriptor(path: &Path) -> io::Result<i32> {
    let path = c_path(path)?;
    // SAFETY: the path is a valid C string.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR) };
    check(fd.into()).map(|()| fd)
}

pub(crate) fn read_descriptor(number: i32) -> io::Result<()> {
    let mut byte = 0_u8;
    // SAFETY: the kernel writes one byte at most, to a variable of this function.
    let read = unsafe { libc::pread(number, (&raw mut byte).cast(), 1, 0) };
    check(read as i64)
}

/// Forks, runs the body in the child and waits for it. Returns what the body returned.
pub(crate) fn fork(body: impl FnOnce() -> bool) -> io::Result<bool> {
    // SAFETY: the child has this thread alone and never leaves this function. The other threads
    // are libtest's, which wait for this one and hold no lock meanwhile.
    let child = unsafe { libc::fork() };
    check(child.into())?;
    if child == 0 {
        let status = i32::from(!body());
        // SAFETY: ends the child, without running what the parent has registered for its end.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: waits for the child above, and writes to an integer of this function.
    check(unsafe { libc::waitpid(child, &raw mut status, 0) }.into())?;
    Ok(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0)
}

/// Forks, and runs the body in the child, for whose end nobody waits.
pub(crate) fn fork_off(body: impl FnOnce()) -> io::Result<()> {
    // SAFETY: the child has this thread alone and never leaves this function. The other threads
    // are libtest's, which wait for this one and hold no lock meanwhile.
    let child = unsafe { libc::fork() };
    check(child.into())?;
    if child == 0 {
        body();
        // SAFETY: ends the child, without running what the parent has registered for its end.
        unsafe { libc::_exit(0) };
    }
    Ok(())
}

pub(crate) fn set_variable(name: &str, value: Option<&OsStr>) {
    // SAFETY: in a child of `isolated`, whose only other thread waits for this one.
    unsafe {
        match value {
            Some(value) => env::set_var(name, value),
            None => env::remove_var(name),
        }
    }
}
