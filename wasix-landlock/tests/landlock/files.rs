//! Preopens of single files: created, bound to their inode, and cleaned up.

use std::{fs, os::unix::fs::symlink};

use wasix_landlock::{Access, EnforceError, Error, PathError, PrepareError, Status, ThreadError};
use wasix_landlock_testing::{ask, isolated};

use crate::common::{DENIED, Tree, directory, file, policy, stack_sixteen_layers};

for_both_users! {
    fn a_missing_file_is_created_and_only_it_is_granted() {
        let tree = Tree::new();
        let new = tree.granted().join("new");
        assert_eq!(ask::open_write(&new), Err(libc::ENOENT));
        assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));

        let report = policy().preopen(file(&new, Access::ALL)).enforce().unwrap();

        assert_eq!(report.preopens[0].status, Status::Granted);
        assert!(report.preopens[0].hosts[0].created);
        fs::write(&new, "by the module").unwrap();
        assert_eq!(fs::read(&new).unwrap(), b"by the module");
        assert_eq!(ask::truncate(&new), Ok(()));
        // Its neighbours and its directory aren't.
        assert_eq!(ask::open_read(tree.granted().join("file")), DENIED);
        assert_eq!(ask::create_new(tree.granted().join("newer")), DENIED);
        assert_eq!(ask::open_read(tree.granted()), DENIED);
        assert_eq!(ask::unlink(&new), DENIED);
        assert_eq!(ask::rename(&new, tree.granted().join("newer")), DENIED);
        assert_eq!(ask::rename(tree.granted().join("file"), &new), DENIED);
    }
}

#[test]
fn a_file_granted_write_alone_can_not_be_read() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.granted().join("log");
        let access = Access {
            read: false,
            ..Access::ALL
        };
        policy().preopen(file(&new, access)).enforce().unwrap();
        assert_eq!(ask::open_write(&new), Ok(()));
        assert_eq!(ask::open_read(&new), DENIED);
    });
}

#[test]
fn a_missing_file_without_create_is_an_error() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.granted().join("new");
        let error = policy()
            .preopen(file(&new, Access::READ_WRITE))
            .prepare()
            .unwrap_err();
        assert!(
            matches!(&error, PrepareError::Path { path, problem: PathError::Missing, .. } if *path == new),
            "{error}"
        );
        assert!(!new.exists());
    });
}

#[test]
fn an_existing_file_with_create_is_kept() {
    isolated!(|| {
        let tree = Tree::new();
        let old = tree.granted().join("file");
        let prepared = policy().preopen(file(&old, Access::ALL)).prepare().unwrap();
        assert!(!prepared.report().preopens[0].hosts[0].created);
        drop(prepared);
        assert_eq!(fs::read(&old).unwrap(), b"content");
    });
}

#[test]
fn two_preopens_of_one_missing_file_share_it() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.granted().join("new");
        let report = policy()
            .preopens([file(&new, Access::ALL), file(&new, Access::ALL)])
            .enforce()
            .unwrap();
        let created: Vec<bool> = report.preopens.iter().map(|p| p.hosts[0].created).collect();
        assert_eq!(created, [true, false]);
        assert_eq!(ask::open_write(&new), Ok(()));
    });
}

#[test]
fn a_failed_prepare_leaves_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.granted().join("new");
        // The preopen that is wrong comes last; then the file must not even appear.
        let error = policy()
            .preopens([
                file(&new, Access::ALL),
                directory(tree.root().join("nowhere"), Access::READ),
            ])
            .prepare()
            .unwrap_err();
        assert!(
            matches!(
                error,
                PrepareError::Path {
                    problem: PathError::Missing,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!new.exists());
    });
}

#[test]
fn a_file_that_can_not_be_created_takes_the_others_with_it() {
    isolated!(|| {
        wasix_landlock_testing::as_ordinary_user(|| {
            let tree = Tree::new();
            let new = tree.granted().join("new");
            let error = policy()
                .preopens([file(&new, Access::ALL), file("/etc/wasix-new", Access::ALL)])
                .prepare()
                .unwrap_err();
            assert!(
                matches!(&error, PrepareError::Path { path, problem: PathError::Create(_), .. } if path.ends_with("wasix-new")),
                "{error}"
            );
            assert!(!new.exists());
        });
    });
}

