//! The harness reports what happened, failure above all.
#![cfg(target_os = "linux")]

use std::{env, process, thread, time::Duration};

use wasix_landlock_testing::{self as testing, ask, isolated, limits, run, threads};

#[test]
fn a_child_that_succeeds_lets_the_parent_succeed() {
    isolated!(|| {
        println!("some output");
        assert!(ask::open_read("/").is_ok());
    });
}

#[test]
fn a_child_that_panics_fails_the_parent() {
    let failure = run(
        "a_child_that_panics_fails_the_parent",
        testing::TIMEOUT,
        || panic!("on purpose"),
    )
    .expect_err("the child panics");
    assert!(failure.contains("failed: exit status"), "{failure}");
    assert!(failure.contains("on purpose"), "{failure}");
}

#[test]
fn a_body_that_never_runs_fails_the_parent() {
    let failure =
        run("no_such_test", testing::TIMEOUT, || {}).expect_err("the child runs no test at all");
    assert!(failure.contains("never came to the end"), "{failure}");
}

#[test]
fn a_body_that_leaves_early_fails_the_parent() {
    let failure = run(
        "a_body_that_leaves_early_fails_the_parent",
        testing::TIMEOUT,
        || process::exit(0),
    )
    .expect_err("the child ends before its body does");
    assert!(failure.contains("never came to the end"), "{failure}");
}

#[test]
fn a_child_that_dies_fails_the_parent() {
    let failure = run(
        "a_child_that_dies_fails_the_parent",
        testing::TIMEOUT,
        || process::abort(),
    )
    .expect_err("the child aborts");
    assert!(failure.contains("died of signal 6"), "{failure}");
}

#[test]
fn a_child_that_hangs_is_killed() {
    let failure = run(
        "a_child_that_hangs_is_killed",
        Duration::from_millis(500),
        || thread::sleep(Duration::from_secs(3600)),
    )
    .expect_err("the child sleeps");
    assert!(failure.contains("took over 500ms"), "{failure}");
}

#[test]
fn an_ordinary_user_may_not_read_what_is_roots() {
    isolated!(|| {
        testing::as_ordinary_user(|| {
            assert_eq!(ask::open_read("/etc/shadow"), Err(libc::EACCES));
            assert_eq!(ask::open_read("/proc/self/mem"), Ok(()));
        });
    });
}

#[test]
fn a_system_call_fails_as_told() {
    isolated!(|| {
        env::set_current_dir("/").expect("it isn't filtered yet");
        limits::fail_system_call(libc::SYS_chdir, libc::EOPNOTSUPP);
        let error = env::set_current_dir("/").expect_err("it is filtered");
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
    });
}

#[test]
fn a_thread_that_has_ended_has_no_flags() {
    isolated!(|| {
        assert_eq!(threads::no_new_privs(threads::current()), Some(false));
        let ended = thread::spawn(threads::current)
            .join()
            .expect("it only ends");
        // The kernel lists a thread a little longer than its end can be waited for.
        while threads::all().contains(&ended) {
            thread::yield_now();
        }
        assert_eq!(threads::no_new_privs(ended), None);
    });
}
