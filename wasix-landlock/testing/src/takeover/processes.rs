//! Other processes, and what a process can become.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::{
    Attempt, Call, Landlock, Targets, Trouble,
    files::{close, done, open},
    targets::MEMORY,
};
use crate::sys::{
    self,
    Argument::{Input, Output, Text, Value},
    Ended,
};

const PROCESSES: Option<&str> = Some("processes");
const EXEC: Option<&str> = Some("exec");
const NAMESPACES: Option<&str> = Some("namespaces");
const MOUNTS: Option<&str> = Some("mounts");
/// Ignored by whoever gets it, unless he wants to know.
const URGENT: i64 = libc::SIGURG as i64;
const READ: i32 = libc::O_RDONLY;

pub(super) const CALLS: &[Call] = &[
    Call::new("exec", "execute a file", Landlock::Files(1), EXEC, exec),
    Call::new(
        "exec-memfd",
        "execute a memory file",
        Landlock::Nothing,
        EXEC,
        exec_memfd,
    ),
    Call::new(
        "fork",
        "start a process without a program",
        Landlock::Nothing,
        None,
        |_| succeeded(sys::fork_for_status(|| 0)?),
    ),
    Call::new(
        "kill",
        "signal a process outside",
        Landlock::Scope(6),
        None,
        |t| done(sys::call(libc::SYS_kill, [Value(t.process), Value(URGENT)])),
    ),
    Call::new(
        "tgkill",
        "signal a thread outside",
        Landlock::Scope(6),
        None,
        |t| {
            done(sys::call(
                libc::SYS_tgkill,
                [Value(t.process), Value(t.process), Value(URGENT)],
            ))
        },
    ),
    Call::new(
        "pidfd-signal",
        "signal a process outside by a descriptor",
        Landlock::Scope(6),
        None,
        |t| {
            let process = sys::call(libc::SYS_pidfd_open, [Value(t.process), Value(0)])?;
            let arguments = [Value(process), Value(URGENT), Value(0), Value(0)];
            let sent = sys::call(libc::SYS_pidfd_send_signal, arguments);
            close(Ok(process))?;
            done(sent)
        },
    ),
    Call::new(
        "ptrace",
        "attach to a process outside",
        Landlock::Domain(1),
        PROCESSES,
        ptrace,
    ),
    Call::new(
        "read-memory",
        "read a process's memory",
        Landlock::Domain(1),
        PROCESSES,
        |t| memory(t, libc::SYS_process_vm_readv),
    ),
    Call::new(
        "write-memory",
        "write a process's memory",
        Landlock::Domain(1),
        PROCESSES,
        |t| memory(t, libc::SYS_process_vm_writev),
    ),
    Call::new(
        "take-descriptor",
        "take a process's descriptor",
        Landlock::Domain(1),
        PROCESSES,
        |t| {
            let process = sys::call(libc::SYS_pidfd_open, [Value(t.process), Value(0)])?;
            let taken = sys::call(
                libc::SYS_pidfd_getfd,
                [Value(process), Value(t.open_file()), Value(0)],
            );
            close(Ok(process))?;
            close(taken)
        },
    ),
    Call::new(
        "proc-memory",
        "open /proc/<pid>/mem",
        Landlock::Files(1),
        None,
        |t| open(&t.of_process("mem"), libc::O_RDWR),
    ),
    Call::new(
        "proc-environment",
        "open /proc/<pid>/environ",
        Landlock::Files(1),
        None,
        |t| open(&t.of_process("environ"), READ),
    ),
    Call::new(
        "proc-descriptor",
        "open /proc/<pid>/fd",
        Landlock::Files(1),
        None,
        |t| open(&t.of_process(&format!("fd/{}", t.open_file())), READ),
    ),
    Call::new(
        "proc-root",
        "open a file by /proc/<pid>/root",
        Landlock::Files(1),
        None,
        |t| {
            open(
                &t.of_process(&format!("root{}", t.path().join("proc-root").display())),
                READ,
            )
        },
    ),
    Call::new(
        "proc-cwd",
        "list /proc/<pid>/cwd",
        Landlock::Files(1),
        None,
        |t| open(&t.of_process("cwd"), READ | libc::O_DIRECTORY),
    ),
    Call::new(
        "limits",
        "set a process's limits",
        Landlock::Nothing,
        PROCESSES,
        |t| {
            let mut limits = [0; 16];
            let which = || Value(libc::RLIMIT_CORE.into());
            let get = [Value(t.process), which(), Value(0), Output(&mut limits)];
            sys::call(libc::SYS_prlimit64, get)?;
            let set = [Value(t.process), which(), Input(&limits), Value(0)];
            done(sys::call(libc::SYS_prlimit64, set))
        },
    ),
    Call::new(
        "priority",
        "set a process's priority",
        Landlock::Nothing,
        None,
        |t| {
            let process = Value(libc::PRIO_PROCESS.into());
            done(sys::call(
                libc::SYS_setpriority,
                [process, Value(t.process), Value(0)],
            ))
        },
    ),
    Call::new(
        "compare",
        "compare processes' descriptors",
        Landlock::Domain(1),
        PROCESSES,
        |t| {
            let this = Value(std::process::id().into());
            let arguments = [this, Value(t.process), Value(0), Value(0), Value(0)];
            done(sys::call(libc::SYS_kcmp, arguments))
        },
    ),
    Call::new(
        "unshare",
        "make a user namespace",
        Landlock::Nothing,
        NAMESPACES,
        |_| {
            in_a_fork(|| {
                done(sys::call(
                    libc::SYS_unshare,
                    [Value(libc::CLONE_NEWUSER.into())],
                ))
            })
        },
    ),
    Call::new(
        "clone-namespace",
        "start a process in a user namespace",
        Landlock::Nothing,
        NAMESPACES,
        |_| {
            let flags = libc::CLONE_NEWUSER | libc::SIGCHLD;
            started(sys::call(
                libc::SYS_clone,
                [Value(flags.into()), Value(0), Value(0), Value(0), Value(0)],
            ))
        },
    ),
    Call::new(
        "clone3-namespace",
        "the same by clone3",
        Landlock::Nothing,
        NAMESPACES,
        clone3,
    ),
    Call::new(
        "setns",
        "enter a namespace",
        Landlock::Nothing,
        NAMESPACES,
        |_| {
            // What it is stands behind the descriptor of a process, so that nothing has to be opened.
            let this = Value(std::process::id().into());
            let process = sys::call(libc::SYS_pidfd_open, [this, Value(0)])?;
            let entered = sys::call(
                libc::SYS_setns,
                [Value(process), Value(libc::CLONE_NEWUTS.into())],
            );
            close(Ok(process))?;
            done(entered)
        },
    )
    .only_root(),
    Call::new(
        "mount",
        "mount a file system",
        Landlock::Domain(1),
        MOUNTS,
        |t| {
            in_a_fork(|| {
                // Elsewhere, so that this machine keeps its mounts.
                let _ = sys::call(libc::SYS_unshare, [Value(libc::CLONE_NEWNS.into())]);
                let (what, to) = (c"tmpfs", t.file(""));
                done(sys::call(
                    libc::SYS_mount,
                    [Text(what), Text(&to), Text(what), Value(0), Value(0)],
                ))
            })
        },
    )
    .only_root(),
    Call::new(
        "open-tree",
        "copy a mount",
        Landlock::Nothing,
        MOUNTS,
        |t| {
            // `OPEN_TREE_CLONE`: attached nowhere, and gone with its descriptor.
            let path = t.file("");
            let here = Value(libc::AT_FDCWD.into());
            close(sys::call(
                libc::SYS_open_tree,
                [here, Text(&path), Value(1)],
            ))
        },
    )
    .only_root(),
    Call::new(
        "chroot",
        "change the root",
        Landlock::Nothing,
        MOUNTS,
        |_| done(sys::call(libc::SYS_chroot, [Text(c"/")])),
    )
    .only_root(),
];