#[test]
fn a_dropped_policy_removes_what_it_created() {
    isolated!(|| {
        let tree = Tree::new();
        let [plain, written, replaced, gone] =
            ["a", "b", "c", "d"].map(|name| tree.granted().join(name));
        let prepared = policy()
            .preopens([&plain, &written, &replaced, &gone].map(|path| file(path, Access::ALL)))
            .prepare()
            .unwrap();
        assert!(plain.exists());
        fs::write(&written, "someone's").unwrap();
        fs::write(tree.root().join("other"), "").unwrap();
        fs::rename(tree.root().join("other"), &replaced).unwrap();
        fs::remove_file(&gone).unwrap();
        drop(prepared);
        assert!(!plain.exists());
        // What somebody else has used meanwhile stays.
        assert!(written.exists());
        assert!(replaced.exists());
        assert!(!gone.exists());
    });
}

#[test]
fn a_failed_enforce_leaves_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.granted().join("new");
        stack_sixteen_layers();
        let error = policy()
            .preopen(file(&new, Access::ALL))
            .enforce()
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Enforce(EnforceError::Thread {
                    problem: ThreadError::TooManyLayers,
                    restricted: 0,
                    ..
                })
            ),
            "{error}"
        );
        assert!(!new.exists());
        assert_eq!(ask::open_read("/"), Ok(()), "nothing was restricted");
    });
}

#[test]
fn a_symbolic_link_that_the_application_names_is_followed() {
    isolated!(|| {
        let tree = Tree::new();
        let link = tree.root().join("link");
        symlink(tree.granted().join("file"), &link).unwrap();
        let report = policy()
            .preopen(file(&link, Access::READ))
            .enforce()
            .unwrap();
        let host = &report.preopens[0].hosts[0];
        assert_eq!(host.path, link.to_str().unwrap());
        assert!(host.resolved.as_ref().unwrap().ends_with("/granted/file"));
        assert_eq!(ask::open_read(&link), Ok(()));
    });
}

#[test]
fn no_file_is_created_at_the_end_of_a_dangling_link() {
    isolated!(|| {
        let tree = Tree::new();
        let link = tree.root().join("link");
        symlink(tree.outside().join("new"), &link).unwrap();
        let error = policy()
            .preopen(file(&link, Access::ALL))
            .prepare()
            .unwrap_err();
        assert!(
            matches!(
                error,
                PrepareError::Path {
                    problem: PathError::DanglingSymlink,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!tree.outside().join("new").exists());
    });
}

for_both_users! {
    fn a_symbolic_link_out_of_a_granted_directory_leads_nowhere() {
        let tree = Tree::new();
        symlink(tree.outside().join("file"), tree.granted().join("out")).unwrap();
        symlink(tree.outside().join("new"), tree.granted().join("dangling")).unwrap();
        assert_eq!(ask::open_read(tree.granted().join("out")), Ok(()));
        policy()
            .preopen(directory(tree.granted(), Access::ALL))
            .enforce()
            .unwrap();
        assert_eq!(ask::open_read(tree.granted().join("out")), DENIED);
        assert_eq!(ask::open_write(tree.granted().join("out")), DENIED);
        assert_ne!(ask::create_new(tree.granted().join("dangling")), Ok(()));
        assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));
    }
}

#[test]
fn a_file_that_is_replaced_loses_its_grant() {
    isolated!(|| {
        let tree = Tree::new();
        let granted = tree.granted().join("file");
        let kept = tree.granted().join("kept");
        fs::write(&kept, "").unwrap();
        let prepared = policy()
            .preopens([file(&granted, Access::ALL), file(&kept, Access::ALL)])
            .prepare()
            .unwrap();
        fs::rename(tree.outside().join("file"), &granted).unwrap();
        prepared.enforce().unwrap();
        assert_eq!(ask::open_read(&kept), Ok(()));
        assert_eq!(ask::open_read(&granted), DENIED);
    });
}

#[test]
fn a_created_file_keeps_to_the_umask() {
    isolated!(|| {
        use std::os::unix::fs::PermissionsExt;

        let tree = Tree::new();
        let (ours, theirs) = (tree.granted().join("ours"), tree.granted().join("theirs"));
        fs::write(&theirs, "").unwrap();
        let prepared = policy()
            .preopen(file(&ours, Access::ALL))
            .prepare()
            .unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&theirs));
        drop(prepared);
    });
}
