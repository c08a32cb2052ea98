//! The operator's variables beside the mode: paths that the first policy reserves, and the scope.

use std::{ffi::OsStr, fs, path::Path};

use wasix_landlock::{
    Access, Error, Mode, OperatorError, PathError, PrepareError, RESERVE_VARIABLE, Report,
    RuntimePathStatus, SCOPE_VARIABLE, Scope,
};
use wasix_landlock_testing::{ask, isolated, with_variable};

use crate::common::{DENIED, Tree, directory, file, without_what_lacks};

/// A policy whose mode is the environment's, as that of an unchanged program.
fn policy() -> wasix_landlock::Policy {
    without_what_lacks(wasix_landlock::Policy::default())
}

/// Runs `body` with this value of [`RESERVE_VARIABLE`].
fn reserving(value: impl AsRef<OsStr>, body: impl FnOnce()) {
    with_variable(RESERVE_VARIABLE, Some(value.as_ref()), body);
}

/// Returns the status of each reserved path in a report.
fn reserved(report: &Report) -> Vec<(&str, &RuntimePathStatus)> {
    let paths = report.runtime_paths.iter();
    let reserved = paths.filter(|path| path.reason == RESERVE_VARIABLE);
    reserved.map(|p| (p.path.as_str(), &p.status)).collect()
}

#[track_caller]
fn assert_operator_error(error: PrepareError, variable: &str) {
    assert!(error.to_string().contains(variable), "{error}");
    assert!(matches!(error, PrepareError::Operator(_)), "{error}");
}

for_both_users! {
    fn a_later_policy_may_use_what_the_operator_reserves() {
        let tree = Tree::new();
        let base = tree.root().join("base");
        for name in ["one", "two"] {
            fs::create_dir_all(base.join(name)).unwrap();
            fs::write(base.join(name).join("file"), "content").unwrap();
        }
        reserving(&base, || {
            let report = policy()
                .preopen(directory(base.join("one"), Access::ALL))
                .enforce()
                .unwrap();
            assert_eq!(
                reserved(&report),
                [(base.to_str().unwrap(), &RuntimePathStatus::Granted)]
            );
            let second = policy()
                .preopen(directory(base.join("two"), Access::ALL))
                .enforce()
                .unwrap();
            assert!(second.joined && reserved(&second).is_empty());
            let new = base.join("two/new");
            policy().preopen(file(&new, Access::ALL)).enforce().unwrap();
            // What lies outside is protected as before.
            let outside = directory(tree.outside(), Access::READ);
            policy().preopen(outside).enforce().unwrap_err();
            assert_eq!(ask::open_read(tree.outside().join("file")), DENIED);
            assert_eq!(ask::open_write(base.join("one/file")), Ok(()));
        });
    }
}

#[test]
fn several_paths_can_be_reserved() {
    isolated!(|| {
        let tree = Tree::new();
        let both = std::env::join_paths([tree.granted(), tree.outside()]).unwrap();
        reserving(both, || {
            let report = policy().enforce().unwrap();
            assert_eq!(reserved(&report).len(), 2);
            assert_eq!(ask::open_write(tree.granted().join("file")), Ok(()));
            assert_eq!(ask::open_write(tree.outside().join("file")), Ok(()));
            assert_eq!(ask::open_read(tree.root()), DENIED);
        });
    });
}

#[test]
fn nothing_is_reserved_without_the_variable() {
    isolated!(|| {
        let tree = Tree::new();
        for empty in [None, Some(OsStr::new(""))] {
            with_variable(RESERVE_VARIABLE, empty, || {
                let report = policy().prepare().unwrap().report().clone();
                assert!(reserved(&report).is_empty());
            });
        }
        policy().enforce().unwrap();
        assert_eq!(ask::open_read(tree.granted().join("file")), DENIED);
    });
}

#[test]
fn a_value_that_names_no_absolute_path_is_an_error() {
    isolated!(|| {
        for value in ["srv", "/srv:", ":/srv", "/srv::/tmp", "/srv:./tmp"] {
            reserving(value, || {
                let error = policy().prepare().unwrap_err();
                assert_operator_error(error, RESERVE_VARIABLE);
            });
        }
        assert_eq!(ask::open_read("/"), Ok(()));
    });
}

#[test]
fn a_reserved_path_has_to_be_there() {
    isolated!(|| {
        let tree = Tree::new();
        let missing = tree.root().join("missing");
        reserving(&missing, || {
            let error = policy().prepare().unwrap_err();
            let text = error.to_string();
            assert!(text.contains(RESERVE_VARIABLE), "{text}");
            assert!(text.contains(missing.to_str().unwrap()), "{text}");
            let PrepareError::Path { problem, .. } = error else {
                panic!("{text}");
            };
            assert!(matches!(problem, PathError::Missing), "{problem}");
        });
        reserving("/dev/null", || {
            let error = policy().prepare().unwrap_err();
            assert!(matches!(error, PrepareError::Path { .. }), "{error}");
        });
    });
}

