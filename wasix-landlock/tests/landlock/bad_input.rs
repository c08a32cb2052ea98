//! Inputs that make no policy.

use std::{
    env,
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::PathBuf,
};

use landlock::{AccessFs, Ruleset, RulesetAttr};
use wasix_landlock::{
    Access, EnforceError, Error, HostKind, Object, PathError, PrepareError, Protection, Right,
    Status, ThreadError, Unavailable,
};
use wasix_landlock_testing::{as_ordinary_user, ask, isolated, limits};

use crate::common::{DENIED, Tree, directory, file, policy, preopen, stack_sixteen_layers, strict};

/// The error that this preopen ends in, and that it names the preopen.
fn refusal(preopen: wasix_landlock::RecordedPreopen) -> PathError {
    let origin = preopen.origin;
    let error = policy().preopen(preopen).prepare().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("{origin} `/guest`: ")),
        "{error}"
    );
    let PrepareError::Path { problem, .. } = error else {
        panic!("{error}");
    };
    problem
}

#[test]
fn an_empty_path() {
    isolated!(|| {
        assert!(matches!(
            refusal(directory("", Access::READ)),
            PathError::EmptyPath
        ));
    });
}

#[test]
fn a_nul_byte() {
    isolated!(|| {
        assert!(matches!(
            refusal(directory("/tmp\0/x", Access::READ)),
            PathError::NulByte
        ));
    });
}

#[test]
fn a_missing_path() {
    isolated!(|| {
        for kind in [HostKind::Directory, HostKind::Either] {
            let error = refusal(preopen("/nowhere/at/all", kind, Access::ALL));
            assert!(matches!(error, PathError::Missing), "{error}");
        }
    });
}

#[test]
fn a_missing_directory_to_create_a_file_in() {
    isolated!(|| {
        let error = refusal(file("/nowhere/file", Access::ALL));
        assert!(
            matches!(&error, PathError::MissingParent { parent, .. } if parent.ends_with("nowhere")),
            "{error}"
        );
    });
}

#[test]
fn a_missing_file_with_a_slash_at_its_end() {
    isolated!(|| {
        let tree = Tree::new();
        let error = refusal(file(format!("{}/new/", tree.root().display()), Access::ALL));
        assert!(matches!(error, PathError::Missing), "{error}");
    });
}

#[test]
fn a_directory_named_as_a_file_and_the_other_way_round() {
    isolated!(|| {
        let tree = Tree::new();
        let error = refusal(file(tree.granted(), Access::READ));
        assert!(
            matches!(
                error,
                PathError::WrongKind {
                    asked: Object::File,
                    found: Object::Directory,
                    ..
                }
            ),
            "{error}"
        );
        let error = refusal(directory(tree.granted().join("file"), Access::READ));
        assert!(
            matches!(
                error,
                PathError::WrongKind {
                    asked: Object::Directory,
                    found: Object::File,
                    ..
                }
            ),
            "{error}"
        );
    });
}

#[test]
fn what_is_neither_file_nor_directory() {
    isolated!(|| {
        let tree = Tree::new();
        let fifo = tree.root().join("fifo");
        let socket = tree.root().join("socket");
        assert_eq!(ask::make_fifo(&fifo), Ok(()));
        assert_eq!(ask::bind_socket(&socket), Ok(()));
        for (path, name) in [
            (fifo, "fifo"),
            (socket, "socket"),
            (PathBuf::from("/dev/null"), "character device"),
        ] {
            for kind in [HostKind::File, HostKind::Either] {
                let error = refusal(preopen(&path, kind, Access::READ));
                assert!(
                    matches!(error, PathError::NotAFileOrDirectory { found, .. } if found == name),
                    "{error}"
                );
            }
        }
    });
}

#[test]
fn no_access_at_all() {
    isolated!(|| {
        let tree = Tree::new();
        for preopen in [
            directory(tree.granted(), Access::NONE),
            file(tree.granted().join("file"), Access::CREATE),
            file(tree.granted().join("new"), Access::CREATE),
        ] {
            let error = refusal(preopen);
            assert!(matches!(error, PathError::NoRight), "{error}");
        }
        assert!(!tree.granted().join("new").exists());
    });
}

#[test]
fn a_path_that_this_user_may_not_read() {
    isolated!(|| {
        as_ordinary_user(|| {
            let tree = Tree::new();
            let (secret, locked) = (tree.granted().join("file"), tree.outside());
            fs::set_permissions(&secret, Permissions::from_mode(0o200)).unwrap();
            fs::set_permissions(&locked, Permissions::from_mode(0o000)).unwrap();

            let error = refusal(file(&secret, Access::READ));
            assert!(
                matches!(error, PathError::NoPermission { right: "read", .. }),
                "{error}"
            );
            let error = refusal(directory(&locked, Access::READ));
            assert!(
                matches!(error, PathError::NoPermission { right: "read", .. }),
                "{error}"
            );
            let error = refusal(file(locked.join("file"), Access::READ));
            assert!(
                matches!(error, PathError::NoPermission { right: "reach", .. }),
                "{error}"
            );
            // Writing alone is fine, and a mount is warned about.
            let prepared = policy().preopen(file(&secret, Access::WRITE)).prepare();
            assert!(prepared.is_ok());
            let prepared = policy()
                .preopen(preopen(&secret, HostKind::Either, Access::READ))
                .prepare()
                .unwrap();
            let report = prepared.report();
            assert!(
                report.warnings[0].contains("no permission to read"),
                "{report}"
            );
            assert_eq!(report.preopens[0].status, Status::Granted);
            // Or nobody could clean up.
            fs::set_permissions(&locked, Permissions::from_mode(0o700)).unwrap();
        });
    });
}

