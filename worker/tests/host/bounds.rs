//! The host bounds what it keeps of a worker.

use std::fs;

use wasix_landlock_testing::isolated;
use wasix_landlock_worker::{End, WorkerStreams};

use crate::common::{request, rogue};

const MIB: u64 = 1 << 20;

/// The most memory that this process has had.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib << 10
}

#[test]
fn who_sends_without_end_is_ended_and_nothing_of_it_is_kept() {
    isolated!(|| {
        let before = peak();
        for (kind, name) in [("11", "a report"), ("12", "an artifact"), ("13", "an end")] {
            let endless = format!("endless={kind}");
            let acts: &[&str] = if kind == "11" {
                &[&endless]
            } else {
                &["report", &endless]
            };
            let asked = request().give_artifact();
            let mut worker = rogue(acts).spawn(&asked, WorkerStreams::none()).unwrap();
            let end = worker.wait(None).unwrap().end;
            let End::Violated(why) = end else {
                panic!("{end:?}");
            };
            assert!(
                why.contains(name) && why.contains("1073741824 bytes"),
                "{why}"
            );
        }
        assert!(peak() - before < 16 * MIB, "{} more", peak() - before);
    });
}

#[test]
fn an_artifact_has_a_bound_of_its_own() {
    isolated!(|| {
        let asked = request().give_artifact().largest_artifact(2 * MIB);
        let end = |size: u64| {
            let artifact = format!("artifact={size}");
            let acts = ["report", &artifact, "end={\"Exited\":0}", "exit=0"];
            let mut worker = rogue(&acts).spawn(&asked, WorkerStreams::none()).unwrap();
            worker.wait(None).unwrap().end
        };
        assert_eq!(end(2 * MIB), End::Exited(0));
        let refused = end(2 * MIB + 1);
        assert!(
            matches!(&refused, End::Violated(why) if why.contains("2097152")),
            "{refused:?}"
        );
    });
}
