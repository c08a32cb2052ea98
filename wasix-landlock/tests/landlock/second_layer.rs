//! The second layer: what Landlock doesn't mediate.

use std::{
    fs::{self, File, FileTimes},
    io::IsTerminal,
    os::unix::net::{UnixDatagram, UnixStream},
    path::Path,
    process::Command,
    sync::{Arc, Barrier, mpsc},
    thread,
    time::{Duration, Instant, SystemTime},
};

use wasix_landlock::{
    Access, EnforceError, Error, Layer, Level, Protection, ProtectionStatus, Report,
};
use wasix_landlock_testing::{ask, isolated, limits, note_from_anywhere, skipped};

use crate::common::{DENIED, Tree, directory, hardened, policy};

const REFUSED: Result<(), i32> = Err(libc::EPERM);

for_both_users! {
    fn a_hardened_process_has_every_protection() {
        let tree = Tree::new();
        let inside = tree.granted().join("file");
        assert_eq!(ask::change_mode(&inside), Ok(()));
        let report = hardened()
            .preopen(directory(tree.granted(), Access::ALL))
            .enforce()
            .unwrap();
        for protection in &report.protections {
            if protection.name != Protection::ResolveUnix {
                assert_eq!(protection.level, Level::Strict, "{report}");
                assert_eq!(protection.status, ProtectionStatus::Enforced, "{report}");
                assert!(!protection.by.is_empty(), "{report}");
            }
        }
        let of_scopes = |warning: &String| warning.contains("a domain of its own");
        assert!(report.warnings.iter().all(of_scopes), "{report}");
        assert!(report.to_string().contains("second layer: tcp udp metadata"), "{report}");
        assert_eq!(ask::change_mode(tree.outside().join("file")), REFUSED);
        assert_eq!(ask::change_mode(&inside), REFUSED);
        assert_eq!(ask::execute("/bin/true"), REFUSED);
        assert_eq!(ask::open_read(tree.outside().join("file")), DENIED);
    }
}

for_both_users! {
    fn a_hardened_process_can_do_what_a_runtime_does() {
        let tree = Tree::new();
        hardened()
            .preopen(directory(tree.granted(), Access::ALL))
            .enforce()
            .unwrap();
        // Compile and run, start threads, wake them, know the time, be random.
        assert_eq!(ask::run_generated_code(), Ok(()));
        let barrier = Arc::new(Barrier::new(9));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                thread::spawn(move || barrier.wait().is_leader())
            })
            .collect();
        barrier.wait();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_ne!(thread::current().id(), thread::spawn(|| thread::current().id()).join().unwrap());
        let _seeded = std::hash::RandomState::new();
        // tokio's signal driver.
        UnixStream::pair().unwrap().0.set_nonblocking(true).unwrap();
        // What WASI has calls for.
        let path = tree.granted().join("new");
        fs::write(&path, "content").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH)).unwrap();
        file.sync_all().unwrap();
        fs::rename(&path, tree.granted().join("renamed")).unwrap();
        fs::hard_link(tree.granted().join("renamed"), &path).unwrap();
        fs::create_dir(tree.granted().join("directory")).unwrap();
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn unix_sockets_that_can_name_others_are_refused() {
    isolated!(|| {
        let tree = Tree::new();
        UnixDatagram::pair().unwrap();
        policy().require(Protection::UnixSockets).enforce().unwrap();
        let errno = |error: std::io::Error| error.raw_os_error();
        assert_eq!(
            UnixDatagram::pair().map_err(errno).err(),
            Some(Some(libc::EPERM))
        );
        assert_eq!(
            UnixDatagram::unbound().map_err(errno).err(),
            Some(Some(libc::EPERM))
        );
        assert_eq!(ask::bind_socket(tree.outside().join("socket")), REFUSED);
        assert_eq!(ask::bind_tcp(0), Ok(()));
    });
}

for_both_users! {
    fn a_protection_can_be_left_out() {
        let tree = Tree::new();
        let report = hardened()
            .without(Protection::Metadata)
            .without(Protection::Exec)
            .enforce()
            .unwrap();
        assert!(!report.protects(Protection::Metadata));
        assert!(report.protects(Protection::Keys));
        assert_eq!(ask::change_mode(tree.outside().join("file")), Ok(()));
        // That leaves Landlock's answer.
        let answer = Command::new("/bin/true").status();
        assert_eq!(answer.unwrap_err().raw_os_error(), Some(libc::EACCES));
    }
}

