//! Many fresh processes with changing threads: each ends, and in none is a thread left out.
//!
//! ```text
//! WASIX_LANDLOCK_STRESS=10000 cargo test --release -p wasix-landlock --test landlock stress -- --nocapture
//! ```

use std::{
    env,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use wasix_landlock::{Access, EnforceError, Error, ThreadError, current};
use wasix_landlock_testing::{alone, ask, limits, note, run, threads};

use crate::{
    common::{Tree, directory, policy},
    crew::{Crew, Wait, check},
};

/// The number of processes; 100 unless given.
const COUNT_VARIABLE: &str = "WASIX_LANDLOCK_STRESS";

#[test]
fn each_thread_of_each_fresh_process_is_restricted_or_named() {
    let count: u64 = env::var(COUNT_VARIABLE).map_or(100, |count| count.parse().unwrap());
    let name = "stress::each_thread_of_each_fresh_process_is_restricted_or_named";
    let timeout =
        Duration::from_secs(60) + Duration::from_millis(400) * u32::try_from(count).unwrap();
    let begun = Instant::now();
    run(name, timeout, || {
        // Skips here rather than in each of them.
        drop(policy());
        let tree = Arc::new(Tree::new());
        for number in 0..count {
            alone(|| {
                // A process that hangs dies of SIGALRM, which fails the test.
                limits::lifetime(60);
                if number % 50 == 49 {
                    with_a_deaf_thread(&tree);
                } else {
                    restrict(&tree, number);
                }
            });
        }
    })
    .unwrap();
    note(&format!("{count} processes in {:.1?}", begun.elapsed()));
}

/// Restricts a process with a mixture of threads that the number chooses, and has each thread ask.
fn restrict(tree: &Arc<Tree>, number: u64) {
    let mut random = number;
    let mut next = |below: u64| {
        // A linear congruential generator, Knuth's constants: a failure can be repeated.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let count = if number.is_multiple_of(100) {
        200
    } else {
        next(33)
    };
    let mut waits: Vec<Wait> = (0..count)
        .map(|_| match next(3) {
            0 => Wait::Park,
            1 => Wait::Read,
            _ => Wait::Epoll,
        })
        .collect();
    // Few of these, which keep a core busy each.
    waits.extend((next(4) == 0).then_some(Wait::Spin));
    waits.extend((0..next(3)).map(|_| Wait::Churn));
    let crew = Crew::start(waits.clone(), tree);
    let report = policy()
        .preopen(directory(tree.granted(), Access::READ))
        .enforce()
        .unwrap_or_else(|error| panic!("process {number}, {waits:?}: {error}"));
    let swept = report.threads.as_ref().unwrap();
    assert!(
        swept.proved + swept.inherited > waits.len(),
        "process {number}: {report}"
    );
    assert_eq!(swept.unreached, 0, "process {number}: {report}");
    crew.check();
    let born_later = Arc::clone(tree);
    thread::spawn(move || check(&born_later)).join().unwrap();
    check(tree);
}

/// The other outcome: an error that says which thread.
fn with_a_deaf_thread(tree: &Arc<Tree>) {
    let crew = Crew::start([Wait::Park; 4], tree);
    let (ready, is_ready) = mpsc::channel();
    let (stop, stops) = mpsc::channel::<()>();
    let deaf = thread::spawn(move || {
        threads::block_even_the_librarys_signals();
        ready.send(()).unwrap();
        assert!(stops.recv().is_err());
    });
    is_ready.recv().unwrap();
    let error = policy()
        .preopen(directory(tree.granted(), Access::READ))
        .deadline(Duration::from_millis(300))
        .enforce()
        .unwrap_err();
    let Error::Enforce(EnforceError::Thread {
        tid,
        problem: ThreadError::Unreachable { .. },
        restricted: 0,
    }) = error
    else {
        panic!("{error}");
    };
    assert!(threads::all().contains(&tid), "{tid}");
    assert!(current().is_none());
    assert_eq!(ask::open_read("/"), Ok(()), "this thread comes last");
    drop(stop);
    deaf.join().unwrap();
    // The others are restricted or not; it is the process that can't go on.
    drop(crew);
}
