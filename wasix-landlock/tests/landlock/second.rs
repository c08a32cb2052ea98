//! A second policy in a process that is restricted already.

use std::{fs, sync::Arc, thread};

use wasix_landlock::{
    Access, EnforceError, Error, HostKind, Mode, NotWithin, PrepareError, Right, RuntimePathStatus,
    Status, SweepMethod, current,
};
use wasix_landlock_testing::{ask, isolated};

use crate::common::{DENIED, Tree, directory, file, policy, preopen};

for_both_users! {
    fn a_policy_within_the_first_joins_it() {
        let tree = Tree::new();
        assert!(current().is_none());
        let first = policy()
            .preopen(directory(tree.granted(), Access::READ_WRITE))
            .enforce()
            .unwrap();
        assert!(Arc::ptr_eq(&current().unwrap(), &first));

        let second = policy()
            .preopens([
                directory(tree.granted(), Access::READ),
                file(tree.granted().join("file"), Access::READ_WRITE),
                preopen(tree.granted(), HostKind::Either, Access::WRITE),
            ])
            .enforce()
            .unwrap();
        assert!(second.enforced && second.joined);
        assert_eq!((second.abi, &second.handled), (first.abi, &first.handled));
        assert!(second.preopens.iter().all(|p| p.status == Status::Granted));
        assert_eq!(second.threads.as_ref().unwrap().method, SweepMethod::Joined);
        // It doesn't take the first one's place.
        assert!(Arc::ptr_eq(&current().unwrap(), &first));
        assert_eq!(ask::open_write(tree.granted().join("file")), Ok(()));
        assert_eq!(ask::open_read(tree.outside().join("file")), DENIED);
    }
}

for_both_users! {
    fn a_policy_that_asks_for_more_is_refused() {
        let tree = Tree::new();
        policy()
            .preopen(directory(tree.granted(), Access::READ))
            .enforce()
            .unwrap();
        for (preopen, lacking) in [
            (directory(tree.outside(), Access::READ), Right::ReadDir),
            (directory(tree.root(), Access::READ), Right::ReadDir),
            (directory(tree.granted(), Access::ALL), Right::MakeReg),
            (file(tree.granted().join("file"), Access::WRITE), Right::WriteFile),
            (file(tree.granted().join("new"), Access::ALL), Right::MakeReg),
        ] {
            let asked = preopen.access;
            let error = policy().preopen(preopen).prepare().unwrap_err();
            let text = error.to_string();
            assert!(text.contains("grant the path in the first build"), "{text}");
            let PrepareError::NotWithin(NotWithin::Path { missing, asked: said, .. }) = error else {
                panic!("{text}");
            };
            assert_eq!(said, asked);
            assert!(missing.contains(&lacking), "{text}");
        }
        assert!(!tree.granted().join("new").exists());
    }
}

/// Asserts that a later policy may not have this preopen.
#[track_caller]
fn assert_not_within(preopen: wasix_landlock::RecordedPreopen) {
    let error = policy().preopen(preopen).prepare().unwrap_err();
    assert!(
        matches!(error, PrepareError::NotWithin(NotWithin::Path { .. })),
        "{error}"
    );
}

#[test]
fn no_layer_is_added() {
    isolated!(|| {
        let tree = Tree::new();
        for _ in 0..40 {
            policy()
                .preopen(directory(tree.granted(), Access::READ))
                .enforce()
                .unwrap();
        }
        assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));
    });
}

for_both_users! {
    fn a_file_is_created_within_a_directory_that_grants_it() {
        let tree = Tree::new();
        policy()
            .preopen(directory(tree.granted(), Access::ALL))
            .enforce()
            .unwrap();
        for (name, access) in [("new", Access::ALL), ("log", Access { read: false, ..Access::ALL })] {
            let new = tree.granted().join(name);
            let report = policy().preopen(file(&new, access)).enforce().unwrap();
            assert!(report.preopens[0].hosts[0].created);
            fs::write(&new, "by the module").unwrap();
        }
    }
}

#[test]
fn a_file_grant_is_found_by_its_inode() {
    isolated!(|| {
        let tree = Tree::new();
        let (name, other) = (tree.granted().join("file"), tree.outside().join("link"));
        fs::hard_link(&name, &other).unwrap();
        policy()
            .preopen(file(&name, Access::READ))
            .enforce()
            .unwrap();
        policy()
            .preopen(file(&other, Access::READ))
            .enforce()
            .unwrap();
        assert_eq!(ask::open_read(&other), Ok(()));
        assert_not_within(file(&other, Access::WRITE));
    });
}

