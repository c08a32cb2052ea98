//! The threads of one round, as the signal handler finds them.

use std::{
    cell::UnsafeCell,
    collections::HashSet,
    hint, ptr,
    sync::{
        Arc,
        atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::Timespec,
    thread::futex::{self, Flags},
};

use wasix_landlock_filter::{Refusal, first_not_refused};

use super::{Domain, Name, Probe, current_thread, has_no_new_privileges, set_no_new_privileges};

/// The round that is under way; null outside of one. A handler that runs late finds nothing to do.
static PUBLISHED: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());
/// Handlers that may be holding what [`PUBLISHED`] pointed to.
static IN_HANDLER: AtomicUsize = AtomicUsize::new(0);

/// The time for which to wait for handlers that are under way when a round is withdrawn. They have a handful
/// of system calls to make.
const WITHDRAWAL: Duration = Duration::from_secs(1);

/// The number of times that a wait lets other threads run before it sleeps.
const YIELDS: usize = 16;

/// The task of each thread, and the slot of each thread that is to do it.
#[derive(Debug)]
pub(crate) struct Table {
    /// Sorted by thread.
    slots: Box<[Slot]>,
    /// Slots that are neither done nor given up.
    remaining: AtomicU32,
    /// [`COMPLETE`] once there is none, and the futex that the sweep waits on. The count itself would
    /// end each wait that begins while a thread answers.
    complete: AtomicU32,
    /// The domain to restrict the thread with; `None` to only try.
    domain: Option<Domain>,
    probe: Arc<Probe>,
}

#[derive(Debug)]
struct Slot {
    tid: i32,
    state: AtomicU32,
    /// True if the probe is known to be allowed before the restriction.
    allowed: bool,
    /// The results. Written by the handler between [`CLAIMED`] and [`DONE`], and read after that.
    visit: UnsafeCell<Option<Visit>>,
}

// SAFETY: one handler writes the cell, whoever has changed the state from `PENDING` to `CLAIMED`, and
// the others read it once the state is `DONE`, which is set after that with sequential consistency.
unsafe impl Sync for Slot {}

/// The value of [`Table::complete`] while threads remain, and afterwards.
const INCOMPLETE: u32 = 0;
const COMPLETE: u32 = 1;

const PENDING: u32 = 0;
const CLAIMED: u32 = 1;
const DONE: u32 = 2;
pub(crate) const GONE: u32 = 3;
pub(crate) const ABANDONED: u32 = 4;

/// The progress of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The signal wasn't handled yet.
    Pending,
    /// The handler is at work.
    Claimed,
    /// The handler has finished.
    Done(Visit),
    /// The thread ended.
    Gone,
    /// The sweep gave up on the thread.
    Abandoned,
}

/// The results of the handler in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    /// The thread's name; empty where the visit was to restrict the thread.
    pub(crate) name: Name,
    /// True if the thread had `PR_SET_NO_NEW_PRIVS`; not asked where the visit sets it.
    pub(crate) no_new_privileges: bool,
    /// The probe before the restriction; `Ok` where there is none to come.
    pub(crate) before: Result<(), i32>,
    /// The restriction.
    pub(crate) restricted: Result<(), (Call, i32)>,
    /// The probe after the restriction.
    pub(crate) after: Result<(), i32>,
    /// The call that the second layer should refuse and doesn't.
    pub(crate) not_refused: Option<&'static Refusal>,
}

impl Visit {
    /// Restricts the calling thread with the domain, if there is one, and proves it. Where the probe is
    /// known to be `allowed`, it is left out before the restriction. Async-signal-safe: system calls
    /// only.
    pub(crate) fn of_this_thread(domain: Option<Domain>, probe: &Probe, allowed: bool) -> Self {
        let (mut before, mut restricted) = (Ok(()), Ok(()));
        let (mut name, mut no_new_privileges) = (Name::default(), false);
        if let Some(domain) = domain {
            if !allowed {
                before = probe.run();
            }
            restricted = match set_no_new_privileges() {
                Ok(()) => domain
                    .restrict_self()
                    .map_err(|errno| (Call::RestrictSelf, errno)),
                Err(errno) => Err((Call::NoNewPrivileges, errno)),
            };
        } else {
            name = Name::of_this_thread();
            no_new_privileges = has_no_new_privileges();
        }
        Self {
            name,
            no_new_privileges,
            before,
            restricted,
            after: probe.run(),
            not_refused: first_not_refused(),
        }
    }
}

/// A call that the handler makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    NoNewPrivileges,
    RestrictSelf,
}

impl Table {
    /// Visits the calling thread, if the table lists it. Async-signal-safe: atomics and system
    /// calls only.
    fn visit(&self) {
        let tid = current_thread();
        let Ok(index) = self.slots.binary_search_by_key(&tid, |slot| slot.tid) else {
            return;
        };
        let Some(slot) = self.slots.get(index) else {
            return;
        };
        if !slot.change(PENDING, CLAIMED) {
            return;
        }
        let visit = Visit::of_this_thread(self.domain, &self.probe, slot.allowed);
        // SAFETY: this handler has claimed the slot, so that nobody else reads or writes the cell.
        unsafe { *slot.visit.get() = Some(visit) };
        slot.state.store(DONE, Ordering::SeqCst);
        self.count_down();
    }