#[test]
fn a_single_protection_brings_io_uring_with_it() {
    isolated!(|| {
        let report = policy().require(Protection::Metadata).enforce().unwrap();
        assert!(report.protects(Protection::Metadata));
        assert!(report.protects(Protection::IoUring));
        assert!(!report.protects(Protection::Exec) && !report.protects(Protection::Tcp));
    });
}

#[test]
fn io_uring_can_be_left_open_and_is_warned_of() {
    isolated!(|| {
        let report = policy()
            .require(Protection::Metadata)
            .without(Protection::IoUring)
            .enforce()
            .unwrap();
        assert!(
            report.warnings[0].contains("io_uring is allowed"),
            "{report}"
        );
    });
}

for_both_users! {
    fn every_thread_is_under_it() {
        let tree = Arc::new(Tree::new());
        let barrier = Arc::new(Barrier::new(51));
        let threads: Vec<_> = (0..50)
            .map(|_| {
                let (tree, barrier) = (Arc::clone(&tree), Arc::clone(&barrier));
                thread::spawn(move || {
                    assert_eq!(ask::change_mode(tree.outside().join("file")), Ok(()));
                    barrier.wait();
                    barrier.wait();
                    assert_eq!(ask::change_mode(tree.outside().join("file")), REFUSED);
                })
            })
            .collect();
        barrier.wait();
        let report = hardened().enforce().unwrap();
        assert_eq!(report.threads.as_ref().unwrap().proved, 52, "{report}");
        barrier.wait();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

fn lacks(report: &Report, what: &str) -> bool {
    report.not_enforced.iter().any(|not| not.starts_with(what))
}

/// Runs a body while a thread is under a filter of its own.
fn beside_a_filtered_thread(body: impl FnOnce()) {
    let (filtered, is_filtered) = mpsc::channel();
    let (end, is_over) = mpsc::channel::<()>();
    let filtered_thread = thread::scope(|scope| {
        scope.spawn(move || {
            limits::fail_system_call(libc::SYS_vhangup, libc::ENOSYS);
            let here = fs::read_link("/proc/thread-self").unwrap();
            filtered.send(here).unwrap();
            // Over when the other end is dropped, by a panic as well.
            let _ = is_over.recv();
        });
        let filtered_thread = is_filtered.recv().unwrap();
        let _end = end;
        body();
        filtered_thread
    });
    // It is joined before the kernel has done away with it.
    let until = Instant::now() + Duration::from_secs(10);
    while Path::new("/proc").join(&filtered_thread).exists() && Instant::now() < until {
        thread::yield_now();
    }
}

#[test]
fn a_thread_with_a_filter_of_its_own_is_an_error_that_restricts_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        beside_a_filtered_thread(|| {
            let error = hardened().enforce().unwrap_err();
            let Error::Enforce(error) = error else {
                panic!("{error}");
            };
            assert!(
                matches!(error, EnforceError::FilterDiverges { .. }),
                "{error}"
            );
            assert!(!error.process_must_end());
            assert_eq!(ask::open_read("/"), Ok(()));
            assert_eq!(ask::change_mode(tree.outside().join("file")), Ok(()));
        });
        // Once that thread has ended, it works.
        hardened().enforce().unwrap();
        assert_eq!(ask::open_read("/"), DENIED);
        assert_eq!(ask::change_mode(tree.outside().join("file")), REFUSED);
    });
}

#[test]
fn where_all_of_it_is_degradable_the_report_says_that_it_is_not_there() {
    isolated!(|| {
        let tree = Tree::new();
        beside_a_filtered_thread(|| {
            let report = policy()
                .optional(Protection::Metadata)
                .optional(Protection::IoUring)
                .enforce()
                .unwrap();
            assert!(report.enforced && !report.protects(Protection::Metadata));
            assert!(lacks(&report, "metadata: thread"), "{report}");
            assert!(
                report
                    .protections
                    .iter()
                    .all(|p| !p.by.contains(&Layer::Seccomp))
            );
            assert_eq!(ask::open_read("/"), DENIED);
            assert_eq!(ask::change_mode(tree.outside().join("file")), Ok(()));
        });
    });
}

