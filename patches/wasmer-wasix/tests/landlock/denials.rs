//! What a person is told when the kernel refuses.

use wasix_landlock::{Access, Verdict};
use wasix_landlock_testing::{ask, isolated};
use wasmer_wasix::landlock::{DENIALS_KEPT, Operation};

use crate::common::{
    DENIED,
    guest::{Guest, READ, WRITE},
    host::builder,
    tree::Tree,
};

/// A module that may read `granted` as `/data`.
fn reader(tree: &Tree) -> Guest {
    let builder = builder().preopen(|p| p.directory(tree.granted()).alias("data").read(true));
    Guest::new(builder.unwrap())
}

#[test]
fn what_is_granted_is_no_denial() {
    isolated!(|| {
        let tree = Tree::new();
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        assert_eq!(guest.read(directory, "sub/file").unwrap(), b"content");
        guest.list(directory).unwrap();
        guest.can_open(directory, "missing", READ).unwrap_err();
        assert_eq!(guest.denials(), []);
        assert_eq!(guest.refused_accesses(), 0);
    });
}

#[test]
fn a_denial_says_what_was_missing_and_what_would_grant_it() {
    isolated!(|| {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        assert_eq!(ask::open_write(&file), Ok(()));
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        assert_eq!(ask::open_write(&file), DENIED);
        guest.write(directory, "file", WRITE, b"x").unwrap_err();
        let denials = guest.denials();
        let [denial] = &denials[..] else {
            panic!("{denials:#?}")
        };
        assert_eq!(denial.operation, Operation::Open);
        assert!(denial.guest.ends_with("data/file"), "{denial}");
        assert_eq!(denial.explanation.path, file);
        let Verdict::NotGranted { needs, nearest, .. } = &denial.explanation.verdict else {
            panic!("{denial}")
        };
        assert!(needs.contains(Access::WRITE), "{denial}");
        assert_eq!(nearest.as_ref().unwrap().path, tree.granted());
        let remedy = denial.remedy().unwrap();
        assert!(remedy.starts_with(".preopen(|p| p.path("), "{remedy}");
        assert!(remedy.contains("granted/file"), "{remedy}");
        assert!(remedy.contains(".write(true)"), "{remedy}");
        assert!(denial.to_string().contains(&remedy), "{denial}");
    });
}

#[test]
fn a_flood_is_counted_and_not_told() {
    isolated!(|| {
        let tree = Tree::new();
        let names: Vec<String> = (0..200).map(|number| format!("file{number}")).collect();
        for name in &names {
            std::fs::write(tree.granted().join(name), "").unwrap();
        }
        let mut guest = reader(&tree);
        let directory = guest.preopen("data");
        for name in names.iter().chain(&names) {
            guest.can_open(directory, name, WRITE).unwrap_err();
        }
        assert_eq!(guest.denials().len(), DENIALS_KEPT);
        assert!(
            guest.refused_accesses() >= 400,
            "{}",
            guest.refused_accesses()
        );
    });
}