for_both_users! {
    fn a_path_that_is_no_utf_8() {
        let tree = Tree::new();
        let path = tree.root().join(OsStr::from_bytes(b"\xff\xfe"));
        fs::write(&path, "content").unwrap();
        let report = policy().preopen(file(&path, Access::READ)).enforce().unwrap();
        assert!(report.preopens[0].hosts[0].path.ends_with("\u{fffd}\u{fffd}"));
        assert_eq!(ask::open_read(&path), Ok(()));
        assert_eq!(ask::open_write(&path), DENIED);
        assert_eq!(ask::open_read(tree.granted().join("file")), DENIED);
    }
}

#[test]
fn a_relative_path_starts_at_the_working_directory() {
    isolated!(|| {
        let tree = Tree::new();
        env::set_current_dir(tree.granted()).unwrap();
        let prepared = policy()
            .preopens([
                file("file", Access::READ),
                file("new", Access::ALL),
                file("../outside/file", Access::READ),
            ])
            .prepare()
            .unwrap();
        env::set_current_dir("/").unwrap();
        let report = prepared.enforce().unwrap();
        let host = &report.preopens[0].hosts[0];
        assert_eq!(host.path, "file");
        assert_eq!(
            host.resolved.as_deref(),
            tree.granted().join("file").to_str()
        );
        assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));
        assert_eq!(ask::open_write(tree.granted().join("new")), Ok(()));
        assert_eq!(ask::open_read(tree.outside().join("file")), Ok(()));
        assert_eq!(ask::open_read(tree.outside()), DENIED);
    });
}

#[test]
fn a_path_through_a_symbolic_link() {
    isolated!(|| {
        let tree = Tree::new();
        let link = tree.root().join("link");
        symlink(tree.granted(), &link).unwrap();
        let report = policy()
            .preopen(file(link.join("file"), Access::READ))
            .enforce()
            .unwrap();
        assert_eq!(
            report.preopens[0].hosts[0].resolved.as_deref(),
            tree.granted().join("file").to_str()
        );
        assert_eq!(ask::open_read(link.join("file")), Ok(()));
        assert_eq!(ask::open_read(&link), DENIED);
    });
}

for_both_users! {
    fn the_root_directory_is_granted_with_a_warning() {
        let tree = Tree::new();
        let report = policy()
            .preopen(directory("/", Access::READ))
            .enforce()
            .unwrap();
        assert!(report.warnings[0].contains("every file"), "{report}");
        // With everything readable, making a fifo is what is left as proof.
        let threads = report.threads.as_ref().unwrap();
        assert_eq!(threads.probe.as_deref(), Some("making a fifo"));
        assert_eq!(ask::open_read("/etc/passwd"), Ok(()));
        assert_eq!(ask::open_write(tree.granted().join("file")), DENIED);
        assert_eq!(ask::make_fifo(tree.granted().join("new")), DENIED);
    }
}

#[test]
fn a_wider_grant_is_warned_about() {
    isolated!(|| {
        let tree = Tree::new();
        let nested = tree.granted().join("file");
        let report = policy()
            .preopens([
                directory(tree.granted(), Access::READ_WRITE),
                file(&nested, Access::READ),
            ])
            .enforce()
            .unwrap();
        assert_eq!(report.warnings.len(), 1, "{report}");
        let warning = &report.warnings[0];
        assert!(
            warning.contains("preopen_file `/guest` asks for read"),
            "{warning}"
        );
        assert!(warning.contains("preopen_dir `/guest`"), "{warning}");
        let adds = if report.handled.contains(&Right::Truncate) {
            "adds write_file, truncate"
        } else {
            "adds write_file:"
        };
        assert!(warning.contains(adds), "{warning}");
        // It is true: the rules add up.
        assert_eq!(ask::open_write(&nested), Ok(()));
    });
}

#[test]
fn one_path_named_twice_gets_both() {
    isolated!(|| {
        let tree = Tree::new();
        let report = policy()
            .preopens([
                directory(tree.granted(), Access::READ),
                directory(tree.granted(), Access::WRITE),
                // Narrower than what is around it, and nothing is added to it.
                directory(tree.outside(), Access::READ),
            ])
            .enforce()
            .unwrap();
        assert_eq!(report.warnings.len(), 2, "{report}");
        assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));
        assert_eq!(ask::open_write(tree.granted().join("file")), Ok(()));
        assert_eq!(ask::open_write(tree.outside().join("file")), DENIED);
    });
}

