//! The messages to a person about a denial, compared with the kernel's behaviour.

use std::fs::{self, File, OpenOptions};

use wasix_landlock::{Access, Right, Verdict, explain};
use wasix_landlock_testing::isolated;

use crate::common::{Tree, directory, file, policy};

#[test]
fn what_is_not_restricted_is_not_denied() {
    isolated!(|| {
        let tree = Tree::new();
        let answer = explain(tree.outside().join("file"), Access::ALL);
        assert_eq!(answer.verdict, Verdict::NotRestricted);
        assert!(!answer.is_denied());
        File::open(tree.outside().join("file")).unwrap();
    });
}

#[test]
fn a_denial_names_what_is_missing_and_the_nearest_grant() {
    isolated!(|| {
        let tree = Tree::new();
        let outside = tree.outside().join("file");
        File::open(&outside).unwrap();
        policy()
            .preopen(directory(tree.granted(), Access::READ))
            .enforce()
            .unwrap();
        File::open(&outside).unwrap_err();
        let answer = explain(&outside, Access::READ);
        let Verdict::NotGranted {
            missing,
            needs,
            nearest,
        } = &answer.verdict
        else {
            panic!("{answer}")
        };
        assert_eq!(missing, &[Right::ReadFile]);
        assert_eq!(*needs, Access::READ);
        assert_eq!(nearest.as_ref().unwrap().path, tree.granted());
        let text = answer.to_string();
        for part in ["read_file", "outside/file", "preopen_dir", "granted"] {
            assert!(text.contains(part), "{text}");
        }
    });
}

#[test]
fn a_right_that_the_preopen_lacks_is_told_apart_from_one_that_it_has() {
    isolated!(|| {
        let tree = Tree::new();
        let inside = tree.granted().join("file");
        let open_to_write = || OpenOptions::new().write(true).open(&inside).map(drop);
        open_to_write().unwrap();
        policy()
            .preopen(directory(tree.granted(), Access::READ))
            .enforce()
            .unwrap();
        File::open(&inside).unwrap();
        let answer = explain(&inside, Access::READ);
        assert!(
            matches!(answer.verdict, Verdict::Granted { .. }),
            "{answer}"
        );
        open_to_write().unwrap_err();
        let answer = explain(&inside, Access::READ_WRITE);
        let Verdict::NotGranted { missing, .. } = &answer.verdict else {
            panic!("{answer}")
        };
        assert!(missing.contains(&Right::WriteFile), "{answer}");
        assert!(!missing.contains(&Right::ReadFile), "{answer}");
    });
}

#[test]
fn making_a_file_needs_create_on_its_directory() {
    isolated!(|| {
        let tree = Tree::new();
        policy()
            .preopen(directory(tree.granted(), Access::READ_WRITE))
            .enforce()
            .unwrap();
        let new = tree.granted().join("new");
        File::create_new(&new).unwrap_err();
        let answer = explain(&new, Access::ALL);
        let Verdict::NotGranted { missing, .. } = &answer.verdict else {
            panic!("{answer}")
        };
        assert_eq!(missing, &[Right::MakeReg]);
    });
}

#[test]
fn a_file_that_was_replaced_is_told_so() {
    isolated!(|| {
        let tree = Tree::new();
        let granted = tree.granted().join("file");
        let kept = tree.granted().join("kept");
        fs::write(&kept, "").unwrap();
        let prepared = policy()
            .preopens([file(&granted, Access::READ), file(&kept, Access::READ)])
            .prepare()
            .unwrap();
        fs::rename(tree.outside().join("file"), &granted).unwrap();
        File::open(&granted).unwrap();
        prepared.enforce().unwrap();
        File::open(&kept).unwrap();
        assert!(!explain(&kept, Access::READ).is_denied());
        File::open(&granted).unwrap_err();
        let answer = explain(&granted, Access::READ);
        assert!(
            matches!(answer.verdict, Verdict::Replaced { .. }),
            "{answer}"
        );
        assert!(answer.to_string().contains("replaced"), "{answer}");
    });
}

#[test]
fn a_link_is_explained_by_where_it_leads() {
    isolated!(|| {
        let tree = Tree::new();
        let link = tree.granted().join("link");
        std::os::unix::fs::symlink(tree.outside().join("file"), &link).unwrap();
        File::open(&link).unwrap();
        policy()
            .preopen(directory(tree.granted(), Access::ALL))
            .enforce()
            .unwrap();
        File::open(&link).unwrap_err();
        let answer = explain(&link, Access::READ);
        assert!(answer.is_denied(), "{answer}");
        assert_eq!(
            answer.resolved,
            fs::canonicalize(tree.outside().join("file")).unwrap()
        );
        assert!(answer.to_string().contains("resolves to"), "{answer}");
    });
}

#[test]
fn a_directory_that_was_moved_keeps_its_grant() {
    isolated!(|| {
        let tree = Tree::new();
        let (old, new) = (tree.granted().join("old"), tree.granted().join("new"));
        fs::create_dir(&old).unwrap();
        fs::write(old.join("file"), "content").unwrap();
        let movable = Access::WRITE.union(Access::CREATE);
        policy()
            .preopen(directory(tree.granted(), movable))
            .preopen(directory(&old, Access::READ))
            .enforce()
            .unwrap();
        File::open(tree.granted().join("file")).unwrap_err();
        fs::rename(&old, &new).unwrap();
        File::open(new.join("file")).unwrap();
        let answer = explain(new.join("file"), Access::READ);
        assert!(!answer.is_denied(), "{answer}");
    });
}

#[test]
fn in_an_instance_it_is_the_instance_that_is_explained() {
    isolated!(|| {
        let tree = Tree::new();
        let outside = tree.outside().join("file");
        let inside = std::thread::scope(|scope| {
            let instance = scope.spawn(|| {
                policy()
                    .scope(wasix_landlock::Scope::Instance)
                    .preopen(directory(tree.granted(), Access::READ))
                    .enforce()
                    .unwrap();
                (
                    explain(&outside, Access::READ),
                    File::open(&outside).is_ok(),
                )
            });
            instance.join().unwrap()
        });
        assert!(inside.0.is_denied() && !inside.1, "{}", inside.0);
        assert_eq!(
            explain(&outside, Access::READ).verdict,
            Verdict::NotRestricted
        );
        File::open(&outside).unwrap();
    });
}