#[test]
fn a_program_that_sets_its_mode_ignores_the_variables() {
    isolated!(|| {
        let tree = Tree::new();
        reserving("nonsense", || {
            with_variable(SCOPE_VARIABLE, Some(OsStr::new("nonsense")), || {
                let policy = policy().mode(Mode::Enforce);
                assert_eq!(policy.operator_scope().unwrap(), Scope::Process);
                policy.enforce().unwrap();
            });
        });
        // So that the message doesn't name them.
        let error = policy().preopen(directory(tree.granted(), Access::READ));
        let error = error.prepare().unwrap_err().to_string();
        assert!(!error.contains(RESERVE_VARIABLE), "{error}");
        assert!(!error.contains(SCOPE_VARIABLE), "{error}");
    });
}

/// The message about a policy for `second` after one for `first`.
fn refused(first: &Path, second: &Path) -> String {
    let first = directory(first, Access::READ);
    policy().preopen(first).enforce().unwrap();
    let second = policy().preopen(directory(second, Access::READ)).prepare();
    second.unwrap_err().to_string()
}

#[test]
fn the_message_names_the_line_that_reserves_what_is_missing() {
    isolated!(|| {
        let tree = Tree::new();
        let error = refused(&tree.granted(), &tree.outside());
        let root = fs::canonicalize(tree.root()).unwrap();
        let line = format!("{RESERVE_VARIABLE}={} ", root.display());
        assert!(error.contains(&line), "{error}");
        let line = format!("{SCOPE_VARIABLE}=instance ");
        assert!(error.contains(&line), "{error}");
    });
}

#[test]
fn the_message_reserves_no_directory_of_the_root() {
    isolated!(|| {
        let error = refused(Path::new("/usr/share"), Path::new("/usr/lib"));
        let lib = fs::canonicalize("/usr/lib").unwrap();
        let line = format!("{RESERVE_VARIABLE}={} ", lib.display());
        assert!(error.contains(&line), "{error}");
    });
}

#[test]
fn the_message_keeps_what_is_reserved_already() {
    isolated!(|| {
        let tree = Tree::new();
        reserving(tree.granted(), || {
            let error = refused(Path::new("/usr/share"), &tree.outside());
            let outside = fs::canonicalize(tree.outside()).unwrap();
            let [granted, outside] = [tree.granted(), outside].map(|p| p.display().to_string());
            let line = format!("{RESERVE_VARIABLE}={granted}:{outside} ");
            assert!(error.contains(&line), "{error}");
        });
    });
}

/// Returns the scope that a policy gets with this value of [`SCOPE_VARIABLE`].
fn operator_scope(value: &str, mode: Option<Mode>) -> Result<Scope, PrepareError> {
    let mut scope = None;
    with_variable(SCOPE_VARIABLE, Some(OsStr::new(value)), || {
        let policy = match mode {
            Some(mode) => policy().mode(mode),
            None => policy(),
        };
        scope = Some(policy.operator_scope());
    });
    scope.unwrap()
}

#[test]
fn the_variable_names_the_scope() {
    isolated!(|| {
        assert_eq!(policy().operator_scope().unwrap(), Scope::Process);
        for (value, scope) in [
            ("", Scope::Process),
            ("process", Scope::Process),
            ("instance", Scope::Instance),
        ] {
            assert_eq!(operator_scope(value, None).unwrap(), scope, "{value}");
        }
        for value in ["worker", "Instance", " instance", "instances"] {
            let error = operator_scope(value, None).unwrap_err();
            let PrepareError::Operator(OperatorError::Scope { value: shown }) = &error else {
                panic!("{error}");
            };
            assert_eq!(shown, value);
            assert_operator_error(error, SCOPE_VARIABLE);
        }
    });
}

#[test]
fn a_restricted_thread_gets_no_instance_of_its_own() {
    isolated!(|| {
        let instance = std::thread::spawn(|| {
            policy().scope(Scope::Instance).enforce().unwrap();
            operator_scope("instance", None).unwrap()
        });
        assert_eq!(instance.join().unwrap(), Scope::Process);
        assert_eq!(operator_scope("instance", None).unwrap(), Scope::Instance);
        let off = with_mode_off(|| operator_scope("instance", None).unwrap());
        assert_eq!(off, Scope::Process);
        let report: Result<_, Error> = policy().enforce();
        assert!(report.unwrap().enforced);
        assert_eq!(operator_scope("instance", None).unwrap(), Scope::Process);
    });
}

fn with_mode_off(ask: impl FnOnce() -> Scope) -> Scope {
    let mut scope = None;
    let off = Some(OsStr::new("off"));
    with_variable(wasix_landlock::MODE_VARIABLE, off, || scope = Some(ask()));
    scope.unwrap()
}