    /// Counts a slot that is done or given up, and wakes the sweep when it was the last.
    fn count_down(&self) {
        if self.remaining.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.complete.store(COMPLETE, Ordering::SeqCst);
            // Nobody may be waiting any more.
            let _ = futex::wake(&self.complete, Flags::PRIVATE, i32::MAX.cast_unsigned());
        }
    }

    /// Returns each thread with its progress, in order.
    pub(crate) fn states(&self) -> impl Iterator<Item = (i32, State)> {
        self.slots.iter().map(|slot| (slot.tid, slot.read()))
    }

    /// The number of threads that are neither done nor given up.
    pub(crate) fn remaining(&self) -> u32 {
        self.remaining.load(Ordering::SeqCst)
    }

    /// True if every thread is done or given up.
    pub(crate) fn is_complete(&self) -> bool {
        self.remaining() == 0
    }

    /// Gives up on every thread whose handler hasn't started. One that has started may finish.
    pub(crate) fn abandon(&self) {
        for slot in &self.slots {
            self.give_up(slot.tid, ABANDONED);
        }
        let until = Instant::now() + WITHDRAWAL;
        while !self.is_complete() && Instant::now() < until {
            thread::yield_now();
        }
    }

    /// Gives up on a thread, unless its handler has started: as [`ABANDONED`], or as [`GONE`] if it has ended.
    pub(crate) fn give_up(&self, tid: i32, state: u32) {
        if let Some(slot) = self.slots.iter().find(|slot| slot.tid == tid)
            && slot.change(PENDING, state)
        {
            self.count_down();
        }
    }

    /// Waits until every thread is done or given up, or the time is over.
    pub(crate) fn wait(&self, time: Duration) {
        if self.is_complete() {
            return;
        }
        // A few threads are done sooner than this one would have slept and been woken.
        for _ in 0..YIELDS {
            thread::yield_now();
            if self.is_complete() {
                return;
            }
        }
        let timeout = Timespec::try_from(time).unwrap_or_default();
        // A signal may make this return early: the caller looks again.
        let _ = futex::wait(&self.complete, Flags::PRIVATE, INCOMPLETE, Some(&timeout));
    }
}

impl Slot {
    fn new(tid: i32, allowed: bool) -> Self {
        Self {
            tid,
            allowed,
            state: AtomicU32::new(PENDING),
            visit: UnsafeCell::new(None),
        }
    }

    fn change(&self, from: u32, to: u32) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    fn read(&self) -> State {
        match self.state.load(Ordering::SeqCst) {
            PENDING => State::Pending,
            CLAIMED => State::Claimed,
            GONE => State::Gone,
            // SAFETY: the slot is done, so that nobody writes the cell any more.
            DONE => unsafe { *self.visit.get() }.map_or(State::Claimed, State::Done),
            _ => State::Abandoned,
        }
    }
}

/// A round under way: the table is where the handler finds it until this is dropped.
///
/// The caller sees to it that there is one at a time.
#[derive(Debug)]
pub(crate) struct Round(*mut Table);

impl Round {
    /// Puts these threads where the handler finds them. In those that are `allowed` the
    /// probe, it is left out before the restriction.
    pub(crate) fn publish(
        mut threads: Vec<i32>,
        allowed: &HashSet<i32>,
        domain: Option<Domain>,
        probe: Arc<Probe>,
    ) -> Self {
        threads.sort_unstable();
        let table = Box::into_raw(Box::new(Table {
            remaining: AtomicU32::new(u32::try_from(threads.len()).unwrap_or(u32::MAX)),
            complete: AtomicU32::new(INCOMPLETE),
            slots: threads
                .into_iter()
                .map(|tid| Slot::new(tid, allowed.contains(&tid)))
                .collect(),
            domain,
            probe,
        }));
        PUBLISHED.store(table, Ordering::SeqCst);
        Self(table)
    }

    pub(crate) fn table(&self) -> &Table {
        // SAFETY: made by `Box::into_raw` in `publish` and freed in `drop` only. Handlers hold
        // nothing but shared references, too.
        unsafe { &*self.0 }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        PUBLISHED.store(ptr::null_mut(), Ordering::SeqCst);
        // A handler counts itself in before it reads the pointer. All of this is sequentially
        // consistent, so a count of zero seen after the store above means that no handler has the
        // pointer or can get it any more.
        let until = Instant::now() + WITHDRAWAL;
        while IN_HANDLER.load(Ordering::SeqCst) != 0 {
            if Instant::now() >= until {
                // Leaking a few kilobytes is better than freeing them under a handler.
                return;
            }
            hint::spin_loop();
            thread::yield_now();
        }
        // SAFETY: made by `Box::into_raw` in `publish`, and no handler holds it, see above.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// The signal handler's work, errno aside. Async-signal-safe.
pub(super) fn visit_published() {
    IN_HANDLER.fetch_add(1, Ordering::SeqCst);
    let table = PUBLISHED.load(Ordering::SeqCst);
    if !table.is_null() {
        // SAFETY: `Round::drop` frees it only after this handler has counted itself out.
        unsafe { &*table }.visit();
    }
    IN_HANDLER.fetch_sub(1, Ordering::SeqCst);
}
