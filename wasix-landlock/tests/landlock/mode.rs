//! The mode, from the environment and as it acts.

use std::{env, ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use wasix_landlock::{
    Access, MODE_VARIABLE, Mode, Policy, PrepareError, Protection, Status, current,
};
use wasix_landlock_testing::{ask, isolated, limits, with_variable};

use crate::common::{DENIED, Tree, directory, file, policy, strict, without_what_lacks};

#[test]
fn names_are_read_and_written_alike() {
    for mode in [Mode::Enforce, Mode::BestEffort, Mode::Off] {
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    for protection in Protection::ALL {
        assert_eq!(protection.to_string().parse(), Ok(*protection));
    }
    assert!("Off".parse::<Mode>().is_err());
    assert!("threads".parse::<Protection>().is_err());
}

/// Enforces with this value in the environment, and expects the mode and what it does.
fn check_variable(value: Option<&str>, mode: Mode) {
    with_variable(MODE_VARIABLE, value.map(OsStr::new), || {
        assert_eq!(Mode::from_env(), Ok(mode));
        let report = without_what_lacks(Policy::default()).enforce().unwrap();
        assert_eq!(report.mode, mode);
        assert_eq!(report.enforced, mode != Mode::Off);
        let expected = if mode == Mode::Off { Ok(()) } else { DENIED };
        assert_eq!(ask::open_read("/"), expected);
    });
}

#[test]
fn without_the_variable_it_is_enforced() {
    isolated!(|| check_variable(None, Mode::Enforce));
}

#[test]
fn with_an_empty_variable_it_is_enforced() {
    isolated!(|| check_variable(Some(""), Mode::Enforce));
}

#[test]
fn the_variable_names_enforce() {
    isolated!(|| check_variable(Some("enforce"), Mode::Enforce));
}

#[test]
fn the_variable_names_best_effort() {
    isolated!(|| check_variable(Some("best-effort"), Mode::BestEffort));
}

#[test]
fn the_variable_names_off() {
    isolated!(|| check_variable(Some("off"), Mode::Off));
}

#[test]
fn a_value_that_is_no_mode_is_an_error() {
    isolated!(|| {
        for value in [&b"of"[..], b"0", b"best_effort", b" off", b"\xff"] {
            with_variable(MODE_VARIABLE, Some(OsStr::from_bytes(value)), || {
                let error = Policy::default().prepare().unwrap_err();
                assert!(matches!(error, PrepareError::Mode(_)), "{error}");
                assert!(error.to_string().contains(MODE_VARIABLE), "{error}");
            });
        }
        assert_eq!(ask::open_read("/"), Ok(()));
    });
}

#[test]
fn what_the_application_says_goes_before_the_environment() {
    isolated!(|| {
        with_variable(MODE_VARIABLE, Some(OsStr::new("off")), || {
            assert!(policy().enforce().unwrap().enforced);
        });
        assert_eq!(env::var_os(MODE_VARIABLE), None);
    });
}

for_both_users! {
    fn off_restricts_nothing_and_creates_files() {
        let tree = Tree::new();
        let new = tree.granted().join("new");
        let report = strict()
            .mode(Mode::Off)
            .preopens([file(&new, Access::ALL), directory(tree.outside(), Access::READ)])
            .enforce()
            .unwrap();
        assert!(!report.enforced);
        assert!(report.preopens.iter().all(|p| p.status == Status::Unrestricted));
        assert!(report.not_enforced[0].contains("the mode is off"));
        assert!(new.exists());
        assert_eq!(ask::open_write(tree.outside().join("file")), Ok(()));
    }
}

/// Enforces in best effort on a kernel that answers this to Landlock's first system call.
fn check_without_landlock(errno: i32) {
    limits::fail_system_call(libc::SYS_landlock_create_ruleset, errno);
    let tree = Tree::new();
    let new = tree.granted().join("new");
    let report = strict()
        .mode(Mode::BestEffort)
        .preopen(file(&new, Access::ALL))
        .enforce()
        .unwrap();
    assert!(!report.enforced);
    assert_eq!(report.abi, 0);
    assert_eq!(report.preopens[0].status, Status::Unrestricted);
    assert!(report.not_enforced[0].starts_with("anything: "), "{report}");
    assert!(Protection::ALL.iter().all(|p| !report.protects(*p)));
    assert!(current().is_none());
    assert!(new.exists());
    assert_eq!(ask::open_read("/"), Ok(()));
}

for_both_users! {
    fn best_effort_reports_that_landlock_is_not_built_in() {
        check_without_landlock(libc::ENOSYS);
    }
}

for_both_users! {
    fn best_effort_reports_that_landlock_is_switched_off() {
        check_without_landlock(libc::EOPNOTSUPP);
    }
}

#[test]
fn best_effort_grants_what_it_can() {
    isolated!(|| {
        let tree = Tree::new();
        let report = policy()
            .mode(Mode::BestEffort)
            .preopens([
                directory(tree.granted(), Access::READ),
                directory(tree.root().join("nowhere"), Access::READ),
                file(tree.outside(), Access::READ),
            ])
            .enforce()
            .unwrap();
        assert!(report.enforced);
        let statuses: Vec<Status> = report.preopens.iter().map(|p| p.status).collect();
        assert_eq!(
            statuses,
            [Status::Granted, Status::NotGranted, Status::NotGranted]
        );
        assert_eq!(report.warnings.len(), 2, "{report}");
        assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));
        assert_eq!(ask::open_read(tree.outside().join("file")), DENIED);
        assert!(fs::metadata(tree.outside()).is_ok());
    });
}
