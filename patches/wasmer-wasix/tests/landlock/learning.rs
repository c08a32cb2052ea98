//! The uses of a program are its needs.

use std::fs;

use wasix_landlock::Access;
use wasix_landlock_testing::{ask, isolated};
use wasmer_wasix::landlock::{HostKind, Learned, Learning, Sensitive, Suggestion};

use crate::common::{
    DENIED,
    guest::{CREATE, CREATE_NEW, Guest, READ, WRITE},
    host::{as_suggested, builder},
    tree::Tree,
};

/// Learns the needs of `act` in `granted`, which shows as `data`.
fn learn(tree: &Tree, act: impl Fn(&mut Guest)) -> Learned {
    let learning = Learning::new();
    let wide = builder()
        .preopen(|p| {
            p.directory(tree.granted())
                .alias("data")
                .read(true)
                .create(true)
        })
        .unwrap()
        .learn(&learning);
    let mut guest = Guest::new(wide);
    assert_eq!(
        ask::open_read(tree.outside()),
        Ok(()),
        "it must not be enforced"
    );
    act(&mut guest);
    assert_eq!(guest.denials()[..], []);
    learning.learned()
}

/// A module with just these preopens.
fn with(preopens: &[Suggestion]) -> Guest {
    let given = preopens.iter().fold(builder(), |builder, preopen| {
        let given = builder.preopen(|p| as_suggested(p, preopen));
        given.unwrap()
    });
    Guest::new(given)
}

/// Returns the learned grants in short: the path below `granted`, and the access.
fn short(tree: &Tree, learned: &Learned) -> Vec<(String, HostKind, Access)> {
    let short = |preopen: &Suggestion| {
        let path = preopen.host.strip_prefix(tree.granted()).unwrap();
        let path = path.to_str().unwrap().to_owned();
        assert_eq!(preopen.guest, format!("data/{path}").trim_end_matches('/'));
        (path, preopen.kind, preopen.access)
    };
    learned.preopens.iter().map(short).collect()
}

fn file(path: &str, access: Access) -> (String, HostKind, Access) {
    (path.to_owned(), HostKind::File, access)
}

fn directory(path: &str, access: Access) -> (String, HostKind, Access) {
    (path.to_owned(), HostKind::Directory, access)
}

const MAKE: Access = Access::WRITE.union(Access::CREATE);

#[test]
fn files_that_are_used_by_name_are_granted_one_by_one() {
    isolated!(|| {
        let tree = Tree::new();
        fs::write(tree.path("granted/unused"), "").unwrap();
        fs::write(tree.path("granted/seen"), "").unwrap();
        let act = |guest: &mut Guest| {
            let data = guest.preopen("data");
            guest.can_open(data, "missing", READ).unwrap_err();
            assert_eq!(guest.read(data, "file").unwrap(), b"content");
            guest.write(data, "new", CREATE, b"new").unwrap();
            guest.stat(data, "seen").unwrap();
        };
        let learned = learn(&tree, act);
        let expected = [
            file("file", Access::READ),
            file("new", MAKE),
            file("seen", Access::READ),
        ];
        assert_eq!(short(&tree, &learned), expected);
        assert!(learned.looked_at.is_empty(), "{learned}");

        act(&mut with(&learned.preopens));
        assert_eq!(ask::open_read(tree.path("granted/file")), Ok(()));
        assert_eq!(ask::open_write(tree.path("granted/file")), DENIED);
        assert_eq!(ask::open_read(tree.path("granted/unused")), DENIED);
        assert_eq!(ask::create_new(tree.path("granted/other")), DENIED);
    });
}

#[test]
fn a_directory_is_granted_where_entries_are_made_and_removed() {
    isolated!(|| {
        let tree = Tree::new();
        let act = |guest: &mut Guest| {
            // As the C library does it, by the preopen with the longest name.
            let sub = guest.preopen("data/sub");
            guest.write(sub, "temporary", CREATE_NEW, b"x").unwrap();
            guest.rename((sub, "temporary"), (sub, "new")).unwrap();
            guest.create_directory(sub, "made").unwrap();
            guest.write(sub, "made/inner", CREATE, b"x").unwrap();
            guest.unlink(sub, "made/inner").unwrap();
            guest.remove_directory(sub, "made").unwrap();
            guest.unlink(sub, "new").unwrap();
        };
        let wide = |guest: &mut Guest| {
            let data = guest.preopen("data");
            guest
                .write(data, "sub/temporary", CREATE_NEW, b"x")
                .unwrap();
            guest
                .rename((data, "sub/temporary"), (data, "sub/new"))
                .unwrap();
            guest.create_directory(data, "sub/made").unwrap();
            guest.write(data, "sub/made/inner", CREATE, b"x").unwrap();
            guest.unlink(data, "sub/made/inner").unwrap();
            guest.remove_directory(data, "sub/made").unwrap();
            guest.unlink(data, "sub/new").unwrap();
        };
        let learned = learn(&tree, wide);
        assert_eq!(short(&tree, &learned), [directory("sub", Access::ALL)]);

        act(&mut with(&learned.preopens));
        assert_eq!(ask::open_read(tree.path("granted/file")), DENIED);
        assert_eq!(ask::create_new(tree.path("granted/new")), DENIED);
    });
}

