//! Files that a module writes where nothing is preopened.

use std::path::Path;

use wasix_landlock_testing::isolated;
use wasmer_wasix::landlock::DENIALS_KEPT;

use crate::common::{
    guest::{CREATE, Guest, READ, WRITE},
    host::{builder, tokio},
    tree::Tree,
};

/// A module that sees the whole tree, as a runner shows it, and may write `granted` as `/data`.
fn writer(tree: &Tree) -> Guest {
    let builder = builder().preopen_dir("/").unwrap();
    let builder = builder.preopen(|p| {
        let p = p.directory(tree.granted()).alias("data");
        p.read(true).write(true).create(true)
    });
    Guest::new(builder.unwrap())
}

#[test]
fn a_file_in_memory_is_reported_with_the_nearest_preopen() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        let mut guest = writer(&tree);
        let root = guest.preopen("/");
        guest.write(root, "lost", CREATE, b"x").unwrap();
        guest.write(root, "lost", WRITE, b"y").unwrap();

        let unsaved = guest.unsaved_files();
        assert_eq!(unsaved.len(), 1, "{unsaved:?}");
        assert_eq!(unsaved[0].guest, Path::new("/lost"));
        let nearest = unsaved[0].nearest.as_ref().unwrap();
        assert_eq!(nearest.guest, Path::new("/data"));
        let report = guest.report();
        let warned = report.warnings.iter().filter(|w| w.contains("\"/lost\""));
        assert_eq!(warned.count(), 1, "{report}");
    });
}

#[test]
fn a_file_that_is_granted_read_or_volatile_is_not_reported() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        let mut guest = writer(&tree);
        let directory = guest.preopen("data");
        guest.write(directory, "kept", CREATE, b"x").unwrap();
        assert_eq!(std::fs::read(tree.granted().join("kept")).unwrap(), b"x");
        guest.can_open(directory, "missing", READ).unwrap_err();
        let root = guest.preopen("/");
        guest.create_directory(root, "tmp").ok();
        guest.write(root, "tmp/scratch", CREATE, b"x").unwrap();
        assert_eq!(guest.unsaved_files(), []);
    });
}

#[test]
fn a_module_cannot_make_the_list_long() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        let mut guest = writer(&tree);
        let root = guest.preopen("/");
        for number in 0..DENIALS_KEPT + 10 {
            let name = format!("lost{number}");
            guest.write(root, &name, CREATE, b"x").unwrap();
        }
        assert_eq!(guest.unsaved_files().len(), DENIALS_KEPT);
    });
}
