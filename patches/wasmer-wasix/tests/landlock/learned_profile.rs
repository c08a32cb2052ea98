//! The policy file of `Learned` is a profile, with which the same module runs, enforced; and with a line less
//! it doesn't.

use std::{fs, path::Path};

use wasix_landlock_testing::{ask, isolated};
use wasmer_wasix::landlock::{Learned, Learning};
use wasmer_wasix::profile::Profile;

use crate::common::{
    DENIED,
    guest::{CREATE, CREATE_NEW, Guest, Outcome, WRITE},
    host::builder,
    tree::Tree,
};

/// Uses `granted`, which the module sees as `data`, by the name of the need.
fn act(guest: &mut Guest) -> [(&'static str, Outcome); 4] {
    let data = guest.preopen("data");
    let temporary = guest.write(data, "sub/temporary", CREATE_NEW, b"x");
    [
        ("file", guest.read(data, "file").map(drop)),
        ("new", guest.write(data, "new", CREATE, b"new")),
        ("out", guest.write(data, "out", WRITE, b"out")),
        (
            "sub",
            temporary.and_then(|()| guest.unlink(data, "sub/temporary")),
        ),
    ]
}

/// The names of what was refused.
fn refused(guest: &mut Guest) -> Vec<&'static str> {
    let done = act(guest).into_iter();
    done.filter_map(|(name, done)| done.err().map(|_| name))
        .collect()
}

/// Learns the module's needs. All is as before then.
fn learned(tree: &Tree) -> Learned {
    for name in ["out", "unused"] {
        fs::write(tree.granted().join(name), "").unwrap();
    }
    let learning = Learning::new();
    let wide = builder()
        .preopen(|p| {
            let directory = p.directory(tree.granted()).alias("data");
            directory.read(true).create(true)
        })
        .unwrap()
        .learn(&learning);
    let mut guest = Guest::new(wide);
    assert!(refused(&mut guest).is_empty());
    assert_eq!(ask::open_read(tree.path("granted/unused")), Ok(()));
    fs::remove_file(tree.path("granted/new")).unwrap();
    learning.learned()
}

/// The module with what the file says, enforced.
fn with(text: &str) -> Result<Guest, String> {
    let profile = Profile::from_toml(text).map_err(|error| error.to_string())?;
    let builder = builder().profile(&profile).unwrap();
    Guest::try_new(builder).map_err(|error| error.to_string())
}

/// The file without a line of the table of this host path, or without the table.
#[track_caller]
fn without(text: &str, host: &Path, line: Option<&str>) -> String {
    let host = format!("host = {host:?}\n");
    let mut found = 0;
    let tables = text.split("[[preopen]]\n").skip(1).map(|table| {
        if !table.contains(&host) {
            return format!("[[preopen]]\n{table}");
        }
        found += 1;
        let Some(line) = line else {
            return String::new();
        };
        assert_eq!(table.matches(line).count(), 1, "{table}");
        format!("[[preopen]]\n{}", table.replace(line, ""))
    });
    let without = tables.collect();
    assert_eq!(found, 1, "{text}");
    without
}

#[test]
fn it_is_loaded_unchanged() {
    isolated!(|| {
        let tree = Tree::new();
        let learned = learned(&tree);
        let profile = Profile::from_toml(&learned.toml()).unwrap();
        let loaded: Vec<_> = profile
            .preopens
            .iter()
            .map(|p| (p.host.clone(), p.guest.clone(), p.kind, p.access))
            .collect();
        let expected: Vec<_> = learned
            .preopens
            .iter()
            .map(|p| (p.host.clone(), Some(p.guest.clone()), p.kind, p.access))
            .collect();
        assert_eq!(loaded.len(), 4, "{}", learned.toml());
        assert_eq!(loaded, expected);
        let path = tree.path("outside/policy.toml");
        fs::write(&path, learned.toml()).unwrap();
        assert_eq!(Profile::load(path).unwrap(), profile);
    });
}

for_both_users! {
    fn it_is_enough_and_no_more() {
        let tree = Tree::new();
        let text = learned(&tree).toml();
        let mut guest = with(&text).unwrap();
        assert!(guest.report().enforced);
        assert_eq!(refused(&mut guest), [""; 0]);
        assert_eq!(ask::open_read(tree.path("granted/file")), Ok(()));
        assert_eq!(ask::open_write(tree.path("granted/file")), DENIED);
        assert_eq!(ask::open_read(tree.path("granted/unused")), DENIED);
        assert_eq!(ask::create_new(tree.path("granted/other")), DENIED);
    }
}

#[test]
fn without_a_file_it_is_refused_that_file() {
    isolated!(|| {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        let text = without(&learned(&tree).toml(), &file, None);
        assert_eq!(refused(&mut with(&text).unwrap()), ["file"]);
        assert_eq!(ask::open_read(file), DENIED);
    });
}

#[test]
fn without_a_directory_it_is_refused_that_directory() {
    isolated!(|| {
        let tree = Tree::new();
        let sub = tree.path("granted/sub");
        let text = without(&learned(&tree).toml(), &sub, None);
        assert_eq!(refused(&mut with(&text).unwrap()), ["sub"]);
        assert_eq!(ask::create_new(sub.join("other")), DENIED);
    });
}

#[test]
fn without_the_right_to_make_entries_it_makes_none() {
    isolated!(|| {
        let tree = Tree::new();
        let sub = tree.path("granted/sub");
        let text = without(&learned(&tree).toml(), &sub, Some("create = true\n"));
        assert_eq!(refused(&mut with(&text).unwrap()), ["sub"]);
        assert_eq!(ask::open_write(sub.join("file")), Ok(()));
        assert_eq!(ask::create_new(sub.join("other")), DENIED);
    });
}

#[test]
fn without_the_right_to_make_a_file_it_is_not_built() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.path("granted/new");
        let text = without(&learned(&tree).toml(), &new, Some("create = true\n"));
        let error = with(&text).map(drop).unwrap_err();
        assert!(
            error.contains("granted/new") && error.contains("create it first"),
            "{error}"
        );
        assert_eq!(ask::open_read(tree.path("granted/unused")), Ok(()));
    });
}

#[test]
fn without_its_only_right_it_is_not_loaded() {
    isolated!(|| {
        let tree = Tree::new();
        let out = tree.path("granted/out");
        let text = without(&learned(&tree).toml(), &out, Some("write = true\n"));
        let error = with(&text).map(drop).unwrap_err();
        assert!(error.contains("allows nothing"), "{error}");
    });
}