/// The smallest program: it ends with success. An ELF file needs no other, so that no library and
/// no interpreter has to be granted.
fn program() -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    const CODE: (u16, &[u8]) = (62, &[0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05]);
    #[cfg(target_arch = "aarch64")]
    const CODE: (u16, &[u8]) = (
        183,
        &[0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4],
    );
    const START: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;

    let (machine, code) = CODE;
    let size = HEADERS + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [START + HEADERS, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    // One segment, to be loaded, readable and executable.
    for half in [1_u32, 5] {
        file.extend(half.to_le_bytes());
    }
    for word in [0, START, START, size, size, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    file
}

/// Makes the program before any restriction, beside the victim's files.
pub(super) fn make_program(directory: &std::path::Path) -> std::io::Result<()> {
    let path = directory.join("program");
    fs::write(&path, program())?;
    fs::set_permissions(&path, Permissions::from_mode(0o755))
}

fn exec(targets: &Targets) -> Attempt {
    let path = targets.file("program");
    in_a_fork(|| {
        done(sys::call(
            libc::SYS_execve,
            [Text(&path), Value(0), Value(0)],
        ))
    })
}

fn exec_memfd(_: &Targets) -> Attempt {
    let memory = sys::call(libc::SYS_memfd_create, [Text(c"program"), Value(0)])?;
    let program = program();
    let length = i64::try_from(program.len()).unwrap_or(0);
    sys::call(
        libc::SYS_write,
        [Value(memory), Input(&program), Value(length)],
    )?;
    in_a_fork(|| {
        let empty = Value(libc::AT_EMPTY_PATH.into());
        let arguments = [Value(memory), Text(c""), Value(0), Value(0), empty];
        done(sys::call(libc::SYS_execveat, arguments))
    })
}

/// Does something in a forked child, as it would change this process.
fn in_a_fork(body: impl FnOnce() -> Attempt) -> Attempt {
    succeeded(sys::fork_for_status(|| match body() {
        Ok(()) => 0,
        Err(Trouble::Refused(errno)) => errno,
        Err(Trouble::Unavailable(_)) => libc::ENOSYS,
    })?)
}

fn succeeded(ended: Ended) -> Attempt {
    match ended {
        Ended::Status(0) => Ok(()),
        Ended::Status(errno) => Err(errno.into()),
        Ended::Signal(signal) => Err(Trouble::Unavailable(format!("died of signal {signal}"))),
    }
}

/// Waits for a child that a call has started. In the child, ends it.
fn started(result: Result<i64, i32>) -> Attempt {
    let child = result?;
    if child == 0 {
        sys::end_process();
    }
    done(sys::call(
        libc::SYS_wait4,
        [Value(child), Value(0), Value(0), Value(0)],
    ))
}

fn clone3(_: &Targets) -> Attempt {
    // `struct clone_args` in `linux/sched.h`: the flags come first, the signal at the end fifth.
    let mut arguments = [0_u8; 64];
    let fields = [(0, libc::CLONE_NEWUSER), (32, libc::SIGCHLD)];
    for (at, value) in fields {
        let bytes = i64::from(value).to_ne_bytes();
        if let Some(field) = arguments.get_mut(at..at + 8) {
            field.copy_from_slice(&bytes);
        }
    }
    started(sys::call(libc::SYS_clone3, [Input(&arguments), Value(64)]))
}

fn ptrace(targets: &Targets) -> Attempt {
    // Another C library has another type for a request.
    let request = |request: i64| {
        let arguments = [Value(request), Value(targets.process), Value(0), Value(0)];
        sys::call(libc::SYS_ptrace, arguments)
    };
    request(i64::from(libc::PTRACE_ATTACH))?;
    let all = Value(libc::__WALL.into());
    sys::call(
        libc::SYS_wait4,
        [Value(targets.process), Value(0), all, Value(0)],
    )?;
    done(request(i64::from(libc::PTRACE_DETACH)))
}

/// Reads or writes a variable of the victim's.
fn memory(targets: &Targets, number: i64) -> Attempt {
    let mut value = 1_u64.to_ne_bytes();
    // `struct iovec`: where, and how long.
    let vector = |address: usize| {
        let mut vector = [0_u8; 16];
        let (where_, long) = vector.split_at_mut(8);
        where_.copy_from_slice(&address.to_ne_bytes());
        long.copy_from_slice(&8_usize.to_ne_bytes());
        vector
    };
    let here = vector(value.as_mut_ptr() as usize);
    let there = vector(std::ptr::from_ref(&MEMORY) as usize);
    let process = Value(targets.process);
    let arguments = [
        process,
        Input(&here),
        Value(1),
        Input(&there),
        Value(1),
        Value(0),
    ];
    match sys::call(number, arguments)? {
        8 => Ok(()),
        other => Err(Trouble::Unavailable(format!("{other} of 8 bytes"))),
    }
}
