//! The open descriptors when a policy is enforced.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Read, Write},
    os::fd::AsRawFd,
    os::unix::net::UnixStream,
    sync::mpsc,
    thread,
};

use wasix_landlock::{
    Access, DescriptorKind, DescriptorReport, DescriptorsReport, EnforceError, Error, Inherited,
    Mode, Report, Scope, WayOut,
};
use wasix_landlock_testing::{
    alone, ask,
    descriptors::{self, Helper, Ring},
    isolated, limits, skip_from_anywhere, skipped, threads,
};

use crate::common::{DENIED, Tree, directory, file, hardened, needs, policy};

fn open_now() -> Vec<i32> {
    let mut listed: Vec<i32> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .collect();
    // Not the descriptor that listed them.
    listed.retain(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    listed
}

fn listed(report: &Report, number: i32) -> Option<&wasix_landlock::DescriptorReport> {
    let descriptors = report.descriptors.as_ref().unwrap();
    descriptors.listed.iter().find(|open| open.number == number)
}

for_both_users! {
    fn what_is_open_is_in_the_report_and_stays_open() {
        let tree = Tree::new();
        let path = tree.outside().join("file");
        let mut file = File::open(&path).unwrap();
        let directory = File::open(tree.outside()).unwrap();
        let (socket, _peer) = UnixStream::pair().unwrap();
        let leaked = limits::leak_descriptor(&path);
        let report = policy().enforce().unwrap();

        let open = listed(&report, file.as_raw_fd()).unwrap();
        assert_eq!(open.kind, DescriptorKind::File);
        assert_eq!(open.target, path.to_string_lossy());
        assert!(open.read && !open.write && !open.passed_on);
        assert_eq!(open.way_out, None);
        let open = listed(&report, directory.as_raw_fd()).unwrap();
        assert_eq!(open.kind, DescriptorKind::Directory);
        let pair = listed(&report, socket.as_raw_fd()).unwrap().kind;
        // A kernel without `unix_diag` doesn't tell the other end.
        let kinds = [DescriptorKind::SocketPair, DescriptorKind::UnixSocket];
        assert!(kinds.contains(&pair), "{pair:?}");
        let open = listed(&report, leaked).unwrap();
        assert!(open.read && open.write && open.passed_on);
        for stream in 0..3 {
            assert!(listed(&report, stream).is_some(), "{report}");
        }
        // Its own are not in it: nothing is named but what the test has.
        assert!(!report.to_string().contains("landlock-ruleset"), "{report}");
        let line = format!("descriptor {leaked} (file, read+write): {}: open before", path.display());
        assert!(report.to_string().contains(&line), "{report}");
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "content");
    }
}

for_both_users! {
    fn refusing_names_them_and_restricts_nothing() {
        let tree = Tree::new();
        // Whoever runs the tests may pass something on, too.
        let others = open_now();
        let file = File::open(tree.outside().join("file")).unwrap();
        let number = file.as_raw_fd();
        let refuse = |allowed: &[i32]| Inherited::Refuse {
            allowed: others.iter().chain(allowed).copied().collect(),
        };
        let error = hardened().inherited(refuse(&[])).enforce().unwrap_err();
        let Error::Enforce(error) = error else {
            panic!("{error}");
        };
        let expected = format!("{number} ({}", tree.outside().join("file").display());
        assert!(error.to_string().contains(&expected), "{error}");
        assert!(matches!(error, EnforceError::DescriptorsOpen { .. }));
        assert!(!error.process_must_end());
        assert_eq!(ask::open_read("/"), Ok(()));
        policy().inherited(refuse(&[number])).enforce().unwrap();
    }
}

#[test]
fn what_preparing_opens_is_none_of_it() {
    isolated!(|| {
        let tree = Tree::new();
        let allowed = open_now().into_iter().collect();
        policy()
            .preopen(file(tree.granted().join("new"), Access::ALL))
            .preopen(directory(tree.granted(), Access::ALL))
            .inherited(Inherited::Refuse { allowed })
            .enforce()
            .unwrap();
    });
}

