//! A policy for one thread, and for what it starts, in a process that stays free.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Barrier, mpsc},
    thread,
};

use wasix_landlock::{
    Access, EnforceError, Error, Membership, Mode, NotWithin, Policy, PrepareError, Protection,
    Report, Scope, SweepMethod, ThreadError, current,
};
use wasix_landlock_testing::ask;

use crate::common::{DENIED, Tree, directory, hardened, policy, stack_sixteen_layers};

fn instance(path: impl Into<PathBuf>) -> Policy {
    policy()
        .scope(Scope::Instance)
        .preopen(directory(path, Access::READ))
}

/// Runs in a thread of its own.
fn apart<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(run).join().unwrap())
}

fn enforce_in(path: &Path) -> std::sync::Arc<Report> {
    instance(path).enforce().unwrap()
}

for_both_users! {
    fn a_thread_and_what_it_starts_are_restricted_and_nothing_else() {
        let tree = Tree::new();
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let neighbour = {
            let file = tree.outside().join("file");
            let (go, gone) = mpsc::channel::<()>();
            (go, thread::spawn(move || {
                gone.recv().unwrap();
                ask::open_read(file)
            }))
        };
        let (granted, outside) = (tree.granted(), tree.outside());
        let restricted = thread::spawn(move || {
            let files = [granted.join("file"), outside.join("file")];
            let before = files.clone().map(ask::open_read);
            let report = enforce_in(&granted);
            let after = files.clone().map(ask::open_read);
            let born = thread::spawn(move || files.map(ask::open_read)).join().unwrap();
            tell.send((before, report, after, born)).unwrap();
            ended.recv().unwrap_err();
        });
        let (before, report, after, born) = told.recv().unwrap();
        assert_eq!(before, [Ok(()), Ok(())]);
        assert_eq!(after, [Ok(()), DENIED]);
        assert_eq!(born, [Ok(()), DENIED]);
        assert_eq!(report.scope, Scope::Instance);
        assert!(report.enforced && !report.joined);
        let threads = report.threads.clone().unwrap();
        assert_eq!(threads.method, SweepMethod::CallingThread);
        assert_eq!((threads.total, threads.proved), (1, 1));
        assert!(report.to_string().contains("scope instance"), "{report}");
        // This thread, one that was there before, and one that is new.
        let file = tree.outside().join("file");
        assert_eq!(ask::open_read(&file), Ok(()));
        neighbour.0.send(()).unwrap();
        assert_eq!(neighbour.1.join().unwrap(), Ok(()));
        assert_eq!(apart(|| ask::open_read(&file)), Ok(()));
        assert!(current().is_none());
        drop(end);
        restricted.join().unwrap();
    }
}

for_both_users! {
    fn many_at_once_reach_their_own_and_not_their_neighbours() {
        const COUNT: usize = 64;
        let tree = Tree::new();
        let place = |number: usize| tree.root().join(format!("tenant{number}"));
        for number in 0..COUNT {
            fs::create_dir(place(number)).unwrap();
            fs::write(place(number).join("file"), "content").unwrap();
        }
        let all_there = Barrier::new(COUNT);
        thread::scope(|scope| {
            for number in 0..COUNT {
                let all_there = &all_there;
                scope.spawn(move || {
                    let file = |number: usize| place(number % COUNT).join("file");
                    assert_eq!(ask::open_read(file(number + 1)), Ok(()));
                    enforce_in(&place(number));
                    all_there.wait();
                    for other in 0..COUNT {
                        let expected = if other == number { Ok(()) } else { DENIED };
                        assert_eq!(ask::open_read(file(other)), expected, "{number}: {other}");
                    }
                });
            }
        });
        assert_eq!(ask::open_read(place(0).join("file")), Ok(()));
    }
}

#[test]
fn a_later_policy_in_it_joins_whatever_its_scope() {
    isolated!(|| {
        let tree = Tree::new();
        apart(|| {
            enforce_in(&tree.granted());
            for scope in [Scope::Process, Scope::Instance] {
                let within = policy()
                    .scope(scope)
                    .preopen(directory(tree.granted(), Access::READ))
                    .enforce()
                    .unwrap();
                assert!(within.joined && within.enforced);
                assert_eq!(within.scope, Scope::Instance);
                let beyond = policy()
                    .scope(scope)
                    .preopen(directory(tree.outside(), Access::READ))
                    .enforce()
                    .unwrap_err();
                assert!(
                    matches!(
                        beyond,
                        Error::Prepare(PrepareError::NotWithin(NotWithin::Path { .. }))
                    ),
                    "{beyond}"
                );
            }
        });
        assert_eq!(ask::open_read(tree.outside()), Ok(()));
        assert!(current().is_none());
    });
}

#[test]
fn a_thread_it_started_joins_once_it_has_entered() {
    isolated!(|| {
        let tree = Tree::new();
        apart(|| {
            enforce_in(&tree.granted());
            let here = Membership::current().unwrap();
            assert_eq!(here.threads(), 1);
            apart(|| {
                let lost = policy().prepare().unwrap_err();
                assert!(matches!(lost, PrepareError::UnknownInstance), "{lost}");
                here.enter().unwrap();
                assert_eq!(here.threads(), 2);
                assert!(policy().enforce().unwrap().joined);
            });
        });
        assert_eq!(ask::open_read(tree.outside()), Ok(()));
    });
}

