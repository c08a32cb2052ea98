//! The resource limits of a worker, and the traces that it leaves.

use std::fs;

use nix::libc;
use wasix_landlock::{Mode, Protection};
use wasix_landlock_testing::{as_ordinary_user, is_root, isolated, limits::fail_system_call, skip};
use wasix_landlock_worker::{Access, End, Level, Profile, Request, WorkerStreams};

use crate::{
    common::{Programs, Tenants, answers, finish, for_both_users, is_there},
    guests,
};

/// `fbig` of WASI, and `io`, which the WASI layer makes of errors that it doesn't know.
const TOO_LARGE: [i32; 2] = [22, 29];
const KIB: u64 = 1 << 10;

for_both_users! {
    fn a_file_grows_to_its_limit(programs) {
        let tenants = Tenants::new(1);
        let run = |request: Request| {
            fs::write(tenants.file(0), "").unwrap();
            let request = request.profile(tenants.shown(0, Access::READ_WRITE));
            let worker = programs.launcher().spawn(&request, WorkerStreams::piped()).unwrap();
            let end = finish(worker).0.end;
            (end, fs::metadata(tenants.file(0)).unwrap().len())
        };
        let module = || Request::module(guests::fills_file());
        assert_eq!(run(module()), (End::Exited(0), 64 * KIB));
        assert_eq!(run(module().file_size(64 * KIB)), (End::Exited(0), 64 * KIB));
        let (end, length) = run(module().file_size(8 * KIB));
        assert!(matches!(end, End::Exited(error) if TOO_LARGE.contains(&error)), "{end:?}");
        assert_eq!(length, 8 * KIB);
    }
}

for_both_users! {
    fn no_core_is_dumped(programs) {
        let request = Request::module(guests::hangs());
        let mut worker = programs.launcher().spawn(&request, WorkerStreams::piped()).unwrap();
        is_there(&mut worker);
        let process = format!("/proc/{}", worker.id());
        let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let numbers: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
        assert_eq!(numbers, ["0", "0"]);
        if !is_root() {
            // The kernel neither dumps it, nor shows its memory to others of its user.
            assert!(fs::read_dir(format!("{process}/fd")).is_err());
            assert!(fs::read_dir("/proc/self/fd").is_ok());
        }
    }
}

/// Many, as the kernel counts what else this user runs here.
#[test]
fn an_ordinary_users_threads_are_limited() {
    isolated!(|| {
        let programs = Programs::copy();
        as_ordinary_user(|| {
            let start = |request: Request| {
                let go = std::env::temp_dir().join("go");
                let questions = ["threads=3000".to_owned(), format!("when={}", go.display())];
                let launcher = programs.asking(questions);
                let mut worker = launcher.spawn(&request, WorkerStreams::piped()).unwrap();
                is_there(&mut worker);
                fs::write(&go, "").unwrap();
                let answers = answers(&mut worker);
                fs::remove_file(go).unwrap();
                answers
            };
            let request = || Request::module(guests::hangs());
            if start(request()) != [Ok(())] {
                skip!("this machine doesn't let an ordinary user have 3000 threads");
            }
            assert_eq!(start(request().tasks(1500)), [Err(11)]);
        });
    });
}

#[test]
fn a_worker_without_its_own_filter_is_none_unless_best_effort_will_do() {
    isolated!(|| {
        let programs = Programs::copy();
        let filtered = [Protection::Tcp, Protection::Udp, Protection::OtherSockets];
        let without_filter = filtered
            .into_iter()
            .fold(Profile::as_without(), |profile, protection| {
                profile.protect(protection, Level::Off)
            });
        let run = |mode: Mode| {
            // Else the policy's own filter can't be had either, which comes first.
            let request = Request::module(guests::counts())
                .mode(mode)
                .harden(false)
                .profile(without_filter.clone());
            let launcher = programs.launcher();
            finish(launcher.spawn(&request, WorkerStreams::piped()).unwrap()).0
        };
        assert_eq!(run(Mode::Enforce).end, End::Exited(10));
        // It is the calling thread's, and so the worker's, whichever thread starts that.
        fail_system_call(libc::SYS_seccomp, libc::EINVAL);
        let lacks = |text: &String| text.contains("own filter");
        match run(Mode::Enforce).end {
            End::Failed(why) => assert!(lacks(&why), "{why}"),
            end => panic!("{end:?}"),
        }
        let outcome = run(Mode::BestEffort);
        assert_eq!(outcome.end, End::Exited(10));
        let report = outcome.report.unwrap();
        assert!(
            report.enforced && report.not_enforced.iter().any(lacks),
            "{report}"
        );
    });
}
