//! A worker's messages are checked before they are used.

use wasix_landlock_testing::isolated;
use wasix_landlock_worker::{End, Outcome, WorkerStreams};

use crate::common::{request, rogue, start};

/// Returns the outcome of a worker that does this, and then goes on running unless it has been ended.
fn outcome(acts: &[&str]) -> Outcome {
    start(acts).wait(None).unwrap()
}

/// Returns the reason for which a worker that does this was ended.
fn violation(acts: &[&str]) -> String {
    match outcome(acts).end {
        End::Violated(why) => why,
        end => panic!("{acts:?}: {end:?}"),
    }
}

const EXITED: &str = "end={\"Exited\":0}";

#[test]
fn an_artifact_that_nobody_asked_for_ends_the_worker() {
    isolated!(|| {
        for acts in [&["artifact=10"][..], &["report", "artifact=10"]] {
            let why = violation(acts);
            assert!(
                why.contains("artifact") && why.contains("did not request"),
                "{why}"
            );
        }
        // One that was asked for is taken, once.
        let asked = |acts: &[&str]| {
            let launcher = rogue(acts);
            let mut worker = launcher.spawn(&request().give_artifact(), WorkerStreams::none());
            worker.as_mut().unwrap().wait(None).unwrap()
        };
        let taken = asked(&["report", "artifact=10", EXITED, "exit=0"]);
        assert_eq!(taken.end, End::Exited(0));
        assert_eq!(taken.artifact, Some(vec![0; 10]));
        for (acts, expected) in [
            (&["artifact=10"][..], "before the report"),
            (&["report", "artifact=1", "artifact=1"], "second artifact"),
            (&["report", EXITED], "without the requested artifact"),
        ] {
            match asked(acts).end {
                End::Violated(why) => assert!(why.contains(expected), "{why}"),
                end => panic!("{acts:?}: {end:?}"),
            }
        }
    });
}

#[test]
fn a_module_has_not_run_without_a_report() {
    isolated!(|| {
        for end in [EXITED, "end={\"Trapped\":\"\"}"] {
            let why = violation(&[end]);
            assert!(why.contains("without a report"), "{why}");
        }
        // It may have failed before.
        let failed = outcome(&["end={\"Failed\":\"why\"}", "exit=0"]);
        assert_eq!(failed.end, End::Failed("why".to_owned()));
        assert!(failed.report.is_none());
        let ran = outcome(&["report", EXITED, "exit=0"]);
        assert_eq!(ran.end, End::Exited(0));
        assert!(ran.report.unwrap().enforced);
    });
}

#[test]
fn a_report_of_something_else_is_none() {
    isolated!(|| {
        for (acts, expected) in [
            (&["report-off"][..], "mode off"),
            (&["report-of-a-process"], "scope process"),
            (&["report-nonsense"], "can't be parsed"),
            (&["report", "report"], "second report"),
        ] {
            let why = violation(acts);
            assert!(why.contains(expected), "{why}");
        }
    });
}

#[test]
fn an_end_that_only_the_host_can_tell_is_none() {
    isolated!(|| {
        for end in [
            "end=\"Overdue\"",
            "end={\"Died\":{\"signal\":9}}",
            "end={\"Vanished\":{\"status\":1}}",
            "end={\"Violated\":\"\"}",
            "end=",
        ] {
            let why = violation(&["report", end]);
            assert!(
                why.contains("the message about the end can't be parsed"),
                "{why}"
            );
        }
    });
}

#[test]
fn nothing_comes_after_the_end_nor_of_an_unknown_kind() {
    isolated!(|| {
        for acts in [
            &["report", EXITED, EXITED][..],
            &["report", EXITED, "kind=3"],
        ] {
            let why = violation(acts);
            assert!(why.contains("after the end"), "{why}");
        }
        let why = violation(&["report", "kind=77"]);
        assert!(why.contains("unknown kind 77"), "{why}");
    });
}

#[test]
fn a_message_controls_no_terminal() {
    isolated!(|| {
        let acts = ["report", "end={\"Trapped\":\"\\u001b[2J\"}", "exit=0"];
        let trapped = outcome(&acts).end;
        assert_eq!(trapped, End::Trapped("\\u{1b}[2J".to_owned()));
        // Nor does what is quoted of one.
        let why = violation(&["report", "end=\"\\u001b[2J\""]);
        assert!(
            why.contains("\\u{1b}[2J") && !why.contains('\u{1b}'),
            "{why}"
        );
    });
}

#[test]
fn an_end_is_none_of_a_process_that_failed() {
    isolated!(|| {
        let failed = outcome(&["report", EXITED, "exit=1"]);
        assert_eq!(failed.end, End::Vanished { status: 1 });
    });
}
