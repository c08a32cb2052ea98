//! Workers that are copies of one process.

use std::{
    collections::HashSet,
    fs::{self, File},
    thread,
    time::Duration,
};

use wasix_landlock::MODE_VARIABLE;
use wasix_landlock_testing::{isolated, with_variable};
use wasix_landlock_worker::{Access, End, ForkServer, Input, Launcher, Mode, Request, Worker};

use crate::{
    common::{PATIENCE, Programs, Tenants, answers, finish, for_both_users, is_there},
    guests, inherits,
    parents::{ends, has_ended, kill, left_behind, state_and_parent},
    pool::children,
};

/// The kernel's answer to a signal that a domain doesn't let out.
const EPERM: i32 = 1;

fn parent(worker: &Worker) -> u32 {
    state_and_parent(worker.id()).unwrap().1
}

/// Returns the one process that this one has started.
fn only_child() -> u32 {
    let children = children();
    assert_eq!(children.len(), 1, "{children:?}");
    children.into_iter().next().unwrap()
}

fn start(server: &ForkServer, module: Vec<u8>) -> Worker {
    server
        .spawn(&Request::module(module), Input::Empty)
        .unwrap()
}

for_both_users! {
    fn each_request_gets_a_copy_and_its_own_grants(programs) {
        let tenants = Tenants::new(2);
        let questions = ["copies".into(), tenants.file(0), tenants.file(1), "parent".into()];
        let server = programs.asking(questions).fork_server().unwrap();
        let process = only_child();
        let mut used = HashSet::new();
        for number in 0..4 {
            let own = number % 2;
            let request = Request::module(guests::copies_input())
                .profile(tenants.shown(own, Access::READ));
            let (input, end) = std::io::pipe().unwrap();
            let mut worker = server.spawn(&request, Input::Reader(Box::new(input))).unwrap();
            assert!(used.insert(worker.id()));
            assert_eq!(parent(&worker), process);
            let mut expected = vec![Err(13), Err(13), Err(EPERM)];
            expected[own] = Ok(());
            assert_eq!(answers(&mut worker), expected);
            drop(end);
            let (outcome, _) = finish(worker);
            assert_eq!(outcome.end, End::Exited(0));
            assert!(outcome.report.unwrap().enforced);
        }
        // A request of another mode gets a process of its own.
        let mut worker = server.spawn(&Request::module(guests::hangs()).mode(Mode::Off), Input::Empty).unwrap();
        assert_ne!(parent(&worker), process);
        worker.kill().unwrap();
    }
}

#[test]
fn a_copy_asks_and_gets_what_is_not_enforced() {
    isolated!(|| {
        let programs = Programs::copy();
        let tenants = Tenants::new(1);
        let questions = ["copies".into(), tenants.file(0), "parent".into()];
        with_variable(MODE_VARIABLE, Some("off".as_ref()), || {
            let server = programs.asking(&questions).fork_server().unwrap();
            let mut worker = start(&server, guests::hangs());
            assert_eq!(parent(&worker), only_child());
            assert_eq!(answers(&mut worker), [Ok(()), Ok(())]);
        });
    });
}

#[test]
fn a_copy_has_no_variables_and_no_descriptors_of_others() {
    isolated!(|| {
        let mode = inherits::mode().to_string();
        with_variable(MODE_VARIABLE, Some(mode.as_ref()), || {
            let programs = Programs::copy();
            let _open = File::open("/etc/passwd").unwrap();
            let server = programs.launcher().fork_server().unwrap();
            let mut workers = [0, 1].map(|_| start(&server, guests::hangs()));
            workers.iter_mut().for_each(is_there);
            let process = parent(&workers[0]);
            let environment = fs::read_to_string(format!("/proc/{}/environ", workers[0].id()));
            assert_eq!(environment.unwrap(), format!("{MODE_VARIABLE}={mode}\0"));
            // Sockets and pipes have numbers; the host's errors may be any file.
            let numbered = |process| {
                let mut descriptors = inherits::descriptors(process);
                descriptors.retain(|it| it.starts_with("socket:") || it.starts_with("pipe:"));
                descriptors
            };
            let [first, second] = [0, 1].map(|worker| numbered(workers[worker].id()));
            assert!(first.len() >= 3, "{first:?}");
            assert_eq!(first.len(), second.len());
            assert!(first.is_disjoint(&second), "{first:?} {second:?}");
            let sockets = numbered(process);
            let mut sockets = sockets.iter().filter(|it| it.starts_with("socket:"));
            assert!(sockets.all(|it| !first.contains(it) && !second.contains(it)));
        });
    });
}

