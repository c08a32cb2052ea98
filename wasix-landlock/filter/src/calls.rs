//! The system calls of each protection.

use crate::{Condition, Protection, Refusal, Rules};

/// Numbers that `libc` doesn't have for every target. From 424 on they are the same everywhere.
pub(crate) mod recent {
    pub(crate) const SETXATTRAT: i64 = 463;
    pub(crate) const REMOVEXATTRAT: i64 = 466;
    pub(crate) const OPEN_TREE_ATTR: i64 = 467;
    pub(crate) const FILE_SETATTR: i64 = 469;
    pub(crate) const FCHMODAT2: i64 = 452;
}

/// `CLONE_NEW*` in `linux/sched.h`, as far as `clone` takes them.
const NEW_NAMESPACE: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Nothing: no descriptor, no process, no flag that exists.
const NO: i64 = -1;

/// A path and attribute name that is none.
static EMPTY: &std::ffi::CStr = c"";

/// Lists system calls by the modules that have their numbers.
macro_rules! calls {
    ($($module:ident: $($number:ident)*;)*) => { &[$($($module::$number),*),*] };
}

/// Adds the rules of a protection, and returns the calls that prove them.
pub(crate) fn add(protection: Protection, rules: &mut Rules) -> Vec<Refusal> {
    for number in refused(protection).iter().chain(old(protection)) {
        rules.refuse(*number);
    }
    match protection {
        // Without a path it is about an open file, which WASI has a call for.
        Protection::Metadata => {
            rules.refuse_where(libc::SYS_utimensat, &[Condition::NotNull(1)]);
        }
        Protection::Namespaces => {
            for flag in NEW_NAMESPACE {
                let flag = flag.cast_unsigned();
                rules.refuse_where(libc::SYS_clone, &[Condition::Masked(0, flag, flag)]);
            }
            // Its flags are in memory, which a filter can't read.
            rules.hide(libc::SYS_clone3);
        }
        // Limits of oneself are what the runtime asks for.
        Protection::Processes => {
            rules.refuse_where(libc::SYS_prlimit64, &[Condition::IsNot(0, 0)]);
        }
        _ => {}
    }
    proofs(protection)
}

/// The calls that a protection refuses whatever their arguments are.
const fn refused(protection: Protection) -> &'static [i64] {
    match protection {
        Protection::Metadata => calls! {
            libc: SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat SYS_setxattr SYS_lsetxattr SYS_fsetxattr
                SYS_removexattr SYS_lremovexattr SYS_fremovexattr;
            recent: FCHMODAT2 SETXATTRAT REMOVEXATTRAT FILE_SETATTR;
        },
        Protection::IoUring => calls! {
            libc: SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register;
        },
        Protection::Exec => &[libc::SYS_execve, libc::SYS_execveat],
        Protection::Namespaces => &[libc::SYS_unshare, libc::SYS_setns],
        Protection::Mounts => calls! {
            libc: SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_open_tree SYS_move_mount SYS_fsopen
                SYS_fsconfig SYS_fsmount SYS_fspick SYS_mount_setattr;
            recent: OPEN_TREE_ATTR;
        },
        Protection::Keys => &[libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl],
        Protection::Processes => calls! {
            libc: SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_process_madvise
                SYS_process_mrelease SYS_pidfd_getfd SYS_kcmp SYS_migrate_pages SYS_move_pages;
        },
        Protection::Ipc => calls! {
            libc: SYS_shmget SYS_shmat SYS_shmctl SYS_semget SYS_semop SYS_semtimedop SYS_semctl SYS_msgget
                SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_mq_open SYS_mq_unlink SYS_mq_timedsend
                SYS_mq_timedreceive SYS_mq_notify SYS_mq_getsetattr;
        },
        Protection::FileHandles => &[libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at],
        Protection::KernelInterfaces => calls! {
            libc: SYS_bpf SYS_perf_event_open SYS_userfaultfd SYS_fanotify_init SYS_fanotify_mark
                SYS_kexec_load SYS_kexec_file_load SYS_init_module SYS_finit_module SYS_delete_module SYS_acct
                SYS_swapon SYS_swapoff SYS_reboot SYS_quotactl SYS_quotactl_fd SYS_sethostname
                SYS_setdomainname SYS_settimeofday SYS_clock_settime SYS_clock_adjtime SYS_adjtimex
                SYS_syslog SYS_vhangup;
        },
        _ => &[],
    }
}

/// As [`refused`], the calls that newer architectures don't have.
const fn old(protection: Protection) -> &'static [i64] {
    match protection {
        #[cfg(target_arch = "x86_64")]
        Protection::Metadata => calls! {
            libc: SYS_chmod SYS_chown SYS_lchown SYS_utime SYS_utimes SYS_futimesat;
        },
        #[cfg(target_arch = "x86_64")]
        Protection::KernelInterfaces => calls! { libc: SYS_iopl SYS_ioperm SYS_modify_ldt; },
        _ => &[],
    }
}

/// The calls that prove a protection, with arguments that name nothing.
fn proofs(protection: Protection) -> Vec<Refusal> {
    let name = EMPTY.as_ptr() as i64;
    let proof = |name, number, arguments| Refusal::new(protection, name, number, arguments);
    match protection {
        Protection::Metadata => vec![
            proof("fchmod", libc::SYS_fchmod, [NO, 0, 0, 0, 0]),
            proof("fchownat", libc::SYS_fchownat, [NO, name, NO, NO, 0]),
            proof("utimensat", libc::SYS_utimensat, [NO, name, 0, 0, 0]),
            proof("fsetxattr", libc::SYS_fsetxattr, [NO, name, name, 0, 0]),
        ],
        Protection::IoUring => vec![proof(
            "io_uring_enter",
            libc::SYS_io_uring_enter,
            [NO, 0, 0, 0, 0],
        )],
        Protection::Exec => vec![proof("execveat", libc::SYS_execveat, [NO, name, 0, 0, 0])],
        Protection::Namespaces => vec![proof("setns", libc::SYS_setns, [NO, 0, 0, 0, 0])],
        Protection::Mounts => vec![proof("umount2", libc::SYS_umount2, [name, NO, 0, 0, 0])],
        Protection::Keys => vec![proof("keyctl", libc::SYS_keyctl, [NO, 0, 0, 0, 0])],
        Protection::Processes => vec![proof(
            "pidfd_getfd",
            libc::SYS_pidfd_getfd,
            [NO, NO, 0, 0, 0],
        )],
        Protection::Ipc => vec![proof("shmctl", libc::SYS_shmctl, [NO, NO, 0, 0, 0])],
        Protection::FileHandles => vec![proof(
            "name_to_handle_at",
            libc::SYS_name_to_handle_at,
            [NO, name, 0, 0, NO],
        )],
        Protection::KernelInterfaces => vec![proof(
            "userfaultfd",
            libc::SYS_userfaultfd,
            [NO, 0, 0, 0, 0],
        )],
        _ => Vec::new(),
    }
}
