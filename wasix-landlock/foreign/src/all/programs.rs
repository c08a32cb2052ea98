//! Programs that do more than start threads.

use wasix_landlock_foreign::With;

use crate::{
    builds::Build,
    situation::{
        Sign, Situation, Start,
        User::{Ordinary, OrdinaryByRoot, Root},
    },
    wrap::{Ring, Wrap},
};

const RING: &[&str] = &["io_uring"];

pub fn programs() -> Vec<Situation> {
    const NUMBER: &[&str] = &["descriptor", "Too many open files"];
    let few = |user| {
        Situation::new("16 descriptors, of which 0 to 9 are free", user)
            .threads(1)
            .with(With::FreeDescriptors)
            .times(10)
            .may_name(NUMBER)
            .must_not_blame(&["lacks", "truncate"])
            .refused_before()
    };
    vec![
        few(Root),
        few(Ordinary),
        Situation::new(
            "set-user-ID, `WASIX_LANDLOCK=off` from the caller",
            OrdinaryByRoot,
        )
        .start(Start::SetUserId)
        .sign(Sign::TwoUsers),
        Situation::new("a daemon whose parent ends meanwhile, 30 times", Root)
            .with(|repetition| With::Daemon(150 * repetition))
            .times(30),
        Situation::new(
            "a hardened daemon whose parent ends meanwhile, 30 times",
            Root,
        )
        .with(|repetition| With::Daemon(150 * repetition))
        .harden()
        .times(30),
    ]
}

pub fn threads() -> Vec<Situation> {
    let row = |name, user| Situation::new(name, user).refused_before();
    vec![
        row("a thread that blocks all signals", Root)
            .with(|_| With::ThreadThatBlocksSignals)
            .sign(Sign::Task("deaf"))
            .may_name(&["`deaf`"]),
        row("a thread that blocks all signals", Ordinary)
            .with(|_| With::ThreadThatBlocksSignals)
            .sign(Sign::Task("deaf"))
            .may_name(&["`deaf`"]),
        row("a thread that blocks even the C library's signals", Root)
            .with(|_| With::ThreadThatBlocksEverySignal)
            .sign(Sign::Task("deaf"))
            .may_name(&["`deaf`"]),
        row(
            "a static build with musl, a thread that blocks all signals",
            Root,
        )
        .build(Build::Musl)
        .with(|_| With::ThreadThatBlocksSignals)
        .sign(Sign::Task("deaf"))
        .may_name(&["`deaf`"]),
        row("a thread that sets the group meanwhile, 30 times", Root)
            .with(|_| With::ThreadThatSetsTheGroup)
            .times(30),
        row("a thread that takes `SIGRTMAX` by `sigwait`", Root)
            .with(|_| With::ThreadThatTakesASignal)
            .sign(Sign::Task("sigwait")),
        row(
            "a thread that takes all signals by `sigwait`, which all block",
            Root,
        )
        .with(|_| With::ThreadThatTakesAllSignals)
        .sign(Sign::Task("sigwait"))
        .may_name(&["block"]),
        row("a thread that waits for its `vfork` child", Root)
            .with(|_| With::ThreadInVfork)
            .sign(Sign::Task("deaf"))
            .may_name(&["`deaf`"]),
        row("glibc's helper thread of a `SIGEV_THREAD` timer", Root)
            .with(|_| With::HelperTimer)
            .may_name(&["block"]),
        row("jemalloc's background thread", Root)
            .build(Build::Jemalloc)
            .sign(Sign::Task("jemalloc_bg"))
            .may_name(&["`jemalloc_bg"]),
    ]
}

pub fn rings() -> Vec<Situation> {
    // The program that passes it on says where it is.
    const PASSED: With = With::InheritedRing((0, false, [[0; 10]; 2]), 0);
    let inherited = Start::Wrapped(Wrap {
        refuse: &[],
        errno: 0,
        ring: Ring::Inherited,
    });
    let parents = Start::Wrapped(Wrap {
        refuse: &[],
        errno: 0,
        ring: Ring::PolledByParent,
    });
    const PARENTS: With = With::ParentsRing((0, true, [[0; 10]; 2]), [0; 2]);
    let row = |name, user| Situation::new(name, user).may_name(RING).refused_before();
    vec![
        row("an io_uring with a kernel thread that polls it", Root)
            .with(|_| With::PolledRing)
            .sign(Sign::Task("iou-sqp")),
        row("an io_uring with a kernel thread that polls it", Ordinary)
            .with(|_| With::PolledRing)
            .sign(Sign::Task("iou-sqp")),
        row("an inherited io_uring with a personality", Root)
            .start(inherited)
            .with(|_| PASSED),
        row("an inherited io_uring with a personality", Ordinary)
            .start(inherited)
            .with(|_| PASSED),
        row("an io_uring of the parent's, with a kernel thread", Root)
            .start(parents)
            .with(|_| PARENTS),
        row("an inherited io_uring, `Inherited::Refuse`", Root)
            .start(inherited)
            .with(|_| PASSED)
            .refuse(),
        row("an io_uring of the parent's, `Inherited::Refuse`", Root)
            .start(parents)
            .with(|_| PARENTS)
            .refuse(),
        row("nothing open but pipes, `Inherited::Refuse`", Root)
            .refuse()
            .may_name(&[]),
    ]
}
