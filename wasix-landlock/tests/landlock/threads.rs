//! Every thread is restricted, whatever it is doing, and says so itself.

use std::{
    io::{Read, Write},
    panic,
    path::Path,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use wasix_landlock::{
    Access, EnforceError, Error, Mode, Protection, ProtectionStatus, Report, SweepMethod,
    ThreadError,
};
use wasix_landlock_testing::{alone, ask, isolated, limits, threads};

use crate::{
    common::{DENIED, Tree, directory, file, policy},
    crew::{Crew, Wait, check},
};

/// Enforces a policy that grants reading in the tree.
fn enforce(tree: &Tree) -> Arc<Report> {
    policy()
        .preopen(directory(tree.granted(), Access::READ))
        .enforce()
        .unwrap()
}

fn parked(count: usize) {
    let tree = Arc::new(Tree::new());
    let crew = Crew::start(vec![Wait::Park; count], &tree);
    let report = enforce(&tree);
    let swept = report.threads.as_ref().unwrap();
    // libtest's main thread and this one are there as well.
    assert_eq!(swept.total, count + 2, "{report}");
    assert_eq!(swept.proved, count + 2, "{report}");
    assert_eq!((swept.inherited, swept.unreached), (0, 0), "{report}");
    assert!(report.protects(Protection::AllThreads));
    check(&tree);
    crew.check();
    thread::spawn(move || check(&tree)).join().unwrap();
}

for_both_users! {
    fn one_parked_thread() {
        parked(1);
    }
}

for_both_users! {
    fn sixty_four_parked_threads() {
        parked(64);
    }
}

for_both_users! {
    fn two_hundred_parked_threads() {
        parked(200);
    }
}

for_both_users! {
    fn threads_whose_numbers_are_far_apart() {
        let tree = Arc::new(Tree::new());
        let near = Crew::start([Wait::Park, Wait::Epoll], &tree);
        for _ in 0..300 {
            thread::spawn(|| {}).join().unwrap();
        }
        let far = Crew::start([Wait::Park, Wait::Epoll], &tree);
        let report = enforce(&tree);
        let swept = report.threads.as_ref().unwrap();
        assert_eq!(swept.proved, 6, "{report}");
        near.check();
        far.check();
    }
}

#[test]
fn threads_are_found_where_a_filter_refuses_to_ask_for_them() {
    isolated!(|| {
        let tree = Arc::new(Tree::new());
        // None of them has a number close to the process's own.
        for _ in 0..300 {
            thread::spawn(|| {}).join().unwrap();
        }
        let crew = Crew::start([Wait::Park, Wait::Epoll], &tree);
        limits::fail_system_call(libc::SYS_tgkill, libc::EPERM);
        let report = enforce(&tree);
        let swept = report.threads.as_ref().unwrap();
        assert_eq!(swept.proved, 4, "{report}");
        crew.check();
    });
}

for_both_users! {
    fn two_hundred_threads_that_wait_in_every_way() {
        let tree = Arc::new(Tree::new());
        let waits = [Wait::Park, Wait::Read, Wait::Epoll, Wait::Poll, Wait::Sleep];
        let waits = waits.into_iter().cycle().take(200).chain([Wait::Spin, Wait::Churn]);
        let crew = Crew::start(waits, &tree);
        let report = enforce(&tree);
        let swept = report.threads.as_ref().unwrap();
        assert!(swept.proved >= 203, "{report}");
        assert_eq!(swept.unreached, 0, "{report}");
        crew.check();
    }
}

#[test]
fn a_process_with_one_thread_needs_no_signal() {
    isolated!(|| {
        threads::ignore_all_real_time_signals();
        let tree = Tree::new();
        alone(|| {
            let report = enforce(&tree);
            assert_eq!(report.threads.as_ref().unwrap().total, 1, "{report}");
            check(&tree);
        });
    });
}

/// Enforces a policy around four threads that wait in this way.
fn reaches_four_that(wait: Wait) {
    let tree = Arc::new(Tree::new());
    let crew = Crew::start([wait; 4], &tree);
    enforce(&tree);
    crew.check();
}

#[test]
fn threads_that_sleep() {
    isolated!(|| reaches_four_that(Wait::Sleep));
}

#[test]
fn threads_that_poll_see_an_interruption_at_most() {
    isolated!(|| reaches_four_that(Wait::Poll));
}

#[test]
fn threads_that_spin() {
    isolated!(|| reaches_four_that(Wait::Spin));
}

#[test]
fn threads_that_read_go_on_reading() {
    isolated!(|| {
        let tree = Arc::new(Tree::new());
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let thread = {
            let tree = Arc::clone(&tree);
            thread::spawn(move || {
                let mut byte = [0];
                // A handler that let the call be interrupted would make this an error.
                assert_eq!(reader.read(&mut byte).unwrap(), 1);
                check(&tree);
            })
        };
        thread::sleep(Duration::from_millis(50));
        enforce(&tree);
        writer.write_all(b"x").unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn threads_under_a_policy_that_grants_reading_everything() {
    isolated!(|| {
        let tree = Arc::new(Tree::new());
        // What serves as proof then isn't an open, and all threads try at the same time.
        for _ in 0..20 {
            alone(|| {
                let (ready, go) = (Arc::new(Barrier::new(17)), Arc::new(Barrier::new(17)));
                let threads: Vec<_> = (0..16)
                    .map(|_| {
                        let (ready, go) = (Arc::clone(&ready), Arc::clone(&go));
                        let path = tree.granted().join("file");
                        thread::spawn(move || {
                            assert_eq!(ask::open_write(&path), Ok(()));
                            ready.wait();
                            go.wait();
                            ask::open_write(&path)
                        })
                    })
                    .collect();
                ready.wait();
                policy()
                    .preopen(directory("/", Access::READ))
                    .enforce()
                    .unwrap();
                go.wait();
                for thread in threads {
                    assert_eq!(thread.join().unwrap(), DENIED);
                }
                assert_eq!(ask::open_read("/"), Ok(()));
            });
        }
    });
}

/// Starts threads until it is told to stop: most of them end at once, some wait for that as well
/// and say then whether they may open what isn't granted.
fn spawn_all_the_while(stop: &Arc<AtomicBool>, path: &Path, sender: &mpsc::Sender<ask::Answer>) {
    let mut waiting = 0;
    while !stop.load(Ordering::SeqCst) {
        let stays = waiting < 16 && threads::current() % 2 == 0;
        waiting += usize::from(stays);
        let (stop, path, sender) = (Arc::clone(stop), path.to_owned(), sender.clone());
        let thread = thread::spawn(move || {
            if !stays {
                return;
            }
            while !stop.load(Ordering::SeqCst) {
                thread::park_timeout(Duration::from_millis(5));
            }
            sender.send(ask::open_read(path)).unwrap();
        });
        if !stays {
            thread.join().unwrap();
        }
    }
    sender.send(ask::open_read(path)).unwrap();
}

#[test]
fn threads_that_start_threads_all_the_while() {
    isolated!(|| {
        let tree = Tree::new();
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = mpsc::channel();
        for _ in 0..4 {
            let (stop, sender) = (Arc::clone(&stop), sender.clone());
            let path = tree.outside().join("file");
            thread::spawn(move || spawn_all_the_while(&stop, &path, &sender));
        }
        drop(sender);
        thread::sleep(Duration::from_millis(5));
        enforce(&tree);
        stop.store(true, Ordering::SeqCst);
        let answers: Vec<_> = receiver.iter().collect();
        assert!(answers.len() >= 4);
        assert!(
            answers.iter().all(|answer| *answer == DENIED),
            "{answers:?}"
        );
    });
}

/// Starts a thread that starts its successor and ends, and so on.
fn relay(stop: Arc<AtomicBool>, last: mpsc::Sender<ask::Answer>) {
    thread::spawn(move || {
        if stop.load(Ordering::SeqCst) {
            last.send(ask::open_read("/")).unwrap();
        } else {
            relay(stop, last);
        }
    });
}

#[test]
fn threads_that_hand_over_to_a_successor() {
    isolated!(|| {
        let tree = Tree::new();
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = mpsc::channel();
        for _ in 0..3 {
            relay(Arc::clone(&stop), sender.clone());
        }
        drop(sender);
        enforce(&tree);
        stop.store(true, Ordering::SeqCst);
        let answers: Vec<_> = receiver.iter().collect();
        assert_eq!(answers, [DENIED; 3]);
    });
}

#[test]
fn threads_that_end_during_the_sweep() {
    isolated!(|| {
        let tree = Tree::new();
        for _ in 0..100 {
            thread::spawn(|| thread::sleep(Duration::from_micros(1500)));
        }
        let report = enforce(&tree);
        assert_eq!(report.threads.as_ref().unwrap().unreached, 0, "{report}");
        check(&tree);
    });
}

/// Starts a thread that blocks every signal until it is told to check.
fn deaf() -> (mpsc::Sender<()>, JoinHandle<ask::Answer>) {
    let (ready, is_ready) = mpsc::channel();
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("deaf".to_owned())
        .spawn(move || {
            threads::block_even_the_librarys_signals();
            ready.send(()).unwrap();
            receiver.recv().unwrap();
            ask::open_read("/")
        })
        .unwrap();
    is_ready.recv().unwrap();
    (sender, thread)
}

for_both_users! {
    fn a_thread_that_blocks_every_signal_is_named() {
        let tree = Tree::new();
        let created = tree.granted().join("new");
        let (tell, thread) = deaf();
        let start = Instant::now();
        let error = policy()
            .preopen(file(&created, Access::ALL))
            .deadline(Duration::from_millis(200))
            .enforce()
            .unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(2));
        let Error::Enforce(error) = error else {
            panic!("{error}");
        };
        let text = error.to_string();
        assert!(text.contains("(`deaf`, state S)"), "{text}");
        assert!(text.contains("blocks every signal"), "{text}");
        // Found out before anything is restricted.
        assert!(!error.process_must_end() && !text.contains("restricted already"), "{text}");
        assert!(!created.exists());
        assert_eq!(ask::open_read("/"), Ok(()));
        tell.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), Ok(()));
        // And so there is a second try.
        let report = policy().preopen(file(&created, Access::ALL)).enforce().unwrap();
        assert!(report.protects(Protection::AllThreads));
        assert_eq!(ask::open_read("/"), DENIED);
    }
}

/// True if this kernel restricts all threads at once.
fn has_thread_sync() -> bool {
    ask::landlock_abi() >= 8
}

/// The abilities of a deaf thread that was let pass: where the kernel restricts it, only the proof is
/// lacking.
fn let_pass() -> ask::Answer {
    if has_thread_sync() { DENIED } else { Ok(()) }
}

for_both_users! {
    fn a_thread_that_does_not_come_back_from_a_system_call_is_named() {
        let tree = Tree::new();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("stuck".to_owned())
            .spawn(move || {
                ready.send(threads::current()).unwrap();
                threads::wait_uninterruptibly(&reader).unwrap();
                ask::open_read("/")
            })
            .unwrap();
        let stuck = is_ready.recv().unwrap();
        let is_stuck = || {
            std::fs::read_to_string(format!("/proc/self/task/{stuck}/stat"))
                .unwrap()
                .contains(") D ")
        };
        while !is_stuck() {
            thread::yield_now();
        }
        let error = policy()
            .preopen(directory(tree.granted(), Access::READ))
            .deadline(Duration::from_millis(200))
            .enforce()
            .unwrap_err();
        let Error::Enforce(EnforceError::Thread { tid, problem: ThreadError::NotReached { name, state, .. }, restricted }) =
            error
        else {
            panic!("{error}");
        };
        assert_eq!((tid, name.as_str(), state), (stuck, "stuck", 'D'));
        // Every thread answers before one is restricted.
        assert_eq!(restricted, 0);
        assert_eq!(ask::open_read("/"), Ok(()));
        writer.write_all(b"x").unwrap();
        assert_eq!(thread.join().unwrap(), Ok(()));
        enforce(&tree);
        check(&tree);
    }
}

#[test]
fn a_stuck_thread_that_is_let_pass_holds_nobody_up() {
    isolated!(|| {
        let tree = Arc::new(Tree::new());
        let crew = Crew::start([Wait::Park; 3], &tree);
        let (reader, mut writer) = std::io::pipe().unwrap();
        let thread = thread::spawn(move || threads::wait_uninterruptibly(&reader).unwrap());
        thread::sleep(Duration::from_millis(50));
        // Thread sync would wait for as long as the other process runs.
        let report = policy()
            .preopen(directory(tree.granted(), Access::READ))
            .optional(Protection::AllThreads)
            .deadline(Duration::from_millis(200))
            .enforce()
            .unwrap();
        let swept = report.threads.as_ref().unwrap();
        assert_eq!(swept.unreached, 1, "{report}");
        assert_eq!(swept.method, SweepMethod::VisitedOneByOne);
        assert!(!report.protects(Protection::AllThreads));
        crew.check();
        writer.write_all(b"x").unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn a_thread_that_is_not_reached_may_be_let_pass() {
    isolated!(|| {
        let tree = Tree::new();
        let (tell, thread) = deaf();
        let report = policy()
            .preopen(directory(tree.granted(), Access::READ))
            .optional(Protection::AllThreads)
            .deadline(Duration::from_millis(200))
            .enforce()
            .unwrap();
        assert!(report.enforced);
        assert!(!report.protects(Protection::AllThreads));
        assert_eq!(report.threads.as_ref().unwrap().unreached, 1);
        let named = |what: &String| what.starts_with("all-threads: ") && what.contains("`deaf`");
        assert!(report.not_enforced.iter().any(named), "{report}");
        check(&tree);
        tell.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), let_pass());
    });
}

#[test]
fn best_effort_restricts_who_it_can() {
    isolated!(|| {
        let tree = Arc::new(Tree::new());
        let crew = Crew::start([Wait::Park; 3], &tree);
        let (tell, thread) = deaf();
        let report = policy()
            .mode(Mode::BestEffort)
            .preopen(directory(tree.granted(), Access::READ))
            .deadline(Duration::from_millis(200))
            .enforce()
            .unwrap();
        let protection = report
            .protections
            .iter()
            .find(|protection| protection.name == Protection::AllThreads)
            .unwrap();
        assert!(matches!(
            protection.status,
            ProtectionStatus::NotEnforced { .. }
        ));
        crew.check();
        tell.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), let_pass());
    });
}

