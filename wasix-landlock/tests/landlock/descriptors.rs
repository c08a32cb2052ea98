//! What is open when a policy is enforced.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
    os::fd::AsRawFd,
    os::unix::net::UnixStream,
};

use wasix_landlock::{Access, DescriptorKind, EnforceError, Error, Inherited, Report};
use wasix_landlock_testing::{ask, isolated, limits};

use crate::common::{Tree, directory, file, hardened, policy};

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
        assert!(open.read && !open.write && !open.passed_on && !open.closed);
        let open = listed(&report, directory.as_raw_fd()).unwrap();
        assert_eq!(open.kind, DescriptorKind::Directory);
        assert_eq!(listed(&report, socket.as_raw_fd()).unwrap().kind, DescriptorKind::SocketPair);
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
        let _pair = UnixStream::pair().unwrap();
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
fn what_came_with_the_process_can_be_closed() {
    isolated!(|| {
        let tree = Tree::new();
        let path = tree.outside().join("file");
        let own = File::open(&path).unwrap();
        let [first, second] = [(); 2].map(|()| limits::leak_descriptor(&path));
        let kept = BTreeSet::from([second]);
        let report = policy()
            .inherited(Inherited::CloseInherited { kept })
            .enforce()
            .unwrap();
        assert!(listed(&report, first).unwrap().closed);
        assert!(!listed(&report, second).unwrap().closed);
        assert_eq!(ask::read_descriptor(first), Err(libc::EBADF));
        assert_eq!(ask::read_descriptor(second), Ok(()));
        assert_eq!(ask::read_descriptor(own.as_raw_fd()), Ok(()));
        println!("the standard streams are left alone");
    });
}

#[test]
fn what_is_named_can_be_closed() {
    isolated!(|| {
        let tree = Tree::new();
        let leaked = limits::leak_descriptor(tree.outside().join("file"));
        let close = |number| Inherited::Close(BTreeSet::from([number]));
        for number in [1, 1000] {
            let error = policy().inherited(close(number)).enforce().unwrap_err();
            assert!(
                matches!(error, Error::Enforce(EnforceError::NotOpen { .. })),
                "{error}"
            );
        }
        let report = policy().inherited(close(leaked)).enforce().unwrap();
        assert!(report.to_string().contains(": closed"), "{report}");
        assert_eq!(ask::read_descriptor(leaked), Err(libc::EBADF));
    });
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
fn a_later_policy_that_refuses_them_is_heard() {
    isolated!(|| {
        let tree = Tree::new();
        policy()
            .reserve("/proc", Access::READ)
            .reserve(tree.root(), Access::READ)
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
        let report = policy().enforce().unwrap();
        let descriptors = report.descriptors.as_ref().unwrap();
        assert_eq!(descriptors.listed.len(), 256);
        assert!(descriptors.unlisted >= 244, "{}", descriptors.unlisted);
        drop(many);
    });
}
