//! Names and paths that can't be preopened are errors that say so.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use wasix_landlock::Access;
use wasix_landlock_testing::isolated;
use wasmer_wasix::{WasiStateCreationError, landlock::HostPreopenBuilder};

use crate::common::{
    guest::{Guest, WRITE},
    host::builder,
    tree::{Tree, assert_file, assert_refused},
};

/// Returns the error of `preopen`.
#[track_caller]
fn refused(describe: impl FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder) -> String {
    let error = builder().preopen(describe).unwrap_err();
    assert!(matches!(
        error,
        WasiStateCreationError::PreopenedDirectoryError(_)
    ));
    error.to_string()
}

/// Returns the error of `build`.
#[track_caller]
fn build_refuses(
    describe: impl FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder,
) -> String {
    let error = builder().preopen(describe).unwrap().build().unwrap_err();
    assert!(wasmer_wasix::landlock::process_report().is_none());
    error.to_string()
}

#[test]
fn a_preopen_needs_a_path() {
    let error = refused(|p| p.read(true));
    assert!(
        error.contains("`path`") && error.contains("`directory`"),
        "{error}"
    );
}

#[test]
fn a_preopen_needs_a_right() {
    let error = refused(|p| p.path("file"));
    assert!(
        error.contains("`file`") && error.contains("read, write, create"),
        "{error}"
    );
}

#[test]
fn a_right_that_is_taken_back_is_none() {
    let error = refused(|p| p.path("file").read(true).read(false));
    assert!(error.contains("allows nothing"), "{error}");
}

#[test]
fn a_name_with_parents_needs_an_alias() {
    let error = refused(|p| p.path("../file").read(true));
    assert!(
        error.contains("`../file`") && error.contains("alias"),
        "{error}"
    );
    assert!(
        builder()
            .preopen(|p| p.path("../file").alias("file").read(true))
            .is_ok()
    );
}

#[test]
fn an_alias_may_not_have_parents() {
    let error = refused(|p| p.path("file").alias("a/../file").read(true));
    assert!(error.contains("`a/../file`"), "{error}");
}

#[test]
fn an_alias_may_not_have_a_nul_byte() {
    let error = refused(|p| p.path("file").alias("a\0b").read(true));
    assert!(error.contains("NUL") && !error.contains('\0'), "{error}");
}

#[test]
fn an_alias_may_not_be_empty() {
    let error = refused(|p| p.path("file").alias("").read(true));
    assert!(error.contains("empty"), "{error}");
}

#[test]
fn a_path_may_not_be_empty() {
    let error = refused(|p| p.path("").read(true));
    assert!(error.contains("empty"), "{error}");
    isolated!(|| {
        let error = build_refuses(|p| p.path("").alias("a").read(true));
        assert!(error.contains("empty"), "{error}");
    });
}

#[test]
fn a_path_may_not_have_a_nul_byte() {
    let error = refused(|p| p.path("a\0b").read(true));
    assert!(error.contains("NUL"), "{error}");
    isolated!(|| {
        let error = build_refuses(|p| p.path("a\0b").alias("a").read(true));
        assert!(error.contains("NUL"), "{error}");
    });
}

#[test]
fn a_path_that_is_not_text_needs_an_alias() {
    let error = refused(|p| p.path(OsStr::from_bytes(b"caf\xe9")).read(true));
    assert!(
        error.contains("UTF-8") && error.contains("alias"),
        "{error}"
    );
}

#[test]
fn a_path_that_is_not_text_works_with_an_alias() {
    isolated!(|| {
        let tree = Tree::new();
        let path = tree.granted().join(OsStr::from_bytes(b"caf\xe9"));
        let builder = builder().preopen(|p| p.path(&path).alias("/out/cafe").create(true));
        let mut guest = Guest::new(builder.unwrap());
        assert_file(&path, Access::WRITE);
        assert_refused(&tree.granted());
        let directory = guest.preopen("/out");
        guest.write(directory, "cafe", WRITE, b"new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 3);
    });
}

#[test]
fn a_directory_is_no_file() {
    isolated!(|| {
        let tree = Tree::new();
        let error = build_refuses(|p| p.path(tree.granted()).read(true));
        assert!(error.contains("is a directory, not a file"), "{error}");
        assert!(error.contains(tree.granted().to_str().unwrap()), "{error}");
    });
}

#[test]
fn a_file_is_no_directory() {
    isolated!(|| {
        let tree = Tree::new();
        let file = tree.path("granted/file");
        let error = build_refuses(|p| p.directory(&file).read(true));
        assert!(error.contains("is a file, not a directory"), "{error}");
        assert!(error.contains(file.to_str().unwrap()), "{error}");
    });
}

#[test]
fn a_device_is_neither() {
    isolated!(|| {
        let error = build_refuses(|p| p.path("/dev/null").read(true));
        assert!(error.contains("character device"), "{error}");
    });
}

#[test]
fn a_missing_file_without_create_is_an_error_that_names_it() {
    isolated!(|| {
        let tree = Tree::new();
        let error = build_refuses(|p| p.path(tree.path("granted/new")).read(true).write(true));
        assert!(
            error.contains("granted/new") && error.contains("does not exist"),
            "{error}"
        );
    });
}

#[test]
fn a_missing_directory_is_an_error_that_names_it_also_with_create() {
    isolated!(|| {
        let tree = Tree::new();
        let new = tree.path("granted/new");
        let error = build_refuses(|p| p.directory(&new).read(true).create(true));
        assert!(
            error.contains("granted/new") && error.contains("does not exist"),
            "{error}"
        );
        assert!(!new.exists());
    });
}

#[test]
fn a_file_in_a_missing_directory_is_an_error_that_names_the_directory() {
    isolated!(|| {
        let tree = Tree::new();
        let error = build_refuses(|p| p.path(tree.path("nowhere/new")).create(true));
        assert!(
            error.contains("nowhere/new") && error.contains("first"),
            "{error}"
        );
    });
}

#[test]
fn a_link_that_leads_nowhere_is_an_error() {
    isolated!(|| {
        let tree = Tree::new();
        let link = tree.path("granted/link");
        std::os::unix::fs::symlink(tree.path("outside/new"), &link).unwrap();
        let error = build_refuses(|p| p.path(&link).create(true));
        assert!(error.contains("symbolic link"), "{error}");
        assert!(!tree.path("outside/new").exists());
    });
}

#[test]
fn two_preopens_may_not_show_as_the_same() {
    isolated!(|| {
        let tree = Tree::new();
        let preopens = ["granted/file", "also/file"]
            .iter()
            .try_fold(builder(), |b, path| {
                b.preopen(|p| p.path(tree.path(path)).alias("/a/file").read(true))
            });
        let error = preopens.unwrap().build().unwrap_err().to_string();
        assert!(
            error.contains("also/file") && error.contains("/a/file"),
            "{error}"
        );
        assert!(wasmer_wasix::landlock::process_report().is_none());
    });
}

#[test]
fn a_file_may_not_show_as_the_root() {
    isolated!(|| {
        let tree = Tree::new();
        let error = build_refuses(|p| p.path(tree.path("granted/file")).alias("/").read(true));
        assert!(error.contains("granted/file"), "{error}");
        assert!(Path::new(&tree.granted()).exists());
    });
}