#[test]
fn a_kernel_without_filters_is_an_error_unless_that_is_optional() {
    isolated!(|| {
        limits::fail_system_call(libc::SYS_seccomp, libc::ENOSYS);
        let error = policy()
            .require(Protection::Metadata)
            .prepare()
            .unwrap_err();
        assert!(
            error.to_string().contains("needs a seccomp filter"),
            "{error}"
        );
        let report = policy()
            .optional(Protection::Metadata)
            .optional(Protection::IoUring)
            .enforce()
            .unwrap();
        assert!(!report.protects(Protection::Metadata));
        let lacks = |why: &str| report.not_enforced.iter().any(|not| not.contains(why));
        assert!(
            lacks("metadata: this kernel has no seccomp filters"),
            "{report}"
        );
    });
}

for_both_users! {
    fn commands_to_what_is_open_are_those_that_a_runtime_needs() {
        let tree = Tree::new();
        let path = tree.granted().join("file");
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let (pair, _other) = UnixStream::pair().unwrap();
        let terminal = File::options().read(true).write(true).open("/dev/ptmx");
        let mut bytes = [0; 256];
        let mut version = || ask::ioctl(&file, libc::FS_IOC_GETVERSION, &mut bytes);
        let version = version();
        let change = |bytes: &mut [u8; 256]| ask::ioctl(&file, libc::FS_IOC_SETVERSION, bytes);
        let changed = change(&mut bytes);
        if version.is_err() || changed.is_err() {
            skipped(&format!("inodes have no version here: {version:?}, {changed:?}"));
        }
        // `FIGETBSZ`, which only looks, and a command that no kernel has.
        let figetbsz = 2;
        assert_eq!(ask::ioctl(&file, figetbsz, &mut bytes), Ok(()));
        assert_eq!(ask::ioctl(&file, 0, &mut bytes), Err(libc::ENOTTY));

        hardened()
            .preopen(directory(tree.granted(), Access::ALL))
            .enforce()
            .unwrap();
        assert_eq!(change(&mut bytes), REFUSED);
        for command in [
            figetbsz,
            0,
            libc::FS_IOC_GETVERSION,
            libc::FS_IOC_SETFLAGS,
            // `FIFREEZE`, `FITHAW`, `FS_IOC_ENABLE_VERITY`, `FICLONE`.
            0xc004_5877_u32 as libc::Ioctl,
            0xc004_5878_u32 as libc::Ioctl,
            0x4080_6685,
            0x4004_9409,
            libc::TIOCSTI,
        ] {
            assert_eq!(ask::ioctl(&file, command, &mut bytes), REFUSED, "{command:#x}");
        }
        bytes = [0; 256];
        for command in [libc::FIONBIO, libc::FIONREAD, libc::FIOCLEX] {
            assert_eq!(ask::ioctl(&pair, command, &mut bytes), Ok(()), "{command:#x}");
        }
        assert!(!file.is_terminal());
        if let Ok(terminal) = terminal {
            assert!(terminal.is_terminal());
            for command in [libc::TCGETS, libc::TCSETS, libc::TCGETS2, libc::TCSETS2, libc::TIOCGWINSZ] {
                assert_eq!(ask::ioctl(&terminal, command, &mut bytes), Ok(()), "{command:#x}");
            }
            assert_eq!(ask::ioctl(&terminal, libc::TIOCSTI, &mut bytes), REFUSED);
        }
    }
}

#[test]
fn system_calls_that_are_newer_than_the_filter_do_not_exist() {
    isolated!(|| {
        // `listns` of Linux 6.19, `rseq_slice_yield` of 7.0, and some that nothing has yet.
        let newer = [470, 471, 472, 500, 1000, 0x3fff_ffff];
        let before = newer.map(ask::system_call);
        hardened().enforce().unwrap();
        for (number, before) in newer.into_iter().zip(before) {
            note_from_anywhere(&format!("call {number} before: {before:?}"));
            assert_eq!(ask::system_call(number), Err(libc::ENOSYS), "{number}");
        }
        // `file_setattr`, the newest that the filter knows, is refused by a protection.
        let known = ask::system_call(469);
        assert!([REFUSED, Err(libc::ENOSYS)].contains(&known), "{known:?}");
    });
}
