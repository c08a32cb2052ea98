//! The abilities of native code that runs in a worker in the place of its module.

use std::{
    env, fs,
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use wasix_landlock::{Mode, Network, Protection};
use wasix_landlock_testing::ask::Answer;
use wasix_landlock_worker::{End, Level, Profile, Request, WorkerStreams};

use crate::{
    common::{Programs, answers, for_both_users, is_there},
    guests,
};

/// By their names in `wasix_landlock_testing::takeover`. Those that need a descriptor of before aren't here: a worker
/// closes it.
const CALLS: &[&str] = &[
    // Signals, and the memory, of processes outside.
    "kill",
    "tgkill",
    "pidfd-signal",
    "ptrace",
    "read-memory",
    "limits",
    "priority",
    // Sockets.
    "unix-connect",
    "unix-bind",
    "abstract-connect",
    "pair-send",
    "tcp-bind",
    "tcp-listen",
    "udp-bind",
    "udp-connect",
    "netlink",
    // What is outside of the grants.
    "open-to-read",
    "open-to-write",
    "create",
    "truncate",
    "chmod",
    "chmod-old",
    "chown",
    "utime",
    "setxattr",
    // Other processes and namespaces.
    "fork",
    "exec",
    "exec-memfd",
    "unshare",
    "clone-namespace",
    "clone3-namespace",
    // Ways around the filter.
    "uring-setup",
    "keyctl",
    "shared-memory",
    "message-queue",
    "userfaultfd",
    "perf",
];

/// The calls that would undo the limits; see `asking_worker.rs`.
const UNDONE: &[&str] = &["dump", "outlive", "limit"];

/// Returns the kernel's answers to native code in a worker that runs `request`, once its module runs.
fn ask(programs: &Programs, name: &str, questions: &[String], request: Request) -> Vec<Answer> {
    let directory = env::temp_dir().join(name);
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    let go = directory.join("go");
    let given = [
        format!("victim={}", directory.display()),
        format!("when={}", go.display()),
    ];
    let launcher = programs.asking(given.iter().chain(questions));
    let mut worker = launcher.spawn(&request, WorkerStreams::piped()).unwrap();
    is_there(&mut worker);
    fs::write(go, "").unwrap();
    let answers = answers(&mut worker);
    // The victim has its pipes and its socket, and goes on.
    let ended = worker.wait(Some(Duration::ZERO)).unwrap().end;
    assert_eq!(ended, End::Overdue);
    answers
}

fn request() -> Request {
    Request::module(guests::hangs())
}

fn calls(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("call={name}")).collect()
}

for_both_users! {
    fn it_reaches_nothing_of_others_by_default(programs) {
        let outside = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let udp = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let mut questions = calls(CALLS);
        questions.extend(UNDONE.iter().map(|what| (*what).to_owned()));
        questions.push(format!("connect={}", outside.local_addr().unwrap().port()));
        questions.push(format!("send={}", udp.local_addr().unwrap().port()));
        let free = ask(programs, "free", &questions, request().mode(Mode::Off));
        let held = ask(programs, "held", &questions, request());
        let mut tried = 0;
        for ((question, free), held) in questions.iter().zip(free).zip(held) {
            if free.is_err() {
                wasix_landlock_testing::skipped(&format!("`{question}` without a restriction: {free:?}"));
                continue;
            }
            tried += 1;
            assert!(matches!(held, Err(1..)), "{question} in a worker: {held:?}");
        }
        assert!(tried * 3 > questions.len() * 2, "{tried} of {}", questions.len());
    }
}

for_both_users! {
    fn what_a_request_gives_back_it_can_do(programs) {
        let outside = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = outside.local_addr().unwrap().port();
        let mut questions = calls(&["chmod", "kill", "tcp-listen"]);
        questions.push(format!("connect={port}"));
        let can = |name: &str, request: Request| {
            let answers = ask(programs, name, &questions, request);
            <[bool; 4]>::try_from(answers.iter().map(Result::is_ok).collect::<Vec<_>>()).unwrap()
        };
        let with = |profile| request().profile(profile);
        assert_eq!(can("nothing", request()), [false; 4]);
        let metadata = with(Profile::as_without().protect(Protection::Metadata, Level::Off));
        assert_eq!(can("metadata", metadata), [true, false, false, false]);
        let soft = request().harden(false);
        assert_eq!(can("soft", soft), [true, true, false, false]);
        let ports = with(Profile::as_without().network(Network::none().connect(port)));
        assert_eq!(can("ports", ports), [false, false, false, true]);
    }
}
