//! Limits of a worker beyond its policy: resource limits, an end with its parent, and a filter of its own.
//!
//! The filter refuses calls that a worker never makes, and calls that would undo the other limits:
//!
//! - starting a process. It would outlive the worker, and `RLIMIT_NPROC` is no bound for that: it counts all that the
//!   user runs, and nothing for root. Threads can be started; they end with the process;
//! - setting limits, so that root can't lift them, and priorities, which others of the user have as well;
//! - having no signal at the parent's end, by itself or by changing users, and core dumps.

use anyhow::{Context, ensure};
use nix::{
    libc,
    sys::{
        prctl::{set_dumpable, set_pdeathsig},
        resource::{Resource, setrlimit},
        signal::Signal,
    },
};
use wasix_landlock_filter::{Condition, Filter, Rules};

use crate::request::ResourceLimits;

/// Has the kernel kill this process when the thread that started it ends, whatever runs in here.
pub(super) fn die_with_parent() -> anyhow::Result<()> {
    set_pdeathsig(Signal::SIGKILL)
        .context("the kernel can't be asked to end this process with its parent (PR_SET_PDEATHSIG)")
}

/// Checks that it is the host whose end this process doesn't outlive. The host may have ended before
/// [`die_with_parent`], and another process be the parent after that.
pub(super) fn check_parent(host: u32, parent: u32) -> anyhow::Result<()> {
    ensure!(
        parent == host,
        "process {host} asked for this worker, and its parent is process {parent}: either the host has ended, or a \
         program in between started the worker. Such a program has to execute the worker in its own place"
    );
    Ok(())
}

pub(super) fn limit(limits: &ResourceLimits) -> anyhow::Result<()> {
    let set = |resource, most: u64, what: &str| {
        setrlimit(resource, most, most).with_context(|| format!("{what} can't be limited"))
    };
    set(Resource::RLIMIT_CORE, 0, "core dumps")?;
    if let Some(memory) = limits.memory {
        set(Resource::RLIMIT_DATA, memory, "the memory")?;
    }
    if let Some(size) = limits.file_size {
        set(Resource::RLIMIT_FSIZE, size, "the size of files")?;
    }
    if let Some(tasks) = limits.tasks {
        set(Resource::RLIMIT_NPROC, tasks, "the number of tasks")?;
    }
    Ok(())
}

/// A file that has reached its size is an error for the module that writes to it, not the end of the process. To be
/// called within a tokio runtime.
pub(super) fn survive_large_files() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    // The handler stays when this is dropped.
    signal(SignalKind::from_raw(libc::SIGXFSZ))
        .map(drop)
        .context("SIGXFSZ can't be handled")
}

/// Keeps this process's memory from being dumped, also to a program that the kernel pipes it to, and from being read
/// in `/proc` by others of the same user. `/proc` itself was read before.
pub(super) fn hide_memory() -> anyhow::Result<()> {
    set_dumpable(false).context("core dumps can't be turned off")
}

/// Puts every thread under the filter.
pub(super) fn filter() -> anyhow::Result<()> {
    let mut rules = Rules::default();
    for number in PROCESSES.iter().chain(LIMITS).chain(USERS) {
        rules.refuse(*number);
    }
    // The C library takes this answer for an older kernel's, and starts threads by `clone`, whose flags a filter can
    // see.
    rules.hide(libc::SYS_clone3);
    let thread = libc::CLONE_THREAD.unsigned_abs();
    rules.refuse_where(libc::SYS_clone, &[Condition::Masked(0, thread, 0)]);
    rules.refuse_where(libc::SYS_prlimit64, &[Condition::NotNull(2)]);
    for option in [libc::PR_SET_PDEATHSIG, libc::PR_SET_DUMPABLE] {
        let option = option.unsigned_abs();
        rules.refuse_where(libc::SYS_prctl, &[Condition::Is(0, option)]);
    }
    let filter = Filter::of(rules).map_err(anyhow::Error::msg);
    filter
        .and_then(|filter| Ok(filter.install()?))
        .context("the worker's own filter can't be installed")
}

/// The calls that start a process without saying how; `clone` says so.
#[cfg(target_arch = "x86_64")]
const PROCESSES: &[i64] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const PROCESSES: &[i64] = &[];

const LIMITS: &[i64] = &[
    libc::SYS_setrlimit,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
];

/// The calls that change the user or the group, which makes the kernel forget the signal at the parent's end.
const USERS: &[i64] = &[
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
];