for_both_users! {
    fn a_seventeenth_layer() {
        stack_sixteen_layers();
        let error = policy().enforce().unwrap_err();
        assert!(
            matches!(error, Error::Enforce(EnforceError::Thread { problem: ThreadError::TooManyLayers, .. })),
            "{error}"
        );
        assert!(!matches!(&error, Error::Enforce(error) if error.process_must_end()));
        assert_eq!(ask::open_read("/"), Ok(()));
    }
}

#[test]
fn an_outer_restriction_that_leaves_no_proof() {
    isolated!(|| {
        Ruleset::default()
            .handle_access(AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::MakeFifo)
            .unwrap()
            .create()
            .unwrap()
            .restrict_self()
            .unwrap();
        let error = policy().enforce().unwrap_err();
        assert!(
            matches!(error, Error::Enforce(EnforceError::NoProbe)),
            "{error}"
        );
    });
}

for_both_users! {
    fn ten_thousand_preopens_with_few_descriptors() {
        let tree = Tree::new();
        let paths: Vec<PathBuf> = (0..10_000)
            .map(|index| tree.granted().join(format!("{index}")))
            .collect();
        // Half of them are to be created.
        for path in paths.iter().step_by(2) {
            fs::write(path, "").unwrap();
        }
        limits::descriptors(256);
        let report = policy()
            .preopens(paths.iter().map(|path| file(path, Access::ALL)))
            .enforce()
            .unwrap();
        assert!(report.preopens.iter().all(|p| p.status == Status::Granted));
        assert!(paths.iter().all(|path| ask::open_write(path) == Ok(())));
        assert_eq!(ask::open_read(tree.granted().join("file")), DENIED);
    }
}

#[test]
fn a_kernel_without_landlock() {
    for_each_unavailable(|reason| {
        let tree = Tree::new();
        let new = tree.granted().join("new");
        let error = strict()
            .preopen(file(&new, Access::ALL))
            .prepare()
            .unwrap_err();
        assert!(
            matches!(error, PrepareError::LandlockUnavailable { reason: found } if found == reason),
            "{error}"
        );
        assert!(!new.exists());
    });
}

/// Runs a body in threads from which Landlock is hidden, one way and the other.
fn for_each_unavailable(body: impl Fn(Unavailable) + Sync) {
    std::thread::scope(|scope| {
        for (errno, reason) in [
            (libc::ENOSYS, Unavailable::NotImplemented),
            (libc::EOPNOTSUPP, Unavailable::NotEnabled),
        ] {
            let body = &body;
            scope.spawn(move || {
                limits::fail_system_call(libc::SYS_landlock_create_ruleset, errno);
                body(reason);
            });
        }
    });
}

#[test]
fn every_right_is_handled_that_the_kernel_has() {
    isolated!(|| {
        let prepared = policy().prepare().unwrap();
        let report = prepared.report();
        for right in Right::ALL {
            assert_eq!(
                report.handled.contains(right),
                right.abi() <= report.abi,
                "{right} on ABI {}",
                report.abi
            );
        }
    });
}

#[test]
fn no_free_descriptor_is_no_lack_of_the_kernels() {
    isolated!(|| {
        let tree = Tree::new();
        let [first, second] = [(), ()].map(|()| {
            policy()
                .optional(Protection::Truncate)
                .preopen(directory(tree.granted(), Access::READ))
        });
        limits::descriptors(300);
        let held: Vec<_> = std::iter::from_fn(|| fs::File::open("/").ok()).collect();
        assert!(!held.is_empty());
        let error = first.enforce().unwrap_err();
        assert!(
            matches!(error, Error::Prepare(PrepareError::Kernel { .. })),
            "{error}"
        );
        assert!(error.to_string().contains("Too many open files"), "{error}");
        drop(held);
        let report = second.enforce().unwrap();
        let has_truncate = ask::landlock_abi() >= 3;
        assert_eq!(
            report.protects(Protection::Truncate),
            has_truncate,
            "{report}"
        );
    });
}

#[test]
fn a_path_that_no_descriptor_is_left_for_names_the_limit() {
    isolated!(|| {
        let tree = Tree::new();
        limits::descriptors(64);
        let mut held: Vec<_> = std::iter::from_fn(|| fs::File::open("/").ok()).collect();
        // Asking the kernel takes some, and the path is opened after that.
        let limit = std::iter::from_fn(|| held.pop()).find_map(|_one_less| {
            let policy = policy().preopen(directory(tree.granted(), Access::READ));
            match policy.prepare() {
                Err(PrepareError::Path {
                    problem: PathError::OpenFiles(limit),
                    ..
                }) => Some(limit),
                _ => None,
            }
        });
        let limit = limit.expect("the path was once the first thing that failed");
        assert_eq!(limit.limit, 64);
        assert!(limit.needed > 64, "{limit}");
    });
}
