//! A worker ends with the process that asked for it, and with no less.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use wasix_landlock_testing::{alone, isolated};
use wasix_landlock_worker::{End, Input, Launcher, Request, Worker, WorkerStreams};

use crate::{
    common::{PATIENCE, Programs, is_there},
    guests,
};

fn start(programs: &Programs) -> Worker {
    let request = Request::module(guests::hangs());
    let mut worker = programs
        .launcher()
        .spawn(&request, WorkerStreams::piped())
        .unwrap();
    is_there(&mut worker);
    worker
}

/// True if a process has ended, waited for or not.
pub fn has_ended(id: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    status.is_empty() || status.contains(") Z ")
}

/// True if a process ends soon.
pub fn ends(id: &str) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if has_ended(id) {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

fn wait_for(path: &Path) {
    while !path.exists() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Has another process be the host, and be gone without having dropped anything. Returns the numbers of the processes
/// that `host` names, which run until then.
pub fn left_behind(host: impl FnOnce() -> Vec<u32>) -> Vec<String> {
    let noted = std::env::temp_dir().join("left-behind");
    alone(|| {
        let processes: Vec<_> = host().iter().map(u32::to_string).collect();
        assert!(processes.iter().all(|process| !has_ended(process)));
        fs::write(&noted, processes.join(" ")).unwrap();
    });
    let processes = fs::read_to_string(&noted).unwrap();
    processes.split(' ').map(str::to_owned).collect()
}

/// Has another process be the host of a worker, and be gone without having dropped anything. Returns the worker's
/// number.
fn abandoned(programs: &Programs, before_the_end: impl FnOnce()) -> String {
    let mut left = left_behind(|| {
        let worker = start(programs);
        let id = worker.id();
        std::mem::forget(worker);
        before_the_end();
        vec![id]
    });
    assert_eq!(left.len(), 1);
    left.remove(0)
}

/// Kills a process, which need not be a child.
pub fn kill(process: u32) {
    let killed = format!("kill -KILL {process}");
    let status = Command::new("sh").args(["-c", &killed]).status();
    assert!(status.unwrap().success());
}

/// Returns the state of a process, and its parent; nothing if the process is gone.
pub fn state_and_parent(process: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Both follow the name, in which anything can be.
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

#[test]
fn it_ends_with_the_host() {
    isolated!(|| {
        let programs = Programs::copy();
        assert!(ends(&abandoned(&programs, || ())));
    });
}

#[test]
fn it_ends_with_the_host_although_another_process_holds_the_hosts_socket() {
    isolated!(|| {
        let programs = Programs::copy();
        let holder: PathBuf = std::env::temp_dir().join("holder");
        let its = holder.clone();
        let worker = abandoned(&programs, || {
            thread::spawn(move || {
                // A copy of the host, with all that it has open. It outlives the host.
                alone(|| {
                    fs::write(its.with_extension("half"), std::process::id().to_string()).unwrap();
                    fs::rename(its.with_extension("half"), &its).unwrap();
                    thread::sleep(Duration::from_secs(120));
                });
            });
            wait_for(&holder);
        });
        assert!(ends(&worker));
        let holder = fs::read_to_string(holder).unwrap();
        assert!(!has_ended(&holder));
        let sockets = fs::read_dir(format!("/proc/{holder}/fd")).unwrap();
        let is_socket = |path: PathBuf| {
            fs::read_link(path).is_ok_and(|what| what.to_string_lossy().starts_with("socket:"))
        };
        assert!(sockets.flatten().any(|entry| is_socket(entry.path())));
    });
}

#[test]
fn it_outlives_the_thread_that_asked_for_it() {
    isolated!(|| {
        let programs = Programs::copy();
        let (reader, mut input) = std::io::pipe().unwrap();
        let launcher = programs.launcher();
        let asks = thread::spawn(move || {
            let streams = WorkerStreams::piped().input(Input::Reader(Box::new(reader)));
            let request = Request::module(guests::copies_input());
            let mut worker = launcher.spawn(&request, streams).unwrap();
            // The thread ends when the worker has said whose end it is to follow.
            input.write_all(b".").unwrap();
            is_there(&mut worker);
            (worker, input, fs::read_link("/proc/thread-self").unwrap())
        });
        let (mut worker, input, thread) = asks.join().unwrap();
        while Path::new("/proc").join(&thread).exists() {
            thread::sleep(Duration::from_millis(1));
        }
        // It would be killed by now.
        thread::sleep(Duration::from_millis(100));
        assert!(!has_ended(&worker.id().to_string()));
        drop(input);
        assert_eq!(worker.wait(PATIENCE).unwrap().end, End::Exited(0));
    });
}

#[test]
fn a_program_in_between_is_named() {
    isolated!(|| {
        let programs = Programs::copy();
        let end = |script: &str| {
            let launcher = Launcher::new("/bin/sh")
                .argument("-c")
                .argument(script)
                .argument(programs.worker());
            let request = Request::module(guests::counts());
            let mut worker = launcher.spawn(&request, WorkerStreams::none()).unwrap();
            worker.wait(PATIENCE).unwrap().end
        };
        assert_eq!(end("exec \"$0\""), End::Exited(10));
        let host = std::process::id().to_string();
        match end("\"$0\"; exit") {
            End::Failed(why) => assert!(why.contains(&host) && why.contains("parent"), "{why}"),
            end => panic!("{end:?}"),
        }
    });
}