#[test]
fn a_thread_is_asked_about_its_own_table() {
    isolated!(|| {
        let tree = Tree::new();
        let path = tree.outside().join("file");
        let open_in_all = File::open(&path).unwrap();
        let numbers = || -> BTreeSet<i32> {
            let listed = DescriptorsReport::now().unwrap().listed;
            listed.into_iter().map(|open| open.number).collect()
        };
        let here = numbers();
        assert!(here.contains(&open_in_all.as_raw_fd()));
        // Nothing is listed that the listing itself opens.
        assert_eq!(here, open_now().into_iter().collect());
        let there = thread::spawn(numbers).join().unwrap();
        assert_eq!(there, here);
        let (ready, is_ready) = mpsc::channel();
        let (go_on, gone_on) = mpsc::channel::<()>();
        let separate = thread::spawn(move || {
            threads::separate_descriptors().unwrap();
            let own = File::open(path).unwrap();
            ready.send(own.as_raw_fd()).unwrap();
            gone_on.recv().unwrap_err();
            (numbers(), own.as_raw_fd())
        });
        assert!(!here.contains(&is_ready.recv().unwrap()));
        drop(open_in_all);
        drop(go_on);
        let (separate, own) = separate.join().unwrap();
        let expected: BTreeSet<i32> = here.iter().copied().chain([own]).collect();
        assert_eq!(separate, expected);
    });
}

#[test]
fn the_ruleset_of_another_prepared_policy_gives_no_way_out() {
    isolated!(|| {
        let tree = Tree::new();
        let allowed: BTreeSet<i32> = open_now().into_iter().collect();
        // As where several threads start instances at once.
        let other = policy()
            .preopen(directory(tree.granted(), Access::ALL))
            .prepare()
            .unwrap();
        let refusing = policy().inherited(Inherited::Refuse {
            allowed: allowed.clone(),
        });
        let report = refusing.enforce().unwrap();
        let listed = &report.descriptors.as_ref().unwrap().listed;
        let its = listed.iter().filter(|open| !allowed.contains(&open.number));
        let its: Vec<_> = its.map(|open| (open.kind, open.way_out)).collect();
        assert_eq!(its, [(DescriptorKind::Ruleset, None)]);
        assert!(
            !report.warnings.iter().any(|w| w.contains("ruleset")),
            "{report}"
        );
        drop(other);
    });
}

#[test]
fn a_later_policy_that_refuses_them_is_heard() {
    isolated!(|| {
        let tree = Tree::new();
        policy()
            .runtime_path("/proc", Access::READ, "for later")
            .runtime_path(tree.root(), Access::READ, "for later")
            .enforce()
            .unwrap();
        let allowed: BTreeSet<i32> = open_now().into_iter().collect();
        let refuse = || Inherited::Refuse {
            allowed: allowed.clone(),
        };
        assert!(policy().inherited(refuse()).enforce().unwrap().joined);
        let _file = File::open(tree.outside().join("file")).unwrap();
        let error = policy().inherited(refuse()).enforce().unwrap_err();
        assert!(
            matches!(error, Error::Enforce(EnforceError::DescriptorsOpen { .. })),
            "{error}"
        );
    });
}

#[test]
fn where_they_cannot_be_listed_refusing_is_an_error() {
    isolated!(|| {
        policy().enforce().unwrap();
        let allowed = BTreeSet::new();
        let error = policy()
            .inherited(Inherited::Refuse { allowed })
            .enforce()
            .unwrap_err();
        assert!(
            matches!(error, Error::Enforce(EnforceError::Descriptors { .. })),
            "{error}"
        );
    });
}

