//! The system calls of each protection.

use super::{Condition, Refusal, Rules};
use crate::Protection;

/// Numbers that `libc` doesn't have for every target. From 424 on they are the same everywhere.
pub(super) mod recent {
    pub(super) const SETXATTRAT: i64 = 463;
    pub(super) const REMOVEXATTRAT: i64 = 466;
    pub(super) const OPEN_TREE_ATTR: i64 = 467;
    pub(in super::super) const FILE_SETATTR: i64 = 469;
    pub(super) const FCHMODAT2: i64 = 452;
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

/// Adds the rules of a protection, and returns the calls that prove them.
pub(super) fn add(protection: Protection, rules: &mut Rules) -> Vec<Refusal> {
    for number in refused(protection) {
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
        }
        // Limits of oneself are what the runtime asks for.
        Protection::Processes => {
            rules.refuse_where(libc::SYS_prlimit64, &[Condition::IsNot(0, 0)]);
        }
        _ => {}
    }
    let refusals = proofs(protection).into_iter();
    let refusals =
        refusals.map(|(name, number, arguments)| Refusal::new(protection, name, number, arguments));
    refusals.collect()
}

/// The calls that a protection refuses whatever their arguments are.
const fn refused(protection: Protection) -> &'static [i64] {
    match protection {
        Protection::Metadata => METADATA,
        Protection::IoUring => &[
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
        ],
        Protection::Exec => &[libc::SYS_execve, libc::SYS_execveat],
        Protection::Namespaces => &[libc::SYS_unshare, libc::SYS_setns],
        Protection::Mounts => MOUNTS,
        Protection::Keys => &[libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl],
        Protection::Processes => PROCESSES,
        Protection::Ipc => IPC,
        Protection::FileHandles => &[libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at],
        Protection::KernelInterfaces => KERNEL_INTERFACES,
        _ => &[],
    }
}

/// The calls that prove a protection: name, number and arguments that name nothing.
fn proofs(protection: Protection) -> Vec<(&'static str, i64, [i64; 5])> {
    let name = EMPTY.as_ptr() as i64;
    match protection {
        Protection::Metadata => vec![
            ("fchmod", libc::SYS_fchmod, [NO, 0, 0, 0, 0]),
            ("fchownat", libc::SYS_fchownat, [NO, name, NO, NO, 0]),
            ("utimensat", libc::SYS_utimensat, [NO, name, 0, 0, 0]),
            ("fsetxattr", libc::SYS_fsetxattr, [NO, name, name, 0, 0]),
        ],
        Protection::IoUring => vec![("io_uring_enter", libc::SYS_io_uring_enter, [NO, 0, 0, 0, 0])],
        Protection::Exec => vec![("execveat", libc::SYS_execveat, [NO, name, 0, 0, 0])],
        Protection::Namespaces => vec![("setns", libc::SYS_setns, [NO, 0, 0, 0, 0])],
        Protection::Mounts => vec![("umount2", libc::SYS_umount2, [name, NO, 0, 0, 0])],
        Protection::Keys => vec![("keyctl", libc::SYS_keyctl, [NO, 0, 0, 0, 0])],
        Protection::Processes => {
            vec![("pidfd_getfd", libc::SYS_pidfd_getfd, [NO, NO, 0, 0, 0])]
        }
        Protection::Ipc => vec![("shmctl", libc::SYS_shmctl, [NO, NO, 0, 0, 0])],
        Protection::FileHandles => {
            let arguments = [NO, name, 0, 0, NO];
            vec![("name_to_handle_at", libc::SYS_name_to_handle_at, arguments)]
        }
        Protection::KernelInterfaces => {
            vec![("userfaultfd", libc::SYS_userfaultfd, [NO, 0, 0, 0, 0])]
        }
        _ => Vec::new(),
    }
}

const METADATA: &[i64] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    recent::FCHMODAT2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    recent::SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    recent::REMOVEXATTRAT,
    recent::FILE_SETATTR,
];

const MOUNTS: &[i64] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    recent::OPEN_TREE_ATTR,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
];

const PROCESSES: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

const IPC: &[i64] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_mq_timedsend,
    libc::SYS_mq_timedreceive,
    libc::SYS_mq_notify,
    libc::SYS_mq_getsetattr,
];

const KERNEL_INTERFACES: &[i64] = &[
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_vhangup,
];
