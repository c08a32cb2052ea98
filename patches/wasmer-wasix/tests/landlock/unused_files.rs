//! Files that are made for a preopen, and what becomes of them when they aren't used or the build fails.

use std::fs;

use wasix_landlock::Access;
use wasix_landlock_testing::{ask, isolated};
use wasmer_wasix::{
    WasiEnvBuilder,
    runners::wasi::{RuntimeOrEngine, WasiRunner},
};

use crate::common::{
    DENIED,
    guest::{CREATE_NEW, Guest},
    host::{builder, host_builder, singlepass},
    tree::{Tree, assert_file},
};

for_both_users! {
    fn a_file_that_is_never_written_stays_behind_empty() {
        let tree = Tree::new();
        let new = tree.path("granted/new");
        let builder = builder().preopen(|p| p.path(&new).create(true)).unwrap();
        let env = builder.build().unwrap();
        assert!(env.landlock_report().unwrap().preopens[0].hosts[0].created);
        drop(env);
        assert_eq!(fs::metadata(&new).unwrap().len(), 0);
        assert_file(&new, Access::WRITE);
    }
}

#[test]
fn a_file_that_was_there_is_not_reported_as_made() {
    isolated!(|| {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        let builder = builder().preopen(|p| p.path(&file).create(true)).unwrap();
        let env = builder.build().unwrap();
        assert!(!env.landlock_report().unwrap().preopens[0].hosts[0].created);
        assert_eq!(fs::metadata(&file).unwrap().len(), 7);
    });
}

#[test]
fn nothing_is_made_before_the_build() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.path("granted/new");
        let builder = builder().preopen(|p| p.path(&new).create(true)).unwrap();
        assert!(!new.exists());
        drop(builder);
        assert!(!new.exists());
    });
}

/// The build with a file to make fails for what `spoil` adds, says `why`, and leaves nothing: neither the
/// file nor a restriction.
#[track_caller]
fn leaves_nothing(why: &str, spoil: impl FnOnce(&Tree, WasiEnvBuilder) -> WasiEnvBuilder) {
    let tree = Tree::new();
    let new = tree.path("granted/new");
    let builder = host_builder()
        .preopen(|p| p.path(&new).alias("/tmp/new").create(true))
        .unwrap();
    let error = spoil(&tree, builder).build().unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
    assert!(!new.exists());
    for directory in ["granted", "outside"] {
        assert_eq!(ask::open_write(tree.path(directory).join("file")), Ok(()));
    }
    assert!(wasmer_wasix::landlock::process_report().is_none());
}

for_both_users! {
    fn a_build_with_a_missing_preopen_leaves_nothing() {
        leaves_nothing("nowhere", |tree, builder| {
            builder.preopen(|p| p.directory(tree.path("nowhere")).read(true)).unwrap()
        });
    }
}

#[test]
fn a_build_with_a_missing_virtual_preopen_leaves_nothing() {
    isolated!(|| {
        leaves_nothing("nowhere", |tree, builder| {
            builder.preopen_dir(tree.path("nowhere")).unwrap()
        });
    });
}

#[test]
fn a_build_with_an_invalid_variable_leaves_nothing() {
    isolated!(|| leaves_nothing("environment variable", |_, builder| builder.env("A=B", "c")));
}

#[test]
fn a_build_with_an_invalid_argument_leaves_nothing() {
    isolated!(|| leaves_nothing("null byte", |_, builder| builder.arg("a\0b")));
}

for_both_users! {
    fn a_build_with_a_missing_command_leaves_nothing() {
        leaves_nothing("nowhere", |tree, builder| {
            builder.map_command("tool", tree.path("nowhere").to_str().unwrap())
        });
    }
}

#[test]
fn a_build_whose_file_system_can_not_be_set_up_leaves_nothing() {
    isolated!(|| {
        leaves_nothing("spoilt", |_, builder| {
            builder.setup_fs(Box::new(|_, _| Err("spoilt".to_owned())))
        });
    });
}

#[test]
fn a_build_with_a_name_that_is_taken_leaves_nothing() {
    isolated!(|| {
        leaves_nothing("something else is there", |tree, builder| {
            let file = tree.path("also/file");
            builder
                .preopen(|p| p.path(&file).alias("/tmp/new").read(true))
                .unwrap()
        });
    });
}

#[test]
fn a_build_that_is_only_prepared_leaves_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.path("granted/new");
        let builder = builder().preopen(|p| p.path(&new).create(true)).unwrap();
        let init = builder.build_init().unwrap();
        assert!(new.exists());
        drop(init);
        assert!(!new.exists());
    });
}

#[test]
fn after_a_build_that_failed_another_one_enforces() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.path("granted/new");
        let build = |directory: &str| {
            let builder = builder().preopen(|p| p.path(&new).alias("/a/new").create(true));
            let builder = builder.and_then(|b| {
                b.preopen(|p| p.directory(tree.path(directory)).alias("/b").read(true))
            });
            Guest::try_new(builder.unwrap())
        };
        assert!(build("nowhere").is_err());
        assert!(!new.exists());
        let mut guest = build("also").unwrap();
        assert_file(&new, Access::WRITE);
        assert_file(&tree.path("also/file"), Access::READ);
        assert_file(&tree.path("granted/file"), Access::NONE);
        let directory = guest.preopen("/a");
        assert!(guest.can_open(directory, "new", CREATE_NEW).is_err());
    });
}

#[test]
fn what_is_only_shown_makes_nothing_and_restricts_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.path("granted/new");
        let prepared = || {
            builder()
                .preopen(|p| p.path(&new).alias("new").create(true))
                .unwrap()
        };
        let shown = prepared().landlock_show().unwrap();
        assert!(!new.exists());
        assert_eq!(ask::open_read(tree.outside()), Ok(()));
        assert!(shown.to_string().contains("file, to be created"), "{shown}");
        let error = prepared()
            .preopen(|p| p.directory(tree.path("no")).read(true))
            .unwrap();
        let error = error.landlock_show().unwrap_err().to_string();
        assert!(error.contains("/no"), "{error}");

        let env = prepared().build().unwrap();
        assert!(new.exists());
        assert_eq!(ask::open_read(tree.outside()), DENIED);
        assert_eq!(env.landlock_report().unwrap().preopens, shown.preopens);
    });
}

#[test]
fn a_runner_shows_what_it_would_run_under() {
    isolated!(|| {
        let tree = Tree::new();
        let mut runner = WasiRunner::new();
        runner
            .with_preopen(|p| p.directory(tree.granted()).alias("data").read(true))
            .unwrap();
        let engine = RuntimeOrEngine::Engine(singlepass());
        let shown = runner.landlock_show(engine).unwrap();
        let shown = shown.to_string();
        assert!(shown.contains(tree.granted().to_str().unwrap()), "{shown}");
        assert_eq!(ask::open_read(tree.outside()), Ok(()));
    });
}
