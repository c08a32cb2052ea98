//! Workers that wait before there is a request for them.

use std::{collections::HashSet, fs, process};

use wasix_landlock_testing::isolated;
use wasix_landlock_worker::{Access, End, Input, Launcher, Mode, Request};

use crate::{
    common::{Programs, Tenants, answers, finish, for_both_users},
    guests,
    parents::{ends, kill, left_behind, state_and_parent},
};

/// The processes that this one has started and that have not ended.
pub fn children() -> HashSet<u32> {
    let own = process::id();
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number: &u32| {
            state_and_parent(*number).is_some_and(|(state, parent)| state != "Z" && parent == own)
        })
        .collect()
}

for_both_users! {
    fn each_request_gets_a_process_that_waited_and_its_own_grants(programs) {
        let tenants = Tenants::new(2);
        let pool = programs.asking([tenants.file(0), tenants.file(1)]).pool(2).unwrap();
        let waited = children();
        assert_eq!(waited.len(), 2);
        let mut used = HashSet::new();
        for number in 0..6 {
            let own = number % 2;
            let request = Request::module(guests::copies_input())
                .profile(tenants.shown(own, Access::READ));
            let (input, end) = std::io::pipe().unwrap();
            let mut worker = pool.spawn(&request, Input::Reader(Box::new(input))).unwrap();
            assert!(used.insert(worker.id()));
            assert_eq!(waited.contains(&worker.id()), number < 2);
            let mut expected = [Err(13), Err(13)];
            expected[own] = Ok(());
            assert_eq!(answers(&mut worker), expected);
            drop(end);
            let (outcome, _) = finish(worker);
            assert_eq!(outcome.end, End::Exited(0));
            assert!(outcome.report.unwrap().enforced);
        }
    }
}

#[test]
fn a_worker_that_ended_while_it_waited_is_not_used() {
    isolated!(|| {
        let programs = Programs::copy();
        let pool = programs.launcher().pool(2).unwrap();
        for number in children() {
            kill(number);
            assert!(ends(&number.to_string()));
        }
        let request = Request::module(guests::counts());
        for _ in 0..3 {
            let (outcome, _) = finish(pool.spawn(&request, Input::Empty).unwrap());
            assert_eq!(outcome.end, End::Exited(10));
        }
    });
}

#[test]
fn a_request_of_another_mode_gets_a_process_of_that_mode() {
    isolated!(|| {
        let programs = Programs::copy();
        let pool = programs.launcher().pool(1).unwrap();
        let waited = children();
        let request = Request::module(guests::counts()).mode(Mode::BestEffort);
        let worker = pool.spawn(&request, Input::Empty).unwrap();
        assert!(!waited.contains(&worker.id()));
        let (outcome, _) = finish(worker);
        assert_eq!(outcome.report.unwrap().mode, Mode::BestEffort);
        assert_eq!(children(), waited);
    });
}

#[test]
fn those_that_wait_end_with_the_pool_and_with_the_host() {
    isolated!(|| {
        let programs = Programs::copy();
        let pool = programs.launcher().pool(3).unwrap();
        assert_eq!(children().len(), 3);
        drop(pool);
        assert_eq!(children().len(), 0);

        let left = left_behind(|| {
            let pool = programs.launcher().pool(2).unwrap();
            let numbers = children().into_iter().collect();
            std::mem::forget(pool);
            numbers
        });
        assert_eq!(left.len(), 2);
        assert!(left.iter().all(|number| ends(number)));
    });
}

/// A message from before the request counts as one from after it.
#[test]
fn a_request_is_sent_to_a_worker_that_has_spoken_before() {
    isolated!(|| {
        let programs = Programs::copy();
        let launcher = Launcher::new("/bin/sh")
            .argument("-c")
            .argument("printf 'xnonsense' >&0; exec sleep 60")
            .argument(programs.worker());
        let pool = launcher.pool(1).unwrap();
        let request = Request::module(guests::counts());
        let (outcome, _) = finish(pool.spawn(&request, Input::Empty).unwrap());
        assert!(matches!(outcome.end, End::Violated(_)), "{outcome:?}");
    });
}
