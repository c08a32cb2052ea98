//! The content of a report, for programs and for people.

use std::fs;

use wasix_landlock::{
    Access, HostKind, HostTarget, Object, Policy, Protection, RecordedPreopen, Report, Right,
    RuntimePathStatus, Status, SweepMethod,
};
use wasix_landlock_testing::{ask, isolated};

use crate::common::{Tree, directory, file, policy};

/// A policy with one of everything.
fn of_everything(tree: &Tree) -> Policy {
    let target = |path: &str, access| HostTarget {
        path: tree.root().join(path),
        kind: HostKind::Either,
        access,
    };
    policy()
        .preopen(directory(tree.granted(), Access::READ))
        .preopen(file(tree.granted().join("new"), Access::ALL))
        .preopen(RecordedPreopen {
            guest: "/virtual".to_owned(),
            origin: "mount",
            access: Access::ALL,
            targets: Vec::new(),
        })
        .preopen(RecordedPreopen {
            guest: "/overlay".to_owned(),
            origin: "mount",
            access: Access::ALL,
            targets: vec![
                target("granted", Access::READ),
                target("outside/file", Access::READ_WRITE),
            ],
        })
        .runtime_path("/etc/hosts", Access::READ, "dns")
        .runtime_path("/nowhere", Access::READ, "tls roots")
}

#[test]
fn it_survives_a_round_trip_through_json() {
    isolated!(|| {
        let tree = Tree::new();
        let report = of_everything(&tree).enforce().unwrap();
        let json = serde_json::to_string_pretty(&*report).unwrap();
        let back: Report = serde_json::from_str(&json).unwrap();
        assert_eq!(back, *report);
        for expected in [
            "\"mode\": \"enforce\"",
            "\"status\": \"partly-granted\"",
            "\"status\": \"virtual\"",
            "\"status\": \"absent\"",
            "\"resolve-unix\"",
            "\"read_dir\"",
        ] {
            // Which statuses there are depends on the kernel, `refer` alone being partial.
            assert!(
                json.contains(expected) || expected.contains("partly"),
                "{expected} in {json}"
            );
        }
    });
}

#[test]
fn it_names_every_preopen_with_its_rights() {
    isolated!(|| {
        let tree = Tree::new();
        let draft = of_everything(&tree).prepare().unwrap();
        assert!(!draft.report().enforced);
        assert!(draft.report().threads.is_none());
        let drafted = draft.report().clone();
        let report = draft.enforce().unwrap();

        let statuses: Vec<Status> = report.preopens.iter().map(|p| p.status).collect();
        assert_eq!(
            statuses,
            [
                Status::Granted,
                Status::Granted,
                Status::Virtual,
                Status::Granted
            ]
        );
        let [plain, created, virtual_one, overlay] = &report.preopens[..] else {
            panic!("{report}");
        };
        assert_eq!(plain.hosts[0].granted, [Right::ReadFile, Right::ReadDir]);
        assert_eq!(plain.hosts[0].found, Some(Object::Directory));
        assert!(!plain.hosts[0].created);
        assert!(created.hosts[0].created);
        assert_eq!(created.hosts[0].found, Some(Object::File));
        let mut granted = vec![Right::WriteFile, Right::ReadFile];
        granted.extend((ask::landlock_abi() >= 3).then_some(Right::Truncate));
        assert_eq!(created.hosts[0].granted, granted);
        assert!(virtual_one.hosts.is_empty());
        assert_eq!(overlay.hosts.len(), 2);

        assert_eq!(report.runtime_paths[0].status, RuntimePathStatus::Granted);
        assert_eq!(report.runtime_paths[1].status, RuntimePathStatus::Absent);
        assert!(report.protects(Protection::AllThreads));
        assert_eq!(report.abi, ask::landlock_abi());
        let threads = report.threads.as_ref().unwrap();
        assert_ne!(threads.method, SweepMethod::Joined);
        assert!(threads.rounds > 0 && threads.elapsed_us > 0);
        // The draft is the report but for what only enforcing can tell.
        assert_eq!(drafted.preopens, report.preopens);
        assert_eq!(drafted.handled, report.handled);
    });
}

#[test]
fn as_text_it_is_compact_and_complete() {
    isolated!(|| {
        let tree = Tree::new();
        let report = of_everything(&tree).enforce().unwrap();
        let text = report.to_string();
        for expected in [
            "landlock: enforced (mode enforce, ABI ",
            "preopen_dir `/guest` (read): granted",
            "/granted (directory): read_file read_dir",
            "/granted/new (file, created): write_file read_file",
            "mount `/virtual` (read+write+create): virtual",
            "runtime path /etc/hosts (dns, read): granted",
            "runtime path /nowhere (tls roots, read): absent",
            " proved, ",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
        assert!(text.lines().count() < 30, "{text}");
    });
}

#[test]
fn a_created_file_that_nobody_used_stays_behind() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.granted().join("new");
        policy().preopen(file(&new, Access::ALL)).enforce().unwrap();
        assert_eq!(fs::metadata(&new).unwrap().len(), 0);
    });
}

#[test]
fn showing_makes_nothing_and_restricts_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        let (new, outside) = (tree.granted().join("new"), tree.outside().join("file"));
        let shown = of_everything(&tree).show().unwrap();
        assert!(shown.only_shown && !shown.enforced);
        assert!(!new.exists());
        assert_eq!(ask::open_read(&outside), Ok(()));
        let text = shown.to_string();
        for expected in [
            "would be enforced",
            "file, to be created",
            "virtual",
            "read_file",
            "(dns, read)",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }

        let enforced = of_everything(&tree).enforce().unwrap();
        assert!(new.exists());
        assert_eq!(ask::open_read(tree.outside()), crate::common::DENIED);
        assert_eq!(shown.preopens, enforced.preopens);
        assert_eq!(shown.runtime_paths, enforced.runtime_paths);
        assert_eq!(shown.handled, enforced.handled);
        assert_eq!(shown.protections, enforced.protections);
    });
}

#[test]
fn what_can_not_be_enforced_is_an_error_of_showing_it() {
    isolated!(|| {
        let tree = Tree::new();
        let missing = policy().preopen(directory(tree.root().join("missing"), Access::READ));
        let error = missing.show().unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
        let off = policy().mode(wasix_landlock::Mode::Off).show().unwrap();
        assert!(
            off.to_string().starts_with("landlock: NOT enforced"),
            "{off}"
        );
    });
}