#[test]
fn a_thread_under_a_restriction_of_its_own_gets_this_one_too() {
    isolated!(|| {
        use landlock::{AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr};

        let tree = Arc::new(Tree::new());
        let (ready, is_ready) = mpsc::channel();
        let (sender, receiver) = mpsc::channel::<()>();
        let thread = {
            let tree = Arc::clone(&tree);
            thread::spawn(move || {
                // It may neither list a directory nor read a file elsewhere: the probe tries one of these.
                Ruleset::default()
                    .handle_access(AccessFs::ReadDir | AccessFs::ReadFile)
                    .unwrap()
                    .create()
                    .unwrap()
                    .add_rule(PathBeneath::new(
                        PathFd::new(tree.root()).unwrap(),
                        AccessFs::ReadFile,
                    ))
                    .unwrap()
                    .restrict_self()
                    .unwrap();
                assert_eq!(ask::open_read(tree.outside().join("file")), Ok(()));
                ready.send(()).unwrap();
                receiver.recv().unwrap();
                check(&tree);
            })
        };
        is_ready.recv().unwrap();
        let report = enforce(&tree);
        assert_eq!(report.threads.as_ref().unwrap().inherited, 1, "{report}");
        assert!(
            report.warnings[0].contains("restriction of their own"),
            "{report}"
        );
        sender.send(()).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn a_thread_keeps_a_restriction_of_its_own_that_the_probe_does_not_show() {
    isolated!(|| {
        use landlock::{AccessFs, Ruleset, RulesetAttr};

        let tree = Tree::new();
        let path = tree.granted().join("new");
        let (ready, is_ready) = mpsc::channel();
        let (sender, receiver) = mpsc::channel::<()>();
        let thread = {
            let path = path.clone();
            thread::spawn(move || {
                Ruleset::default()
                    .handle_access(AccessFs::MakeDir)
                    .unwrap()
                    .create()
                    .unwrap()
                    .restrict_self()
                    .unwrap();
                ready.send(()).unwrap();
                receiver.recv().unwrap();
                // What the kernel restricts at once loses the domain that it had.
                (ask::make_directory(&path), ask::open_read("/"))
            })
        };
        is_ready.recv().unwrap();
        policy()
            .preopen(directory(tree.granted(), Access::ALL))
            .enforce()
            .unwrap();
        sender.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), (DENIED, DENIED));
        assert_eq!(ask::make_directory(&path), Ok(()));
        assert_eq!(ask::open_read("/"), DENIED);
    });
}

#[test]
fn a_main_thread_that_has_ended_is_no_obstacle() {
    isolated!(|| {
        let tree = Tree::new();
        alone(|| {
            // Forked, so that the main thread is this one; another goes on in its place.
            thread::spawn(move || {
                let pid = i32::try_from(std::process::id()).unwrap();
                let ended = || {
                    std::fs::read_to_string(format!("/proc/self/task/{pid}/stat"))
                        .is_ok_and(|stat| stat.contains(") Z "))
                };
                while !ended() {
                    thread::yield_now();
                }
                let result = panic::catch_unwind(|| {
                    let report = enforce(&tree);
                    let swept = report.threads.as_ref().unwrap();
                    assert_eq!((swept.total, swept.gone), (1, 1), "{report}");
                    check(&tree);
                });
                // Ends the process, which has no main thread to return from.
                std::process::exit(i32::from(result.is_err()));
            });
            threads::end_main_thread();
        });
    });
}