#[test]
fn however_one_ends_the_others_go_on() {
    isolated!(|| {
        let programs = Programs::copy();
        let server = programs.launcher().fork_server().unwrap();
        let (reader, input) = std::io::pipe().unwrap();
        let request = Request::module(guests::copies_input());
        let neighbour = server
            .spawn(&request, Input::Reader(Box::new(reader)))
            .unwrap();

        assert_eq!(
            finish(start(&server, guests::counts())).0.end,
            End::Exited(10)
        );
        let trapped = finish(start(&server, guests::does("unreachable"))).0.end;
        assert!(matches!(trapped, End::Trapped(_)), "{trapped:?}");
        let failed = finish(start(&server, b"nonsense".to_vec())).0.end;
        assert!(matches!(failed, End::Failed(_)), "{failed:?}");

        let mut hangs = start(&server, guests::hangs());
        is_there(&mut hangs);
        let overdue = hangs.wait(Some(Duration::from_millis(50))).unwrap();
        assert_eq!(overdue.end, End::Overdue);
        let mut hangs = start(&server, guests::hangs());
        is_there(&mut hangs);
        hangs.kill().unwrap();
        assert_eq!(hangs.wait(PATIENCE).unwrap().end, End::Died { signal: 9 });
        let mut hangs = start(&server, guests::hangs());
        is_there(&mut hangs);
        kill(hangs.id());
        assert_eq!(hangs.wait(PATIENCE).unwrap().end, End::Died { signal: 9 });
        let dropped = start(&server, guests::hangs());
        let id = dropped.id().to_string();
        drop(dropped);
        assert!(has_ended(&id));

        drop(input);
        assert_eq!(finish(neighbour).0.end, End::Exited(0));
    });
}

#[test]
fn many_at_once_are_not_mixed_up() {
    isolated!(|| {
        let programs = Programs::copy();
        let server = programs.launcher().fork_server().unwrap();
        thread::scope(|scope| {
            for number in 0..6 {
                let server = &server;
                scope.spawn(move || {
                    for round in 0..6 {
                        let text = format!("{number} {round}");
                        let request = Request::module(guests::copies_input());
                        let input = Input::Bytes(text.clone().into_bytes());
                        let (outcome, copied) = finish(server.spawn(&request, input).unwrap());
                        assert_eq!((outcome.end, copied), (End::Exited(0), text));
                    }
                });
            }
        });
        assert_eq!(inherits::descriptors(only_child()).len(), FEW);
    });
}

/// The descriptors of a process that makes copies, between two of them: its streams, of which two are the same, its socket
/// once more, and the one for the ends of copies.
const FEW: usize = 4;

#[test]
fn a_worker_outlives_the_handle_and_not_the_process() {
    isolated!(|| {
        let programs = Programs::copy();
        let server = programs.launcher().fork_server().unwrap();
        let (reader, input) = std::io::pipe().unwrap();
        let request = Request::module(guests::copies_input());
        let worker = server
            .spawn(&request, Input::Reader(Box::new(reader)))
            .unwrap();
        let process = only_child();
        drop(server);
        drop(input);
        assert_eq!(finish(worker).0.end, End::Exited(0));
        assert!(ends(&process.to_string()));

        let server = programs.launcher().fork_server().unwrap();
        let mut worker = start(&server, guests::hangs());
        is_there(&mut worker);
        kill(only_child());
        assert!(ends(&worker.id().to_string()));
        let error = worker.wait(PATIENCE).unwrap_err().to_string();
        assert!(
            error.contains("has ended, and its workers with it"),
            "{error}"
        );
        let request = Request::module(guests::hangs());
        let error = server
            .spawn(&request, Input::Empty)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&programs.worker().display().to_string()),
            "{error}"
        );
    });
}

#[test]
fn the_end_of_a_copy_is_reported_although_the_host_ignores_the_ends_of_its_children() {
    isolated!(|| {
        let programs = Programs::copy();
        let launcher = Launcher::new("/bin/sh")
            .argument("-c")
            .argument("trap '' CHLD; exec \"$0\"")
            .argument(programs.worker());
        let server = launcher.fork_server().unwrap();
        let (outcome, _) = finish(start(&server, guests::counts()));
        assert_eq!(outcome.end, End::Exited(10));
    });
}

#[test]
fn copies_end_with_the_host() {
    isolated!(|| {
        let programs = Programs::copy();
        let left = left_behind(|| {
            let server = programs.launcher().fork_server().unwrap();
            let mut worker = start(&server, guests::hangs());
            is_there(&mut worker);
            let processes = vec![only_child(), worker.id()];
            std::mem::forget((server, worker));
            processes
        });
        assert_eq!(left.len(), 2);
        assert!(left.iter().all(|process| ends(process)));
    });
}

#[test]
fn a_program_that_cannot_be_copied_is_an_error() {
    isolated!(|| {
        let programs = Programs::copy();
        // This one has a thread of its own.
        for launcher in [programs.asking(["/"]), Launcher::new("/bin/true")] {
            let server = launcher.fork_server().unwrap();
            let request = Request::module(guests::counts());
            let error = server.spawn(&request, Input::Empty).unwrap_err();
            assert!(error.to_string().contains("can't be started"), "{error}");
        }
        let missing = Launcher::new("/nowhere").fork_server().unwrap_err();
        assert!(missing.to_string().contains("/nowhere"), "{missing}");
        // Its parent is a shell, which is not the host.
        let launcher = Launcher::new("/bin/sh")
            .argument("-c")
            .argument("\"$0\"; exit")
            .argument(programs.worker());
        let server = launcher.fork_server().unwrap();
        let request = Request::module(guests::counts());
        assert!(server.spawn(&request, Input::Empty).is_err());
    });
}
