//! Namespaces, mounts, and filters of system calls.

use crate::{
    containers::Profile,
    situation::{
        Sign, Situation, Start,
        User::{Ordinary, OrdinaryByRoot, Root},
    },
    wrap::{Ring, Wrap},
};

/// The listing of threads is another namespace's.
const LISTING: &[&str] = &["PID namespace", "/proc"];
/// A filter refuses Landlock's system calls.
const LANDLOCK: &[&str] = &["seccomp", "landlock_", "filters system calls"];
const CHROOT: &[&str] = &["unshare", "mount", "chroot"];

const fn refused(calls: &'static [i64], errno: i32) -> Start {
    Start::Wrapped(Wrap {
        refuse: calls,
        errno,
        ring: Ring::None,
    })
}

pub fn namespaces() -> Vec<Situation> {
    let outer = |name, user, start| {
        Situation::new(name, user)
            .start(start)
            .sign(Sign::OwnNamespace)
            .may_name(LISTING)
    };
    let own = |name, user, start| {
        Situation::new(name, user)
            .start(start)
            .sign(Sign::OwnNamespace)
    };
    let bwrap: Start = Start::By(&[
        "bwrap",
        "--unshare-pid",
        "--bind",
        "/",
        "/",
        "--dev-bind",
        "/dev",
        "/dev",
        "--",
    ]);
    let bwrap_proc: Start = Start::By(&[
        "bwrap",
        "--unshare-pid",
        "--bind",
        "/",
        "/",
        "--dev-bind",
        "/dev",
        "/dev",
        "--proc",
        "/proc",
        "--",
    ]);
    let nsenter = Start::Script(
        &["unshare", "nsenter", "sleep", "readlink"],
        // The namespace is there once its first process is. Without a word after it, the shell would become `nsenter` and
        // never come to the trap. `unshare` ignores other signals.
        "unshare -p -f --kill-child sleep 300 & other=$!
         until readlink /proc/$other/ns/pid_for_children >/dev/null &&
               [ \"$(readlink /proc/$other/ns/pid_for_children)\" != \"$(readlink /proc/self/ns/pid)\" ]
         do kill -0 $other && sleep 0.01 || exit; done
         trap \"kill -9 $other\" EXIT
         nsenter --pid=/proc/$other/ns/pid_for_children \"$@\"; exit $?",
    );
    vec![
        outer("`unshare -p -f`", Root, Start::By(&["unshare", "-p", "-f"])),
        outer(
            "`unshare -Urpf`",
            Ordinary,
            Start::By(&["unshare", "-Urpf"]),
        ),
        own(
            "`unshare -p -f --mount-proc`",
            Root,
            Start::By(&["unshare", "-p", "-f", "--mount-proc"]),
        ),
        own(
            "`unshare -Urpf --mount-proc`",
            Ordinary,
            Start::By(&["unshare", "-Urpf", "--mount-proc"]),
        ),
        outer("`nsenter -p`, with the outer `/proc`", Root, nsenter),
        outer("`bwrap --unshare-pid --bind / /`", Root, bwrap),
        outer("`bwrap --unshare-pid --bind / /`", Ordinary, bwrap),
        own("`bwrap --unshare-pid --proc /proc`", Root, bwrap_proc),
        own("`bwrap --unshare-pid --proc /proc`", Ordinary, bwrap_proc),
        outer(
            "`unshare -p` and `chroot`, with the outer `/proc` bound",
            Root,
            Start::Script(
                CHROOT,
                "exec unshare -m -p -f sh -c 'mount --rbind /proc $ROOT/proc && exec chroot $ROOT \"$@\"' sh \"$@\"",
            ),
        ),
    ]
}

pub fn mounts() -> Vec<Situation> {
    const HIDDEN: &str = "exec unshare -m sh -c 'mount -t proc -o hidepid=2 proc /proc &&
        exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"' sh \"$@\"";
    const SUBSET: &str =
        "exec unshare -m sh -c 'mount -t proc -o subset=pid proc /proc && exec \"$@\"' sh \"$@\"";
    const BOUND: &str = "exec unshare -m sh -c 'mount --rbind /proc $ROOT/proc && exec chroot $ROOT \"$@\"' sh \"$@\"";
    vec![
        Situation::new("`chroot`, with `/proc` bound", Root).start(Start::Script(CHROOT, BOUND)),
        Situation::new("`chroot`, without `/proc`", Root)
            .start(Start::Script(CHROOT, "exec chroot $ROOT \"$@\""))
            .may_name(&["/proc"]),
        Situation::new("`/proc` with `hidepid=2`", OrdinaryByRoot)
            .start(Start::Script(&["unshare", "mount", "setpriv"], HIDDEN)),
        Situation::new("`/proc` with `subset=pid`", Root)
            .start(Start::Script(&["unshare", "mount"], SUBSET)),
    ]
}

pub fn filters() -> Vec<Situation> {
    use libc::{
        ENOSYS, EPERM, SYS_clone3, SYS_landlock_add_rule, SYS_landlock_create_ruleset,
        SYS_landlock_restrict_self, SYS_openat2,
    };
    const WALK: &[&str] = &["openat2"];
    const ALL: &[i64] = &[
        SYS_landlock_create_ruleset,
        SYS_landlock_add_rule,
        SYS_landlock_restrict_self,
    ];
    let row = |name, start, causes| Situation::new(name, Root).start(start).may_name(causes);
    let container = |name, profile| row(name, Start::Container(profile), LANDLOCK);
    vec![
        container("`runc`, Docker's default profile", Profile::Docker),
        container("`runc`, Podman's default profile", Profile::Podman),
        row(
            "`clone3` answers ENOSYS",
            refused(&[SYS_clone3], ENOSYS),
            &[],
        ),
        row(
            "`openat2` answers ENOSYS",
            refused(&[SYS_openat2], ENOSYS),
            WALK,
        )
        .must_not_blame(&["permission"]),
        row(
            "`openat2` answers EPERM",
            refused(&[SYS_openat2], EPERM),
            WALK,
        )
        .must_not_blame(&["permission"]),
        row("`landlock_*` answer ENOSYS", refused(ALL, ENOSYS), LANDLOCK),
        row("`landlock_*` answer EPERM", refused(ALL, EPERM), LANDLOCK),
        row(
            "`landlock_create_ruleset` answers ENOSYS",
            refused(&[SYS_landlock_create_ruleset], ENOSYS),
            LANDLOCK,
        ),
        row(
            "`landlock_add_rule` answers ENOSYS",
            refused(&[SYS_landlock_add_rule], ENOSYS),
            LANDLOCK,
        ),
        row(
            "`landlock_restrict_self` answers ENOSYS",
            refused(&[SYS_landlock_restrict_self], ENOSYS),
            LANDLOCK,
        ),
    ]
}
