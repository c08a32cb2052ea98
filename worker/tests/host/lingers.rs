//! The host waits for the worker's process, whoever else holds its socket, and does nothing meanwhile.

use std::{
    fs,
    io::{BufRead, BufReader},
    time::Duration,
};

use nix::sys::resource::{UsageWho, getrusage};
use wasix_landlock_testing::isolated;
use wasix_landlock_worker::{End, Worker};

use crate::common::start;

/// The number of the process that the worker has left behind.
fn child(worker: &mut Worker) -> String {
    let mut line = String::new();
    let output = worker.output().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// True if a process is there and has the other end of a socket as its standard input.
fn holds_a_socket(process: &str) -> bool {
    fs::read_link(format!("/proc/{process}/fd/0"))
        .is_ok_and(|what| what.to_string_lossy().starts_with("socket:"))
}

/// True if a process has ended, waited for or not.
fn has_ended(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    status.is_empty() || status.contains(") Z ")
}

#[test]
fn a_child_that_holds_the_socket_is_not_waited_for() {
    isolated!(|| {
        for time in [None, Some(Duration::from_secs(20))] {
            let mut worker = start(&["child", "exit=3"]);
            let child = child(&mut worker);
            assert_eq!(worker.wait(time).unwrap().end, End::Vanished { status: 3 });
            assert!(holds_a_socket(&child));
            // Without such a child it is no different.
            let mut worker = start(&["exit=3"]);
            assert_eq!(worker.wait(time).unwrap().end, End::Vanished { status: 3 });
        }
    });
}

#[test]
fn what_was_said_before_the_end_is_heard_although_a_child_holds_the_socket() {
    isolated!(|| {
        let mut worker = start(&["child", "report", "end={\"Exited\":7}", "exit=0"]);
        let child = child(&mut worker);
        let outcome = worker.wait(None).unwrap();
        assert_eq!(outcome.end, End::Exited(7));
        assert!(outcome.report.unwrap().enforced);
        assert!(holds_a_socket(&child));
    });
}

#[test]
fn a_worker_that_has_ended_is_not_overdue() {
    isolated!(|| {
        for acts in [&["exit=3"][..], &["child", "exit=3"]] {
            let mut worker = start(acts);
            // Its end is seen before it is asked about, and no time is left then.
            while !has_ended(worker.id()) {
                std::thread::yield_now();
            }
            let end = worker.wait(Some(Duration::ZERO)).unwrap().end;
            assert_eq!(end, End::Vanished { status: 3 });
        }
        // One that runs is.
        let mut worker = start(&[]);
        assert_eq!(worker.wait(Some(Duration::ZERO)).unwrap().end, End::Overdue);
    });
}

#[test]
fn the_outcome_stays_what_it_was() {
    isolated!(|| {
        let mut worker = start(&["report", "end={\"Exited\":7}", "exit=0"]);
        let first = worker.wait(None).unwrap();
        assert_eq!(first.end, End::Exited(7));
        worker.kill().unwrap();
        assert_eq!(worker.wait(None).unwrap(), first);
    });
}

#[test]
fn nothing_is_done_while_a_worker_is_waited_for() {
    isolated!(|| {
        let mut worker = start(&["deaf"]);
        let before = times_asleep();
        assert_eq!(worker.wait(None).unwrap().end, End::Vanished { status: 0 });
        // It took a second. Who looks every millisecond has slept a thousand times.
        let slept = times_asleep() - before;
        assert!(slept < 100, "{slept}");
    });
}

/// The number of times that threads of this process have gone to sleep, those that have ended too.
fn times_asleep() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF)
        .unwrap()
        .voluntary_context_switches()
}
