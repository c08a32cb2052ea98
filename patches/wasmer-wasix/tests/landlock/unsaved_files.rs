//! Files that a module writes where nothing is preopened.

use std::path::Path;

use wasix_landlock_testing::isolated;
use wasmer_wasix::WasiEnvBuilder;
use wasmer_wasix::landlock::{DENIALS_KEPT, UnsavedWrites};
use wasmer_wasix::profile::Profile;
use wasmer_wasix::types::wasi::Errno;

use crate::common::{
    guest::{CREATE, Guest, READ, WRITE},
    host::{builder, tokio, with_data},
    tree::Tree,
};

/// A module that sees the whole tree, as a runner shows it, and may write `granted` as `/data`.
fn writer(tree: &Tree) -> Guest {
    Guest::new(writing(tree))
}

fn writing(tree: &Tree) -> WasiEnvBuilder {
    with_data(builder().preopen_dir("/").unwrap(), tree, true)
}

/// Everything that makes a name fails outside of the preopen and of what is volatile, and is reported.
fn is_refused(mut guest: Guest, tree: &Tree) {
    let (root, data) = (guest.preopen("/"), guest.preopen("data"));
    guest.write(data, "kept", CREATE, b"x").unwrap();
    assert_eq!(std::fs::read(tree.granted().join("kept")).unwrap(), b"x");
    guest.write(root, "tmp/scratch", CREATE, b"x").unwrap();
    let refused = [
        guest.write(root, "lost", CREATE, b"x"),
        guest.create_directory(root, "made"),
        guest.rename((root, "tmp/scratch"), (root, "moved")),
        guest.symlink("tmp/scratch", (root, "linked")),
    ];
    for refusal in refused {
        assert_eq!(refusal, Err(Errno::Perm));
    }
    let unsaved = guest.unsaved_files();
    let mut paths: Vec<_> = unsaved.iter().map(|file| file.guest.clone()).collect();
    paths.sort();
    assert_eq!(
        paths,
        ["/linked", "/lost", "/made", "/moved"].map(Path::new)
    );
    assert!(unsaved.iter().all(|file| file.refused), "{unsaved:?}");
    let report = guest.report();
    let warned = report
        .warnings
        .iter()
        .filter(|w| w.contains("was refused to write \"/lost\""));
    assert_eq!(warned.count(), 1, "{report}");
}

#[test]
fn a_builder_refuses_writes_where_nothing_is_preopened() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        let guest = Guest::new(writing(&tree).unsaved_writes(UnsavedWrites::Refuse));
        is_refused(guest, &tree);
    });
}

#[test]
fn a_profile_refuses_writes_where_nothing_is_preopened() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        let builder =
            writing(&tree).profile(&Profile::as_without().unsaved_writes(UnsavedWrites::Refuse));
        is_refused(Guest::new(builder.unwrap()), &tree);
    });
}

#[test]
fn a_profile_that_reports_keeps_in_memory() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let tree = Tree::new();
        let mut guest = Guest::new(writing(&tree).profile(&Profile::as_without()).unwrap());
        let root = guest.preopen("/");
        guest.write(root, "lost", CREATE, b"x").unwrap();
        assert_eq!(guest.read(root, "lost").unwrap(), b"x");
        assert!(!guest.unsaved_files()[0].refused);
    });
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