#[test]
fn a_listing_is_for_reading_and_shows_what_is_in_it() {
    isolated!(|| {
        let tree = Tree::new();
        let act = |guest: &mut Guest| {
            let data = guest.preopen("data");
            assert_eq!(guest.list(data).unwrap(), ["file", "sub"]);
            guest.read(data, "sub/file").unwrap();
        };
        let learned = learn(&tree, act);
        assert_eq!(short(&tree, &learned), [directory("", Access::READ)]);
        act(&mut with(&learned.preopens));
        assert_eq!(ask::open_write(tree.path("granted/file")), DENIED);
    });
}

#[test]
fn what_moves_between_directories_needs_the_one_around_both() {
    isolated!(|| {
        let tree = Tree::new();
        fs::create_dir(tree.path("granted/other")).unwrap();
        let learned = learn(&tree, |guest| {
            let data = guest.preopen("data");
            guest
                .rename((data, "sub/file"), (data, "other/file"))
                .unwrap();
            guest
                .rename((data, "other/file"), (data, "sub/file"))
                .unwrap();
        });
        assert_eq!(short(&tree, &learned), [directory("", Access::ALL)]);
        let mut guest = with(&learned.preopens);
        let data = guest.preopen("data");
        guest
            .rename((data, "sub/file"), (data, "other/file"))
            .unwrap();
        assert_eq!(ask::open_read(tree.outside()), DENIED);
    });
}

#[test]
fn a_directory_that_is_only_looked_at_is_not_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let learned = learn(&tree, |guest| {
            let data = guest.preopen("data");
            guest.stat(data, "sub").unwrap();
            guest.read(data, "file").unwrap();
        });
        assert_eq!(short(&tree, &learned), [file("file", Access::READ)]);
        assert_eq!(learned.looked_at, [tree.path("granted/sub")]);
    });
}

#[test]
fn what_is_sensitive_is_pointed_out_and_not_granted() {
    isolated!(|| {
        let tree = Tree::new();
        for name in [".ssh", "project"] {
            fs::create_dir(tree.granted().join(name)).unwrap();
        }
        for name in [".ssh/config", "project/server.key", "project/plain"] {
            fs::write(tree.granted().join(name), "").unwrap();
        }
        wasix_landlock_testing::with_variable("HOME", Some(tree.granted().as_os_str()), || {
            let learned = learn(&tree, |guest| {
                let data = guest.preopen("data");
                guest.can_open(data, ".ssh/config", READ).unwrap();
                guest.can_open(data, "project/server.key", READ).unwrap();
                guest.can_open(data, "project/plain", READ).unwrap();
                guest.can_open(data, "project/new.key", CREATE).unwrap();
                guest.can_open(data, "project/plain", WRITE).unwrap();
            });
            let expected = [
                file("project/new.key", MAKE),
                file("project/plain", Access::READ_WRITE),
            ];
            assert_eq!(short(&tree, &learned), expected);
            let sensitive: Vec<_> = learned.sensitive.iter().map(|(_, why)| *why).collect();
            assert_eq!(sensitive, [Sensitive::Credentials, Sensitive::Key]);
            for text in [learned.rust(), learned.toml()] {
                for line in text.lines().filter(|line| line.contains(".ssh")) {
                    assert!(line.starts_with(['#', '/']), "{text}");
                }
                assert!(text.contains("SENSITIVE"), "{text}");
            }
            // The home directory itself.
            let learned = learn(&tree, |guest| {
                let data = guest.preopen("data");
                guest.list(data).unwrap();
            });
            assert_eq!(learned.preopens, []);
            assert_eq!(learned.sensitive[0].1, Sensitive::TooMuch);
        });
    });
}