#[test]
fn of_many_the_report_lists_some() {
    isolated!(|| {
        let tree = Tree::new();
        let many: Vec<File> = (0..500)
            .map(|_| File::open(tree.outside().join("file")).unwrap())
            .collect();
        // What gives a way out is among them, however high its number is.
        let (pair, other) = UnixStream::pair().unwrap();
        drop(other);
        let report = policy().enforce().unwrap();
        let descriptors = report.descriptors.as_ref().unwrap();
        assert_eq!(descriptors.listed.len(), 256);
        assert!(descriptors.unlisted >= 245, "{}", descriptors.unlisted);
        let open = listed(&report, pair.as_raw_fd()).unwrap();
        assert_eq!(open.way_out, Some(WayOut::HandsOverFiles));
        drop(many);
    });
}

/// True if a process with what is open now is refused, allowing these. In a child, as it is
/// restricted if nothing is refused.
fn refusal(allowed: &BTreeSet<i32>) -> Option<String> {
    // Skipped here, and not in the child.
    needs(1);
    let path = std::env::temp_dir().join("refusal");
    let mut said = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let mut allowed = allowed.clone();
    allowed.insert(said.as_raw_fd());
    let mut out = said.try_clone().unwrap();
    allowed.insert(out.as_raw_fd());
    alone(move || {
        let refusing = policy().inherited(Inherited::Refuse { allowed });
        if let Err(error) = refusing.enforce() {
            assert!(
                matches!(error, Error::Enforce(EnforceError::DescriptorsOpen { .. })),
                "{error}"
            );
            assert_eq!(ask::open_read("/"), Ok(()));
            write!(out, "{error}").unwrap();
        }
    });
    let mut text = String::new();
    std::io::Seek::rewind(&mut said).unwrap();
    said.read_to_string(&mut text).unwrap();
    (!text.is_empty()).then_some(text)
}

for_both_users! {
    fn only_kinds_that_give_no_way_out_pass() {
        let before: BTreeSet<i32> = open_now().into_iter().collect();
        assert_eq!(refusal(&before), None);
        for kind in descriptors::HARMLESS {
            let _open = kind.make().unwrap();
            assert_eq!(refusal(&before), None, "{}", kind.name);
        }
        let mut tried = 0;
        for kind in descriptors::OTHERS {
            let open = match kind.make() {
                Ok(open) => open,
                Err(errno) => {
                    let why = std::io::Error::from_raw_os_error(errno);
                    skipped(&format!("{} can't be made here: {why}", kind.name));
                    continue;
                }
            };
            let number = open.as_raw_fd();
            tried += 1;
            let refused = refusal(&before).unwrap_or_else(|| panic!("{} passes", kind.name));
            assert!(refused.contains(&format!(": {number} (")), "{}: {refused}", kind.name);
            let named: BTreeSet<i32> = before.iter().copied().chain([number]).collect();
            assert_eq!(refusal(&named), None, "{}", kind.name);
        }
        assert!(tried > 10, "{tried}");
    }
}

#[test]
fn a_standard_stream_is_refused_where_it_is_no_stream() {
    isolated!(|| {
        let before: BTreeSet<i32> = open_now().into_iter().filter(|open| *open > 2).collect();
        assert_eq!(refusal(&before), None);
        for name in ["directory", "namespace", "page faults", "netlink socket"] {
            let kind = descriptors::OTHERS.iter().find(|kind| kind.name == name);
            let Ok(open) = kind.unwrap().make() else {
                skipped(&format!("{name} can't be made here"));
                continue;
            };
            descriptors::replace_standard_input(open).unwrap();
            let refused = refusal(&before).unwrap();
            assert!(refused.contains(": 0 ("), "{refused}");
        }
    });
}

fn ring(polled: bool) -> Ring {
    match Ring::new(polled) {
        Ok(ring) => ring,
        Err(errno) => {
            let why = std::io::Error::from_raw_os_error(errno);
            skip_from_anywhere(&format!("io_uring can't be had here: {why}"))
        }
    }
}

