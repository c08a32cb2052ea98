//! A process is restricted once. What is built later has to lie within that.

use std::fs;

use wasix_landlock::{Access, Status};
use wasix_landlock_testing::{ask, isolated};
use wasmer_wasix::{WasiEnv, WasiEnvBuilder};

use crate::common::{
    DENIED,
    guest::{Guest, WRITE},
    host::{builder, host_builder},
    tree::{Tree, assert_granted, assert_refused},
};

fn build(builder: WasiEnvBuilder) -> Result<WasiEnv, String> {
    builder.build().map_err(|error| error.to_string())
}

/// A builder with one directory.
fn directory(tree: &Tree, name: &str, access: Access) -> WasiEnvBuilder {
    let builder = builder().preopen(|p| {
        p.directory(tree.path(name))
            .alias("/data")
            .read(access.read)
            .write(access.write)
            .create(access.create)
    });
    builder.unwrap()
}

for_both_users! {
    fn the_same_preopens_can_be_built_again() {
        let tree = Tree::new();
        let mut first = Guest::new(directory(&tree, "granted", Access::ALL));
        let mut second = Guest::new(directory(&tree, "granted", Access::ALL));
        assert!(!first.report().joined);
        assert!(second.report().joined && second.report().enforced);
        assert_eq!(second.report().preopens[0].status, Status::Granted);
        tree.assert_only_granted(Access::ALL);
        for guest in [&mut first, &mut second] {
            let data = guest.preopen("/data");
            assert_eq!(guest.read(data, "file").unwrap(), b"content");
        }
    }
}

#[test]
fn a_part_of_the_preopens_can_be_built_later() {
    isolated!(|| {
        let tree = Tree::new();
        build(directory(&tree, "granted", Access::ALL)).unwrap();
        let mut guest = Guest::new(directory(&tree, "granted/sub", Access::READ));
        let data = guest.preopen("/data");
        assert_eq!(guest.read(data, "file").unwrap(), b"content");
        // The module has no more than it asks for, though the process has.
        assert!(guest.can_open(data, "file", WRITE).is_err());
        tree.assert_only_granted(Access::ALL);
    });
}

for_both_users! {
    fn another_preopen_later_is_an_error_that_names_it() {
        let tree = Tree::new();
        build(directory(&tree, "granted", Access::ALL)).unwrap();
        let error = build(directory(&tree, "also", Access::READ)).unwrap_err();
        assert!(error.contains(tree.also().to_str().unwrap()), "{error}");
        assert!(error.contains("/data") && error.contains("first build"), "{error}");
        tree.assert_only_granted(Access::ALL);
    }
}

#[test]
fn more_access_later_is_an_error_that_names_the_preopen() {
    isolated!(|| {
        let tree = Tree::new();
        build(directory(&tree, "granted", Access::READ)).unwrap();
        let error = build(directory(&tree, "granted", Access::READ_WRITE)).unwrap_err();
        assert!(error.contains(tree.granted().to_str().unwrap()), "{error}");
        tree.assert_only_granted(Access::READ);
    });
}

#[test]
fn another_recorded_directory_later_is_an_error_that_names_it() {
    isolated!(|| {
        let tree = Tree::new();
        build(host_builder().preopen_dir(tree.granted()).unwrap()).unwrap();
        build(host_builder().map_dir("data", tree.granted()).unwrap()).unwrap();
        let error = build(host_builder().preopen_dir(tree.also()).unwrap()).unwrap_err();
        assert!(error.contains(tree.also().to_str().unwrap()), "{error}");
        tree.assert_only_granted(Access::ALL);
    });
}

#[test]
fn a_file_can_be_made_later_in_a_granted_directory() {
    isolated!(|| {
        let tree = Tree::new();
        build(directory(&tree, "granted", Access::ALL)).unwrap();
        let new = tree.path("granted/sub/new");
        let file = builder().preopen(|p| p.path(&new).alias("/out/new").create(true));
        let mut guest = Guest::new(file.unwrap());
        assert!(guest.report().preopens[0].hosts[0].created);
        let directory = guest.preopen("/out");
        guest.write(directory, "new", WRITE, b"new").unwrap();
        assert_eq!(fs::read(&new).unwrap(), b"new");
        tree.assert_only_granted(Access::ALL);
    });
}

#[test]
fn a_file_can_not_be_made_later_where_nothing_was_granted() {
    isolated!(|| {
        let tree = Tree::new();
        build(directory(&tree, "granted", Access::ALL)).unwrap();
        let new = tree.path("also/new");
        let file = builder().preopen(|p| p.path(&new).alias("/out/new").create(true));
        let error = build(file.unwrap()).unwrap_err();
        assert!(error.contains(new.to_str().unwrap()), "{error}");
        assert!(!new.exists());
    });
}

#[test]
fn what_is_reserved_can_be_built_later() {
    isolated!(|| {
        let tree = Tree::new();
        let first = directory(&tree, "granted", Access::READ)
            .landlock(|l| l.runtime_path(tree.also(), Access::ALL, "for later"));
        let env = build(first).unwrap();
        let report = env.landlock_report().unwrap();
        let reserved = report
            .runtime_paths
            .iter()
            .find(|p| p.reason == "for later");
        assert_eq!(reserved.unwrap().path, tree.also().to_str().unwrap());
        assert_granted(&tree.granted(), Access::READ);
        assert_granted(&tree.also(), Access::ALL);
        assert_refused(&tree.outside());

        let mut guest = Guest::new(directory(&tree, "also", Access::ALL));
        let data = guest.preopen("/data");
        assert_eq!(guest.read(data, "file").unwrap(), b"content");
        build(directory(&tree, "outside", Access::READ)).unwrap_err();
    });
}

#[test]
fn nothing_at_all_can_be_built_later() {
    isolated!(|| {
        let tree = Tree::new();
        build(directory(&tree, "granted", Access::READ)).unwrap();
        let env = build(builder()).unwrap();
        assert!(env.landlock_report().unwrap().joined);
        assert_eq!(ask::open_read(tree.path("outside/file")), DENIED);
    });
}

#[test]
fn the_first_report_stays_the_processes() {
    isolated!(|| {
        let tree = Tree::new();
        assert!(wasmer_wasix::landlock::process_report().is_none());
        let first = build(directory(&tree, "granted", Access::ALL)).unwrap();
        build(directory(&tree, "granted/sub", Access::READ)).unwrap();
        let process = wasmer_wasix::landlock::process_report().unwrap();
        assert_eq!(process, first.landlock_report().unwrap());
        assert!(!process.joined);
    });
}
