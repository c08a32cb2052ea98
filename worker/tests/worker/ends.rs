//! However one ends, the host is told, and the others go on.

use std::{fs, path::Path, thread, time::Duration};

use wasix_landlock_testing::{ask, isolated};
use wasix_landlock_worker::{End, Input, Profile, Request, Worker, WorkerStreams};

use crate::{
    common::{COMPILERS, PATIENCE, Programs, finish, for_both_users, is_there},
    guests,
};

/// One that waits for the end of its input, and whose output has to be `.` then.
struct Neighbour {
    worker: Worker,
    input: std::io::PipeWriter,
}

impl Neighbour {
    fn new(programs: &Programs) -> Self {
        let (reader, input) = std::io::pipe().unwrap();
        let request = Request::module(guests::copies_input());
        let streams = WorkerStreams::piped().input(Input::Reader(Box::new(reader)));
        let worker = programs.launcher().spawn(&request, streams).unwrap();
        Self { worker, input }
    }

    fn ends_well(mut self) {
        use std::io::Write as _;
        self.input.write_all(b".").unwrap();
        drop(self.input);
        let (outcome, text) = finish(self.worker);
        assert_eq!((outcome.end, text.as_str()), (End::Exited(0), "."));
    }
}

fn start(programs: &Programs, request: &Request) -> Worker {
    programs
        .launcher()
        .spawn(request, WorkerStreams::piped())
        .unwrap()
}

for_both_users! {
    fn by_itself(programs) {
        for compiler in COMPILERS {
            let module = |bytes| Request::module(bytes).compiler(compiler);
            let counted = module(guests::counts())
                .profile(Profile::as_without().argument("a").argument("b").environment("A", "B"));
            assert_eq!(finish(start(programs, &counted)).0.end, End::Exited(31));
            let input = WorkerStreams::piped().input(Input::Bytes(b"text".repeat(50_000)));
            let copied = programs.launcher().spawn(&module(guests::copies_input()), input).unwrap();
            let (outcome, text) = finish(copied);
            assert_eq!(outcome.end, End::Exited(0));
            assert!(text == "text".repeat(50_000));
        }
    }
}

for_both_users! {
    fn by_a_trap(programs) {
        let neighbour = Neighbour::new(programs);
        for compiler in COMPILERS {
            for what in ["unreachable", "(drop (i32.load (i32.const 0x7fffffff)))"] {
                let request = Request::module(guests::does(what)).compiler(compiler);
                let (outcome, _) = finish(start(programs, &request));
                assert!(matches!(outcome.end, End::Trapped(_)), "{outcome:?}");
            }
        }
        neighbour.ends_well();
    }
}

#[test]
fn by_not_being_a_module() {
    isolated!(|| {
        let programs = Programs::copy();
        let (outcome, _) = finish(start(&programs, &Request::module(*b"nonsense")));
        assert!(matches!(outcome.end, End::Failed(_)), "{outcome:?}");
        // It was restricted before it looked.
        assert!(outcome.report.unwrap().enforced);
    });
}

for_both_users! {
    fn by_a_signal(programs) {
        let neighbour = Neighbour::new(programs);
        for signal in [6, 9, 11] {
            let mut worker = start(programs, &Request::module(guests::hangs()));
            is_there(&mut worker);
            // The first SIGSEGV that is no fault of its own goes to Wasmer's handler, which gives way to the next.
            while !has_ended(worker.id()) {
                assert_eq!(ask::send_signal(worker.id(), signal), Ok(()));
                thread::sleep(Duration::from_millis(10));
            }
            let outcome = worker.wait(PATIENCE).unwrap();
            assert_eq!(outcome.end, End::Died { signal });
            assert!(outcome.report.unwrap().enforced);
        }
        let mut worker = start(programs, &Request::module(guests::hangs()));
        is_there(&mut worker);
        worker.kill().unwrap();
        assert_eq!(worker.wait(PATIENCE).unwrap().end, End::Died { signal: 9 });
        neighbour.ends_well();
    }
}

for_both_users! {
    fn by_the_deadline(programs) {
        let neighbour = Neighbour::new(programs);
        for compiler in COMPILERS {
            let request = Request::module(guests::hangs()).compiler(compiler);
            let mut worker = start(programs, &request);
            is_there(&mut worker);
            let id = worker.id();
            let outcome = worker.wait(Some(Duration::from_millis(50))).unwrap();
            assert_eq!(outcome.end, End::Overdue);
            assert!(!Path::new(&format!("/proc/{id}")).exists());
        }
        neighbour.ends_well();
    }
}

for_both_users! {
    fn by_a_lack_of_memory(programs) {
        const MIB: u64 = 1 << 20;
        let neighbour = Neighbour::new(programs);
        for compiler in COMPILERS {
            let request = || Request::module(guests::takes_memory()).compiler(compiler);
            let got = |request: &Request| match finish(start(programs, request)).0.end {
                End::Exited(code) => code,
                end => panic!("{end:?}"),
            };
            // A gigabyte is there, unless it is limited: what is limited is told so.
            assert_eq!(got(&request()), 64);
            let limited = got(&request().memory(256 * MIB));
            assert!((1..16).contains(&limited), "{limited}");
            // Too little for the worker itself.
            let (outcome, _) = finish(start(programs, &request().memory(MIB)));
            assert!(
                !matches!(outcome.end, End::Exited(_) | End::Trapped(_) | End::Overdue),
                "{outcome:?}"
            );
        }
        neighbour.ends_well();
    }
}

/// True if a process has ended, waited for or not.
fn has_ended(id: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    status.is_empty() || status.contains(") Z ")
}

#[test]
fn when_it_is_dropped() {
    isolated!(|| {
        let programs = Programs::copy();
        let mut worker = start(&programs, &Request::module(guests::hangs()));
        is_there(&mut worker);
        let id = worker.id();
        assert!(Path::new(&format!("/proc/{id}")).exists());
        drop(worker);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    });
}