for_both_users! {
    fn an_io_uring_with_registered_rights_is_named_and_refused() {
        let tree = Tree::new();
        let outside = tree.outside().join("file");
        let before: BTreeSet<i32> = open_now().into_iter().collect();
        let ring = ring(false);
        let rights = ring.register_personality().unwrap();
        let refused = refusal(&before).unwrap();
        assert!(refused.contains("io_uring, its operations may run with rights"), "{refused}");

        let error = policy().enforce().unwrap_err();
        assert!(matches!(error, Error::Enforce(EnforceError::RingsOpen { .. })), "{error}");
        assert_eq!(ask::open_read(&outside), Ok(()));

        // The attack, and what the report says of it.
        let report = policy().inherited(Inherited::Report).enforce().unwrap();
        assert_eq!(ask::open_read(&outside), DENIED);
        let opened = ring.open(&outside, rights).unwrap();
        assert_eq!(ask::read_descriptor(opened), Ok(()));
        let open = listed(&report, ring.number()).unwrap();
        assert_eq!((open.kind, open.way_out), (DescriptorKind::Ring, Some(WayOut::Ring)));
        assert!(report.to_string().contains(", a way out: "), "{report}");
        let warned = format!("descriptor {} (anon_inode:[io_uring]: io_uring", ring.number());
        assert!(report.warnings.iter().any(|warning| warning.contains(&warned)), "{report}");
    }
}

#[test]
fn an_io_uring_without_a_descriptor_is_refused() {
    isolated!(|| {
        let before: BTreeSet<i32> = open_now().into_iter().collect();
        let mut ring = ring(false);
        let number = ring.number();
        let named: BTreeSet<i32> = before.iter().copied().chain([number]).collect();
        assert_eq!(refusal(&named), None);
        ring.close();
        let refused = refusal(&before).unwrap();
        assert!(refused.contains("an io_uring that is mapped"), "{refused}");
        let error = policy().enforce().unwrap_err().to_string();
        assert!(error.contains("an io_uring that is mapped"), "{error}");
        alone(|| {
            let report = policy().mode(Mode::BestEffort).enforce().unwrap();
            let lacks = |what: &String| what.contains("an io_uring that is mapped");
            assert!(report.not_enforced.iter().any(lacks), "{report}");
        });
        let report = policy().inherited(Inherited::Report).enforce().unwrap();
        let warned = |warning: &String| warning.contains("an io_uring that is mapped");
        assert!(report.warnings.iter().any(warned), "{report}");
    });
}

#[test]
fn a_thread_that_polls_an_io_uring_is_refused() {
    isolated!(|| {
        let allowed = open_now().into_iter().collect();
        let mut ring = ring(true);
        ring.close();
        let error = policy()
            .inherited(Inherited::Refuse { allowed })
            .enforce()
            .unwrap_err()
            .to_string();
        assert!(error.contains("an io_uring that is mapped"), "{error}");
        assert!(error.contains("an io_uring that thread "), "{error}");
    });
}

for_both_users! {
    fn an_io_uring_that_a_parent_polls_is_named_and_refused() {
        needs(6);
        let tree = Tree::new();
        let [made, refused] = ["made", "refused"].map(|name| tree.outside().join(name));
        let before: BTreeSet<i32> = open_now().into_iter().collect();
        let ring = ring(true);
        // As the parent's thread reads it, the path has to be in the parent's memory.
        let named = descriptors::c_path(&made);
        // The ring's thread is in the parent of these.
        let refusal = refusal(&before).unwrap();
        assert!(refusal.contains("a kernel thread runs its operations"), "{refusal}");
        alone(|| {
            let error = hardened().enforce().unwrap_err();
            assert!(matches!(error, Error::Enforce(EnforceError::RingsOpen { .. })), "{error}");
            let report = hardened().inherited(Inherited::Report).enforce().unwrap();
            assert_eq!(ask::make_directory(&refused), DENIED);
            // No system call of this process is in this.
            assert_eq!(ring.make_directory(&named), Ok(()));
            let open = listed(&report, ring.number()).unwrap();
            assert_eq!(open.way_out, Some(WayOut::PolledRing), "{report}");
        });
        assert!(made.exists() && !refused.exists());
    }
}