#[test]
fn a_directory_that_was_replaced_is_not_the_one_that_was_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let prepared = policy()
            .preopen(directory(tree.granted(), Access::READ))
            .prepare()
            .unwrap();
        fs::rename(tree.granted(), tree.root().join("moved")).unwrap();
        fs::create_dir(tree.granted()).unwrap();
        fs::write(tree.granted().join("file"), "").unwrap();
        prepared.enforce().unwrap();
        assert_eq!(ask::open_read(tree.granted().join("file")), DENIED);
        assert_not_within(file(tree.granted().join("file"), Access::READ));
    });
}

#[test]
fn a_runtime_path_is_there_for_a_later_policy() {
    isolated!(|| {
        let tree = Tree::new();
        policy()
            .preopen(directory(tree.granted(), Access::READ))
            .runtime_path(tree.outside(), Access::ALL, "for later")
            .enforce()
            .unwrap();
        policy()
            .preopen(directory(tree.outside(), Access::READ_WRITE))
            .enforce()
            .unwrap();
    });
}

#[test]
fn a_runtime_path_that_the_first_policy_lacks_is_reported() {
    isolated!(|| {
        let tree = Tree::new();
        policy().enforce().unwrap();
        let report = policy()
            .runtime_path(tree.granted(), Access::READ, "module cache")
            .enforce()
            .unwrap();
        assert!(matches!(
            report.runtime_paths[0].status,
            RuntimePathStatus::NotGranted { .. }
        ));
    });
}

#[test]
fn a_protection_that_the_first_policy_lacks_is_an_error() {
    isolated!(|| {
        use wasix_landlock::Protection::ResolveUnix;

        let first = policy().enforce().unwrap();
        let second = policy().require(ResolveUnix).prepare();
        if first.protects(ResolveUnix) {
            assert!(second.is_ok());
        } else {
            let error = second.unwrap_err();
            assert!(
                matches!(
                    error,
                    PrepareError::NotWithin(NotWithin::Protection {
                        protection: ResolveUnix
                    })
                ),
                "{error}"
            );
        }
    });
}

#[test]
fn of_two_prepared_policies_the_second_joins_or_fails() {
    isolated!(|| {
        let tree = Tree::new();
        let prepare = |access| {
            policy()
                .preopen(directory(tree.granted(), access))
                .prepare()
                .unwrap()
        };
        let [first, within, wider] = [Access::READ_WRITE, Access::READ, Access::ALL].map(prepare);
        assert!(!first.enforce().unwrap().joined);
        assert!(within.enforce().unwrap().joined);
        let error = wider.enforce().unwrap_err();
        assert!(
            matches!(error, EnforceError::NotWithin(NotWithin::Path { .. })),
            "{error}"
        );
        assert!(!error.process_must_end());
    });
}

#[test]
fn of_two_threads_that_enforce_at_once_one_restricts() {
    isolated!(|| {
        let tree = Tree::new();
        let joined: Vec<bool> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        policy()
                            .preopen(directory(tree.granted(), Access::READ))
                            .enforce()
                            .unwrap()
                            .joined
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(joined.iter().filter(|joined| !**joined).count(), 1);
    });
}

#[test]
fn off_leaves_the_process_free_for_a_policy() {
    isolated!(|| {
        let tree = Tree::new();
        let off = policy()
            .mode(Mode::Off)
            .preopen(directory(tree.granted(), Access::READ))
            .enforce()
            .unwrap();
        assert!(!off.enforced);
        assert!(current().is_none());
        assert_eq!(ask::open_read("/"), Ok(()));
        policy().enforce().unwrap();
        assert_eq!(ask::open_read("/"), DENIED);
        // And off doesn't switch it off.
        let off = policy().mode(Mode::Off).enforce().unwrap();
        assert!(
            off.warnings[0].contains("an earlier policy restricts this process"),
            "{off}"
        );
        assert_eq!(ask::open_read("/"), DENIED);
    });
}

#[test]
fn best_effort_reports_what_the_first_policy_lacks() {
    isolated!(|| {
        let tree = Tree::new();
        policy()
            .preopen(directory(tree.granted(), Access::READ))
            .enforce()
            .unwrap();
        let report = policy()
            .mode(Mode::BestEffort)
            .preopens([
                directory(tree.granted(), Access::READ),
                directory(tree.outside(), Access::READ),
            ])
            .enforce()
            .unwrap();
        let statuses: Vec<Status> = report.preopens.iter().map(|p| p.status).collect();
        assert_eq!(statuses, [Status::Granted, Status::NotGranted]);
    });
}

#[test]
fn a_first_policy_that_failed_early_leaves_the_process_free() {
    isolated!(|| {
        let error = policy()
            .preopen(directory("/nowhere", Access::READ))
            .enforce()
            .unwrap_err();
        assert!(matches!(error, Error::Prepare(_)));
        assert!(current().is_none());
        policy().enforce().unwrap();
    });
}
