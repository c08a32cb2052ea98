//! A worker that native code has taken over, or that never was one: it says and does what its arguments name, one
//! after the other, and whatever is asked of it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::{
    env,
    io::{self, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    process::{Command, Stdio, exit},
    thread,
    time::Duration,
};

use wasix_landlock::{Mode, Policy, Scope};

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(120);

const REPORT: u8 = 11;
const ARTIFACT: u8 = 12;
const END: u8 = 13;

fn main() {
    let control = io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut control = UnixStream::from(control);
    for argument in env::args().skip(1) {
        let (what, value) = argument.split_once('=').unwrap_or((&argument, ""));
        let number = || value.parse().unwrap();
        match what {
            "report" => report(&mut control, Policy::default().scope(Scope::Worker)),
            "report-off" => report(&mut control, off().scope(Scope::Worker)),
            "report-of-a-process" => report(&mut control, Policy::default()),
            "report-nonsense" => say(&mut control, REPORT, b"{}"),
            "artifact" => say(&mut control, ARTIFACT, &vec![0; number()]),
            "end" => say(&mut control, END, value.as_bytes()),
            "kind" => say(&mut control, u8::try_from(number()).unwrap(), b""),
            // Only promised, and then more than that.
            "endless" => endless(&mut control, u8::try_from(number()).unwrap()),
            "child" => child(),
            // It says nothing any more, and the host sees the end of the stream.
            "deaf" => {
                drop(control);
                nix::unistd::close(0).unwrap();
                return thread::sleep(Duration::from_secs(1));
            }
            "exit" => exit(i32::try_from(number()).unwrap()),
            other => panic!("{other}"),
        }
    }
    thread::sleep(LONG);
}

fn off() -> Policy {
    Policy::default().mode(Mode::Off)
}

fn report(control: &mut UnixStream, policy: Policy) {
    let report = serde_json::to_vec(&*policy.enforce().unwrap()).unwrap();
    say(control, REPORT, &report);
}

fn say(control: &mut UnixStream, kind: u8, bytes: &[u8]) {
    let mut frame = vec![kind];
    frame.extend((bytes.len() as u64).to_le_bytes());
    frame.extend(bytes);
    // A host that doesn't listen any more kills this process.
    let _ = control.write_all(&frame);
}

fn endless(control: &mut UnixStream, kind: u8) {
    let mut head = vec![kind];
    head.extend((1_u64 << 30).to_le_bytes());
    let zeros = vec![0; 1 << 20];
    let _ = control.write_all(&head);
    while control.write_all(&zeros).is_ok() {}
}

/// Starts a process that has the socket as its standard input, and outlives this one.
#[allow(clippy::zombie_processes)]
fn child() {
    let child = Command::new(env::current_exe().unwrap())
        .stdin(Stdio::inherit())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    println!("{}", child.id());
}