#[test]
fn a_thread_from_outside_can_not_enter() {
    isolated!(|| {
        let tree = Tree::new();
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let granted = tree.granted();
        thread::scope(|scope| {
            scope.spawn(move || {
                enforce_in(&granted);
                tell.send(Membership::current().unwrap()).unwrap();
                ended.recv().unwrap_err();
            });
            let other = told.recv().unwrap();
            let error = other.enter().unwrap_err();
            assert!(
                matches!(
                    error,
                    EnforceError::Thread {
                        problem: ThreadError::NotRestricted { .. },
                        ..
                    }
                ),
                "{error}"
            );
            assert!(Membership::current().is_none());
            // And one of another instance neither.
            apart(|| {
                enforce_in(&tree.outside());
                let error = other.enter().unwrap_err();
                assert!(matches!(error, EnforceError::ScopeTaken), "{error}");
            });
            drop(end);
        });
    });
}

#[test]
fn the_process_is_restricted_when_the_last_one_has_ended() {
    isolated!(|| {
        let tree = Tree::new();
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let granted = tree.granted();
        let running = thread::spawn(move || {
            enforce_in(&granted);
            tell.send(()).unwrap();
            ended.recv().unwrap_err();
        });
        told.recv().unwrap();
        let error = policy().enforce().unwrap_err();
        assert!(
            matches!(
                error,
                Error::Enforce(EnforceError::InstancesRunning { instances: 1 })
            ),
            "{error}"
        );
        assert_eq!(ask::open_read(tree.outside()), Ok(()));
        drop(end);
        running.join().unwrap();
        let report = policy().enforce().unwrap();
        assert_eq!(report.scope, Scope::Process);
        assert_eq!(ask::open_read(tree.outside()), DENIED);
        let late = apart(|| instance(tree.granted()).enforce().unwrap_err());
        assert!(
            matches!(late, Error::Prepare(PrepareError::ScopeTaken)),
            "{late}"
        );
    });
}

#[test]
fn what_was_prepared_before_the_process_was_restricted_is_too_late() {
    isolated!(|| {
        let tree = Tree::new();
        let prepared = instance(tree.granted()).prepare().unwrap();
        policy()
            .preopen(directory(tree.granted(), Access::READ))
            .enforce()
            .unwrap();
        let error = apart(|| prepared.enforce().unwrap_err());
        assert!(matches!(error, EnforceError::ScopeTaken), "{error}");
        assert!(!error.process_must_end());
    });
}

#[test]
fn one_layer_too_many_is_an_error_of_that_thread_alone() {
    isolated!(|| {
        let tree = Tree::new();
        let error = apart(|| {
            stack_sixteen_layers();
            instance(tree.granted()).enforce().unwrap_err()
        });
        let Error::Enforce(error) = error else {
            panic!("{error}");
        };
        assert!(
            matches!(
                error,
                EnforceError::Thread {
                    problem: ThreadError::TooManyLayers,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!error.process_must_end());
        apart(|| enforce_in(&tree.granted()));
        assert_eq!(ask::open_read(tree.outside()), Ok(()));
    });
}

#[test]
fn files_move_between_the_directories_of_one_layer() {
    isolated!(|| {
        let tree = Tree::new();
        for name in ["one", "two"] {
            fs::create_dir(tree.granted().join(name)).unwrap();
        }
        apart(|| {
            policy()
                .scope(Scope::Instance)
                .preopen(directory(tree.granted(), Access::ALL))
                .enforce()
                .unwrap();
            let [from, to] = ["one/file", "two/file"].map(|name| tree.granted().join(name));
            fs::write(&from, "content").unwrap();
            assert_eq!(ask::rename(&from, &to), Ok(()));
            assert_eq!(ask::rename(&to, tree.outside().join("moved")), DENIED);
        });
    });
}

#[test]
fn nothing_enforced_in_it_is_an_error_for_who_needs_it_there() {
    isolated!(|| {
        let tree = Tree::new();
        apart(|| {
            let off = instance(tree.granted()).mode(Mode::Off).enforce().unwrap();
            assert!(!off.enforced);
            assert_eq!(off.scope, Scope::Instance);
            // Who enforces nothing either is no second instance.
            let again = policy().mode(Mode::Off).enforce().unwrap();
            assert_eq!((again.scope, again.enforced), (Scope::Instance, false));
            assert_eq!(Membership::current().unwrap().threads(), 1);
            // Rather than the whole process.
            let error = policy().enforce().unwrap_err();
            assert!(
                matches!(error, Error::Prepare(PrepareError::InstanceUnrestricted)),
                "{error}"
            );
            assert_eq!(ask::open_read(tree.outside()), Ok(()));
        });
    });
}

for_both_users! {
    fn the_second_layer_is_on_the_instance_alone() {
        let tree = Tree::new();
        let path = tree.outside().join("file");
        apart(|| {
            let report = hardened()
                .scope(Scope::Instance)
                .enforce()
                .unwrap();
            assert!(report.protects(Protection::Metadata), "{report}");
            assert_eq!(ask::change_mode(&path), Err(libc::EPERM));
            assert_eq!(ask::bind_tcp(0), Err(libc::EPERM));
            // And on what it starts.
            let inside = thread::spawn(|| ask::bind_tcp(0)).join().unwrap();
            assert_eq!(inside, Err(libc::EPERM));
        });
        assert_eq!(ask::change_mode(&path), Ok(()));
        assert_eq!(ask::bind_tcp(0), Ok(()));
        // Once no instance is left, the process can be restricted as a whole.
        let report = hardened().enforce().unwrap();
        assert!(report.protects(Protection::Metadata), "{report}");
        assert_eq!(ask::change_mode(&path), Err(libc::EPERM));
    }
}