for_both_users! {
    fn a_socket_pair_whose_other_end_a_helper_has_is_named_and_refused() {
        let tree = Tree::new();
        let outside = tree.outside().join("file");
        let before: BTreeSet<i32> = open_now().into_iter().collect();
        let helper = Helper::start(&outside).unwrap();
        let refused = refusal(&before).unwrap();
        assert!(refused.contains(&format!(": {} (socket:", helper.number())), "{refused}");
        assert!(refused.contains("unix-socket, another process may have"), "{refused}");

        let report = policy().enforce().unwrap();
        assert_eq!(ask::open_read(&outside), DENIED);
        assert_eq!(helper.read().unwrap(), "content");
        let open = listed(&report, helper.number()).unwrap();
        assert_eq!(open.kind, DescriptorKind::UnixSocket, "{report}");
        assert_eq!(open.way_out, Some(WayOut::HandsOverFiles), "{report}");
        assert!(report.warnings.iter().any(|warning| warning.contains("way out")), "{report}");
    }
}

#[test]
fn a_pair_with_both_ends_here_is_refused_unless_it_is_named() {
    isolated!(|| {
        let before: BTreeSet<i32> = open_now().into_iter().collect();
        let pair = UnixStream::pair().unwrap();
        let ends = [pair.0.as_raw_fd(), pair.1.as_raw_fd()];
        let refuse = |allowed: &BTreeSet<i32>| {
            let allowed = allowed.clone();
            policy().inherited(Inherited::Refuse { allowed }).enforce()
        };
        let refused = refuse(&before).unwrap_err().to_string();
        let open = DescriptorsReport::now().unwrap().listed;
        let other = |open: &DescriptorReport| open.kind == DescriptorKind::UnixSocket;
        if open
            .iter()
            .any(|open| ends.contains(&open.number) && other(open))
        {
            skip_from_anywhere("this kernel doesn't tell the other end of a socket");
        }
        for end in ends {
            let named = format!("{end} (socket:");
            assert!(
                refused.contains(&named) && refused.contains(": socket-pair)"),
                "{refused}"
            );
        }
        // What a program does that has started tokio before.
        let pairs = open
            .iter()
            .filter(|open| open.kind == DescriptorKind::SocketPair);
        let mut allowed: BTreeSet<i32> = pairs.map(|open| open.number).collect();
        assert!(ends.iter().all(|end| allowed.contains(end)), "{allowed:?}");
        allowed.extend(before);
        let report = refuse(&allowed).unwrap();
        // Nobody is bothered with it.
        assert!(report.warnings.is_empty(), "{report}");
        assert!(!report.to_string().contains("socket-pair"), "{report}");
    });
}

#[test]
fn an_instance_refuses_what_the_process_has_open_too() {
    isolated!(|| {
        let tree = Tree::new();
        let before: BTreeSet<i32> = open_now().into_iter().collect();
        let file = File::open(tree.outside().join("file")).unwrap();
        let number = file.as_raw_fd();
        let instance = |allowed: BTreeSet<i32>| {
            let refusing = policy()
                .scope(Scope::Instance)
                .inherited(Inherited::Refuse { allowed });
            std::thread::spawn(|| refusing.enforce().map(drop))
                .join()
                .unwrap()
        };
        let error = instance(before.clone()).unwrap_err().to_string();
        assert!(error.contains(&format!(": {number} (")), "{error}");
        instance(before.into_iter().chain([number]).collect()).unwrap();
    });
}

#[test]
fn a_file_that_somebody_owns_can_be_dropped_after_enforcing() {
    isolated!(|| {
        let tree = Tree::new();
        let owned = File::open(tree.outside().join("file")).unwrap();
        let number = owned.as_raw_fd();
        // Whatever a policy says in safe code, descriptors keep their owner.
        policy().inherited(Inherited::Report).enforce().unwrap();
        assert_eq!(ask::read_descriptor(number), Ok(()));
        // Dropping a `File` whose number isn't open aborts the process.
        drop(owned);
        assert_eq!(ask::read_descriptor(number), Err(libc::EBADF));
    });
}
