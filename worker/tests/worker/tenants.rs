//! Each reaches its own files and not its neighbour's.

use wasix_landlock::{Mode, POLICY_VARIABLE, Scope};
use wasix_landlock_testing::{isolated, with_variable};
use wasix_landlock_worker::{Access, End, Input, Launcher, Profile, Request, WorkerStreams};

use crate::{
    common::{COMPILERS, PATIENCE, Programs, Tenants, answers, finish, for_both_users, output},
    guests,
};

const DENIED: Result<(), i32> = Err(13);

for_both_users! {
    fn neither_of_two_tenants_reaches_the_others_file(programs) {
        let tenants = Tenants::new(2);
        let files = [tenants.file(0), tenants.file(1)];
        let launcher = programs.asking(&files);
        for compiler in COMPILERS {
            for own in 0..2 {
                let request = |tenant: usize| {
                    Request::module(guests::prints_file())
                        .compiler(compiler)
                        .profile(tenants.shown(tenant, Access::READ))
                };
                let run = |request: &Request| {
                    // Else the module could have come to its end before the kernel is asked.
                    let (input, end) = std::io::pipe().unwrap();
                    let streams = WorkerStreams::piped().input(Input::Reader(Box::new(input)));
                    let mut worker = launcher.spawn(request, streams).unwrap();
                    let asked = answers(&mut worker);
                    drop(end);
                    (asked, finish(worker))
                };
                let (asked, (outcome, printed)) = run(&request(own));
                let mut expected = [DENIED, DENIED];
                expected[own] = Ok(());
                assert_eq!(asked, expected, "{compiler}");
                assert_eq!((outcome.end, printed), (End::Exited(0), format!("tenant {own}")));
                let report = outcome.report.unwrap();
                assert_eq!((report.enforced, report.scope), (true, Scope::Worker));

                // With both granted, or with nothing enforced, it reaches both.
                let other = tenants.directory(1 - own);
                let both = tenants.shown(own, Access::READ);
                let both = both.preopen(|p| p.directory(other).alias("other").read(true));
                let both = request(own).profile(both.unwrap());
                assert_eq!(run(&both).0, [Ok(()), Ok(())]);
                let off = request(own).mode(Mode::Off);
                assert_eq!(run(&off).0, [Ok(()), Ok(())]);
            }
        }
    }
}

#[test]
fn a_policy_from_outside_is_the_workers_too() {
    isolated!(|| {
        let programs = Programs::copy();
        let tenants = Tenants::new(2);
        let launcher = programs.asking([tenants.file(0), tenants.file(1)]);
        let both = tenants
            .shown(0, Access::READ)
            .preopen(|p| p.directory(tenants.directory(1)).alias("other").read(true));
        let request = Request::module(guests::prints_file()).profile(both.unwrap());
        let run = || {
            let (input, end) = std::io::pipe().unwrap();
            let streams = WorkerStreams::piped().input(Input::Reader(Box::new(input)));
            let mut worker = launcher.spawn(&request, streams).unwrap();
            let asked = answers(&mut worker);
            drop(end);
            (asked, finish(worker))
        };
        let (asked, _) = run();
        assert_eq!(asked, [Ok(()), Ok(())]);

        let policy = std::env::temp_dir().join("policy.toml");
        let text = format!(
            "[[preopen]]\nhost = {:?}\nkind = \"directory\"\nread = true\n",
            tenants.directory(0)
        );
        std::fs::write(&policy, text).unwrap();
        with_variable(POLICY_VARIABLE, Some(policy.as_os_str()), || {
            let (asked, (outcome, printed)) = run();
            assert_eq!(asked, [Ok(()), DENIED]);
            assert_eq!((outcome.end, &*printed), (End::Exited(0), "tenant 0"));
            let outside = outcome.report.unwrap().outside.unwrap();
            assert_eq!(outside.taken.len(), 1, "{outside:?}");
        });

        // A policy that can't be read leaves nothing to run.
        std::fs::write(&policy, "preopen = 1").unwrap();
        with_variable(POLICY_VARIABLE, Some(policy.as_os_str()), || {
            let mut worker = launcher.spawn(&request, WorkerStreams::none()).unwrap();
            let outcome = worker.wait(PATIENCE).unwrap();
            let End::Failed(failure) = &outcome.end else {
                panic!("{outcome:?}")
            };
            assert!(failure.to_string().contains("policy.toml"), "{failure}");
        });
    });
}

#[test]
fn a_hundred_at_once_reach_their_own_and_not_their_neighbours() {
    const COUNT: usize = 100;
    isolated!(|| {
        let programs = Programs::copy();
        let tenants = Tenants::new(COUNT);
        // Compiled once, so that they are all there at once.
        let text = guests::copies_input();
        let request = Request::module(text).give_artifact();
        let mut first = programs
            .launcher()
            .spawn(&request, WorkerStreams::none())
            .unwrap();
        let artifact = first.wait(PATIENCE).unwrap().artifact.unwrap();
        let (mut workers, mut inputs) = (Vec::new(), Vec::new());
        for number in 0..COUNT {
            let (input, end) = std::io::pipe().unwrap();
            let neighbour = (number + 1) % COUNT;
            let launcher: Launcher =
                programs.asking([tenants.file(number), tenants.file(neighbour)]);
            let request =
                Request::artifact(artifact.clone()).profile(tenants.shown(number, Access::READ));
            let streams = WorkerStreams::piped().input(Input::Reader(Box::new(input)));
            workers.push(launcher.spawn(&request, streams).unwrap());
            inputs.push(end);
        }
        for (number, worker) in workers.iter_mut().enumerate() {
            assert_eq!(answers(worker), [Ok(()), DENIED], "{number}");
        }
        // None has ended meanwhile.
        for worker in &workers {
            let status = std::fs::read_to_string(format!("/proc/{}/stat", worker.id())).unwrap();
            assert!(!status.contains(") Z "), "{status}");
        }
        drop(inputs);
        for mut worker in workers {
            let printed = output(&mut worker);
            let outcome = worker.wait(PATIENCE).unwrap();
            assert_eq!(outcome.end, End::Exited(0));
            assert!(outcome.report.unwrap().enforced);
            assert_eq!(printed.join().unwrap(), "");
        }
    });
}

#[test]
fn what_can_not_be_granted_is_a_failure_that_names_it() {
    isolated!(|| {
        let programs = Programs::copy();
        let missing = Profile::as_without()
            .preopen(|p| p.directory("/not/there").alias("data").read(true))
            .unwrap();
        let request = Request::module(guests::does("")).profile(missing);
        let mut worker = programs
            .launcher()
            .spawn(&request, WorkerStreams::none())
            .unwrap();
        let outcome = worker.wait(PATIENCE).unwrap();
        let End::Failed(why) = outcome.end else {
            panic!("{outcome:?}");
        };
        assert!(why.contains("/not/there"), "{why}");
        assert!(outcome.report.is_none());
    });
}
