//! Links that are in a granted directory and lead out of it: nothing that a module does there reaches
//! what is outside, whatever the WASI layer makes of the call.

use std::{fs, os::unix::fs::symlink, path::Path};

use wasix_landlock::Access;
use wasix_landlock_testing::ask;
use wasmer_wasix::runners::{MappedDirectory, wasi::WasiRunner};

use crate::common::{
    DENIED,
    guest::{CREATE, CREATE_NEW, Guest, TRUNCATE, WRITE},
    host::{builder, host_builder, tokio},
    tree::{Tree, assert_granted, assert_refused},
};

/// Makes three tests of a body: the directory is mounted as a runner does it, given by `preopen`, and recorded
/// in the host's whole tree.
macro_rules! for_each_way_in {
    (fn $name:ident($tree:ident, $links:ident, $attack:ident) $body:block) => {
        mod $name {
            use super::*;

            fn body(enter: fn(&Tree) -> (Guest, i32)) {
                let $tree = Tree::new();
                let $links = |links: &[(&str, &str)]| make_links(&$tree, links);
                let $attack = |attack: &dyn Fn(&mut Guest, i32)| {
                    let (mut guest, directory) = enter(&$tree);
                    attack(&mut guest, directory);
                    assert_refused(&$tree.outside());
                    assert_granted(&$tree.granted(), Access::ALL);
                };
                $body
            }

            #[test]
            fn through_a_runners_mount() {
                wasix_landlock_testing::isolated!(|| body(by_runner));
            }

            #[test]
            fn through_a_preopen() {
                wasix_landlock_testing::isolated!(|| body(by_preopen));
            }

            #[test]
            fn through_the_hosts_tree() {
                wasix_landlock_testing::isolated!(|| body(by_host_tree));
            }
        }
    };
}

fn by_runner(tree: &Tree) -> (Guest, i32) {
    let _tokio = tokio().enter();
    let mut runner = WasiRunner::new();
    runner.with_mapped_directories([MappedDirectory {
        host: tree.granted(),
        guest: "/data".to_owned(),
    }]);
    let mut guest = Guest::of(&runner);
    let root = guest.preopen("/");
    let directory = guest.open_directory(root, "data").unwrap();
    (guest, directory)
}

fn by_preopen(tree: &Tree) -> (Guest, i32) {
    let builder = builder().preopen(|p| {
        p.directory(tree.granted())
            .alias("/data")
            .read(true)
            .create(true)
    });
    let mut guest = Guest::new(builder.unwrap());
    let directory = guest.preopen("/data");
    (guest, directory)
}

fn by_host_tree(tree: &Tree) -> (Guest, i32) {
    let mut guest = Guest::new(host_builder().map_dir("data", tree.granted()).unwrap());
    let directory = guest.preopen("data");
    (guest, directory)
}

/// Makes links in `granted` to what is `outside`, each with its directory, and shows that they lead there
/// while nothing is restricted.
fn make_links(tree: &Tree, links: &[(&str, &str)]) {
    for (link, target) in links {
        let (link, target) = (tree.granted().join(link), tree.outside().join(target));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&target, &link).unwrap();
        if target.exists() {
            assert_eq!(ask::open_read(&link), Ok(()));
        }
    }
}

/// The link leads nowhere for the kernel, with and without creating.
#[track_caller]
fn assert_refuses(link: &Path) {
    assert_eq!(ask::open_read(link), DENIED);
    assert_eq!(ask::open_write(link), DENIED);
}

for_each_way_in! {
    fn a_file_that_is_opened_through_a_link_is_not_reached(tree, links, attack) {
        links(&[("link", "file"), ("directory", "."), ("dangling", "new")]);
        attack(&|guest, directory| {
            for path in ["link", "directory/file", "directory/sub/file"] {
                assert!(guest.read(directory, path).is_err(), "{path}");
                for how in [WRITE, TRUNCATE, CREATE] {
                    assert!(guest.can_open(directory, path, how).is_err(), "{path} {how:?}");
                }
            }
            let _created = guest.can_open(directory, "dangling", CREATE);
            assert!(guest.can_open(directory, "directory/new", CREATE_NEW).is_err());
            assert!(guest.create_directory(directory, "directory/made").is_err());
            assert!(guest.unlink(directory, "directory/file").is_err());
        });
        assert!(!tree.path("outside/new").exists());
        assert!(!tree.path("outside/made").exists());
        assert_refuses(&tree.path("granted/link"));
    }
}

for_each_way_in! {
    fn a_rename_over_a_link_does_not_write_behind_it(tree, links, attack) {
        links(&[("sub/link", "file")]);
        attack(&|guest, directory| {
            guest.write(directory, "evil", CREATE_NEW, b"evil").unwrap();
            let _outcome = guest.rename((directory, "evil"), (directory, "sub/link"));
        });
        // What is there is still the link, or it was replaced: never what is behind it.
        assert_eq!(fs::metadata(tree.path("outside/file")).unwrap().len(), 7);
    }
}

for_each_way_in! {
    fn a_rename_over_a_dangling_link_does_not_create_behind_it(tree, links, attack) {
        links(&[("sub/dangling", "new")]);
        attack(&|guest, directory| {
            guest.write(directory, "evil", CREATE_NEW, b"evil").unwrap();
            let _outcome = guest.rename((directory, "evil"), (directory, "sub/dangling"));
        });
        assert!(!tree.path("outside/new").exists());
    }
}

for_each_way_in! {
    fn a_rename_of_a_directory_does_not_copy_what_a_link_in_it_leads_to(tree, links, attack) {
        links(&[("d/link", "file")]);
        attack(&|guest, directory| {
            let _outcome = guest.rename((directory, "d"), (directory, "sub/d2"));
            for path in ["sub/d2/link", "sub/d2/d/link", "d/link"] {
                assert!(guest.read(directory, path).is_err(), "{path}");
            }
        });
        for path in ["granted/sub/d2/link", "granted/sub/d2/d/link"] {
            let path = tree.path(path);
            let kind = path.symlink_metadata().map(|metadata| metadata.file_type());
            assert!(!kind.is_ok_and(|kind| kind.is_file()) || fs::read(&path).unwrap().is_empty());
        }
    }
}

for_each_way_in! {
    fn a_rename_of_a_directory_does_not_remove_what_a_link_in_it_leads_to(tree, links, attack) {
        links(&[("f/link", "sub")]);
        attack(&|guest, directory| {
            let _outcome = guest.rename((directory, "f"), (directory, "sub/f2"));
            for path in ["sub/f2/link/file", "sub/f2/f/link/file", "f/link/file"] {
                assert!(guest.read(directory, path).is_err(), "{path}");
            }
        });
        assert!(tree.path("outside/sub/file").exists());
    }
}
