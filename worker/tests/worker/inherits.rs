//! A worker's share of the host: nothing but what it is given.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::ErrorKind,
};

use wasix_landlock_testing::{is_root, isolated};
use wasix_landlock_worker::{Launcher, Mode, Request, WorkerStreams};

use crate::{
    common::{Programs, is_there},
    guests,
};

/// A worker's open descriptors are root's to see, unless nothing is enforced: its inheritance is the same.
pub fn mode() -> Mode {
    if is_root() { Mode::Enforce } else { Mode::Off }
}

/// Returns what a process has open, without what it closes meanwhile.
pub fn descriptors(process: u32) -> BTreeSet<String> {
    let open = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let links = open.map(|entry| fs::read_link(entry.unwrap().path()));
    links
        .filter(|link| {
            !link
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::NotFound)
        })
        .map(Result::unwrap)
        .map(|link| link.to_string_lossy().into_owned())
        .collect()
}

fn request() -> Request {
    Request::module(guests::hangs()).mode(mode())
}

#[test]
fn neither_variables_nor_descriptors_nor_the_directory() {
    isolated!(|| {
        let programs = Programs::copy();
        let _open = File::open("/etc/passwd").unwrap();
        let mut worker = programs
            .launcher()
            .spawn(&request(), WorkerStreams::piped())
            .unwrap();
        is_there(&mut worker);
        let process = |what: &str| format!("/proc/{}/{what}", worker.id());
        assert_eq!(
            fs::read_to_string(process("environ")).unwrap(),
            format!("WASIX_LANDLOCK={}\0", mode())
        );
        assert_eq!(fs::read_link(process("cwd")).unwrap().as_os_str(), "/");
        for what in descriptors(worker.id()) {
            let kinds = ["socket:", "pipe:", "anon_inode:"];
            assert!(kinds.iter().any(|kind| what.starts_with(kind)), "{what}");
        }
    });
}

#[test]
fn a_descriptor_that_was_left_open_is_closed() {
    isolated!(|| {
        let programs = Programs::copy();
        let passed_on = |program: &str| {
            let launcher = Launcher::new("/bin/sh")
                .argument("-c")
                .argument(format!("exec {program} 5</etc/passwd"))
                .argument(programs.worker());
            let mut worker = launcher.spawn(&request(), WorkerStreams::piped()).unwrap();
            is_there(&mut worker);
            let open = format!("/proc/{}/fd", worker.id());
            assert!(fs::read_link(format!("{open}/0")).is_ok());
            fs::read_link(format!("{open}/5")).is_ok_and(|what| what.as_os_str() == "/etc/passwd")
        };
        assert!(!passed_on("\"$0\""));
        // Another program has it.
        assert!(passed_on("sh -c 'echo .; exec sleep 60'"));
    });
}
