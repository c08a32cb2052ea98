//! What a worker has of the host: nothing but what it is given.

use std::fs::{self, File};

use wasix_landlock_testing::{is_root, isolated, skip};
use wasix_landlock_worker::{Launcher, Request, Streams};

use crate::{
    common::{Programs, is_there},
    guests,
};

#[test]
fn neither_variables_nor_descriptors_nor_the_directory() {
    isolated!(|| {
        let programs = Programs::copy();
        let _open = File::open("/etc/passwd").unwrap();
        let mut worker = programs
            .launcher()
            .spawn(&Request::module(guests::hangs()), Streams::piped())
            .unwrap();
        is_there(&mut worker);
        if !is_root() {
            skip!(
                "a worker's entries in /proc are root's, so that nobody else of its user reads its memory"
            );
        }
        let process = |what: &str| format!("/proc/{}/{what}", worker.id());
        assert_eq!(
            fs::read(process("environ")).unwrap(),
            b"WASIX_LANDLOCK=enforce\0"
        );
        assert_eq!(fs::read_link(process("cwd")).unwrap().as_os_str(), "/");
        for entry in fs::read_dir(process("fd")).unwrap() {
            let what = fs::read_link(entry.unwrap().path()).unwrap();
            let what = what.to_string_lossy();
            let kinds = ["socket:", "pipe:", "anon_inode:"];
            assert!(kinds.iter().any(|kind| what.starts_with(kind)), "{what}");
        }
    });
}

#[test]
fn a_descriptor_that_was_left_open_is_closed() {
    isolated!(|| {
        if !is_root() {
            skip!(
                "a worker's entries in /proc are root's, so that nobody else of its user reads its memory"
            );
        }
        let programs = Programs::copy();
        let passed_on = |program: &str| {
            let launcher = Launcher::new("/bin/sh")
                .argument("-c")
                .argument(format!("exec {program} 5</etc/passwd"))
                .argument(programs.worker());
            let request = Request::module(guests::hangs());
            let mut worker = launcher.spawn(&request, Streams::piped()).unwrap();
            is_there(&mut worker);
            let open = fs::read_link(format!("/proc/{}/fd/5", worker.id()));
            open.is_ok_and(|what| what.as_os_str() == "/etc/passwd")
        };
        assert!(!passed_on("\"$0\""));
        // Another program has it.
        assert!(passed_on("sh -c 'echo .; exec sleep 60'"));
    });
}
