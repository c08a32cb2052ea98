//! Keys, shared memory, and the kernel's own interfaces.

use super::{
    Attempt, Call, Landlock, Targets,
    files::{close, done},
};
use crate::sys::{
    self,
    Argument::{Input, Output, Text, Value},
};

const KERNEL: Option<&str> = Some("kernel-interfaces");

pub(super) const CALLS: &[Call] = &[
    Call::new(
        "add-key",
        "add a key to a ring",
        Landlock::Nothing,
        Some("keys"),
        |_| {
            // `KEY_SPEC_PROCESS_KEYRING`, which ends with the process.
            let arguments = [
                Text(c"user"),
                Text(c"taken"),
                Input(b"x"),
                Value(1),
                Value(-2),
            ];
            done(sys::call(libc::SYS_add_key, arguments))
        },
    ),
    Call::new(
        "keyctl",
        "ask for a key ring",
        Landlock::Nothing,
        Some("keys"),
        |_| {
            // `KEYCTL_GET_KEYRING_ID` of the process's, to be made if it isn't there.
            done(sys::call(libc::SYS_keyctl, [Value(0), Value(-2), Value(1)]))
        },
    ),
    Call::new(
        "shared-memory",
        "make System V shared memory",
        Landlock::Nothing,
        Some("ipc"),
        shared_memory,
    ),
    Call::new(
        "message-queue",
        "make a POSIX message queue",
        Landlock::Files(1),
        Some("ipc"),
        message_queue,
    ),
    Call::new("bpf", "make a bpf map", Landlock::Nothing, KERNEL, |_| {
        // `union bpf_attr`: an array with keys and values of four bytes, and one entry.
        let mut attribute = [0_u8; 128];
        for (field, value) in attribute.chunks_exact_mut(4).zip([2_u32, 4, 4, 1]) {
            field.copy_from_slice(&value.to_ne_bytes());
        }
        close(sys::call(
            libc::SYS_bpf,
            [Value(0), Input(&attribute), Value(128)],
        ))
    })
    .only_root(),
    Call::new(
        "userfaultfd",
        "handle page faults",
        Landlock::Nothing,
        KERNEL,
        |_| {
            // `UFFD_USER_MODE_ONLY`.
            close(sys::call(libc::SYS_userfaultfd, [Value(1)]))
        },
    ),
    Call::new(
        "perf",
        "count events of this process",
        Landlock::Nothing,
        KERNEL,
        |_| {
            // `struct perf_event_attr`: the task's clock, of user mode alone.
            let mut attribute = [0_u8; 128];
            for (at, value) in [(0, 1_u64 | 128 << 32), (8, 1), (40, 1 << 5 | 1 << 6)] {
                if let Some(field) = attribute.get_mut(at..at + 8) {
                    field.copy_from_slice(&u64::to_ne_bytes(value));
                }
            }
            let arguments = [Input(&attribute), Value(0), Value(-1), Value(-1), Value(0)];
            close(sys::call(libc::SYS_perf_event_open, arguments))
        },
    ),
    Call::new(
        "fanotify",
        "watch files by fanotify",
        Landlock::Nothing,
        KERNEL,
        |_| close(sys::call(libc::SYS_fanotify_init, [Value(0), Value(0)])),
    )
    .only_root(),
    Call::new(
        "host-name",
        "set the host's name",
        Landlock::Nothing,
        KERNEL,
        host_name,
    )
    .only_root(),
    Call::new(
        "kernel-log",
        "read the kernel's log",
        Landlock::Nothing,
        KERNEL,
        |_| {
            let mut text = [0; 64];
            done(sys::call(
                libc::SYS_syslog,
                [Value(3), Output(&mut text), Value(64)],
            ))
        },
    )
    .only_root(),
    Call::new(
        "type-into-terminal",
        "type into a terminal",
        Landlock::Nothing,
        Some("terminal-input"),
        |t| {
            // `TIOCSTI`. Without privileges, it takes a terminal that controls the process.
            done(sys::call(
                libc::SYS_ioctl,
                [Value(t.terminal()), Value(0x5412), Input(b"x")],
            ))
        },
    )
    .also("ioctl")
    .only_root(),
];

fn shared_memory(_: &Targets) -> Attempt {
    let private = Value(libc::IPC_PRIVATE.into());
    let memory = sys::call(libc::SYS_shmget, [private, Value(4096), Value(0o600)])?;
    let remove = Value(libc::IPC_RMID.into());
    done(sys::call(
        libc::SYS_shmctl,
        [Value(memory), remove, Value(0)],
    ))
}

fn message_queue(_: &Targets) -> Attempt {
    let name = std::ffi::CString::new(format!("taken-{}", std::process::id())).unwrap_or_default();
    let flags = Value((libc::O_CREAT | libc::O_EXCL | libc::O_RDWR).into());
    let opened = sys::call(
        libc::SYS_mq_open,
        [Text(&name), flags, Value(0o600), Value(0)],
    );
    // Landlock denies opening it when it has been made already, so that it would stay behind.
    let _ = sys::call(libc::SYS_mq_unlink, [Text(&name)]);
    close(opened)
}

/// Sets the name that it has.
fn host_name(_: &Targets) -> Attempt {
    let mut names = [0_u8; 390];
    sys::call(libc::SYS_uname, [Output(&mut names)])?;
    // `struct new_utsname`: six names of 65 bytes each, the host's second.
    let name = names.get(65..130).unwrap_or_default();
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    let length = Value(i64::try_from(length).unwrap_or(0));
    done(sys::call(libc::SYS_sethostname, [Input(name), length]))
}
