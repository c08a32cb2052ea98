//! Accesses that the WASI layer would allow and the kernel refuses: nothing granted them when the process was
//! restricted. Both come from preopening or mounting something after that.

use std::{ffi::OsStr, sync::Arc};

use virtual_fs::{MountFileSystem, TmpFileSystem};
use wasix_landlock::{Access, Right, Verdict};
use wasix_landlock_testing::{ask, isolated, with_variable};
use wasmer_wasix::WasiEnvBuilder;
use wasmer_wasix::landlock::{Cause, Denial, HostKind};

use crate::common::{
    DENIED,
    guest::Guest,
    host::{AnyFileSystem, any_host_fs, builder},
    tree::Tree,
};
use crate::denials::{only, reading};

/// Checks the one denial of reading `also/file`, where the WASI layer allows it.
#[track_caller]
fn only_the_kernel(denial: &Denial, tree: &Tree) {
    assert_eq!(denial.cause, Cause::Kernel, "{denial}");
    assert_eq!(denial.explanation.path, tree.path("also/file"));
    let Verdict::NotGranted { missing, .. } = &denial.explanation.verdict else {
        panic!("{denial}")
    };
    assert_eq!(missing[..], [Right::ReadFile]);
    let suggestion = denial.suggestion().unwrap();
    assert_eq!(
        (suggestion.kind, suggestion.access),
        (HostKind::File, Access::READ)
    );
    for part in ["the kernel refuses it", "when the process was restricted"] {
        assert!(denial.to_string().contains(part), "{denial}");
    }
}

/// A module to which the application shows `also` as `/data/later` when it runs already.
pub fn with_a_mount_that_comes_later(tree: &Tree) -> Guest {
    let (mounts, data) = (MountFileSystem::new(), Arc::new(MountFileSystem::new()));
    mounts.mount("/", Arc::new(TmpFileSystem::new())).unwrap();
    data.mount("/", Arc::new(TmpFileSystem::new())).unwrap();
    let shared: AnyFileSystem = data.clone();
    mounts.mount("/data", shared).unwrap();
    let guest = Guest::new(builder().mount_fs(mounts).preopen_dir("/data").unwrap());
    data.mount("/later", any_host_fs(tree.also())).unwrap();
    guest
}

#[test]
fn a_mount_that_came_too_late_is_refused_by_the_kernel_alone() {
    isolated!(|| {
        let tree = Tree::new();
        with_variable("WASIX_LANDLOCK", Some(OsStr::new("off")), || {
            let mut guest = with_a_mount_that_comes_later(&tree);
            let data = guest.preopen("/data");
            assert_eq!(guest.read(data, "later/file").unwrap(), b"content");
        });
        let mut guest = with_a_mount_that_comes_later(&tree);
        let data = guest.preopen("/data");
        guest.read(data, "later/file").unwrap_err();
        assert_eq!(ask::open_read(tree.path("also/file")), DENIED);
        only_the_kernel(&only(&guest), &tree);
    });
}

/// The second environment of a process, which may read `also`. In best effort it is built, whatever the first grants.
fn reading_also_in_best_effort(first: WasiEnvBuilder, tree: &Tree) -> Guest {
    let mut guest = None;
    with_variable("WASIX_LANDLOCK", Some(OsStr::new("best-effort")), || {
        Guest::new(first);
        let also = builder().preopen(|p| p.directory(tree.also()).alias("also").read(true));
        guest = Some(Guest::new(also.unwrap()));
    });
    guest.unwrap()
}

#[test]
fn a_preopen_that_came_too_late_is_refused_by_the_kernel_alone() {
    isolated!(|| {
        let tree = Tree::new();
        let mut guest = reading_also_in_best_effort(reading(&tree), &tree);
        let also = guest.preopen("also");
        guest.stat(also, "file").unwrap();
        guest.read(also, "file").unwrap_err();
        let denial = only(&guest);
        only_the_kernel(&denial, &tree);
        assert_eq!(guest.explain("/also/file", Access::READ), Some(denial));
    });
}

#[test]
fn a_preopen_that_the_first_environment_grants_as_suggested_is_read() {
    isolated!(|| {
        let tree = Tree::new();
        let first = reading(&tree).preopen(|p| p.path(tree.path("also/file")).read(true));
        let mut guest = reading_also_in_best_effort(first.unwrap(), &tree);
        let also = guest.preopen("also");
        assert_eq!(guest.read(also, "file").unwrap(), b"content");
        assert_eq!(guest.denials()[..], []);
        guest.read(also, "sub/file").unwrap_err();
        assert_eq!(only(&guest).cause, Cause::Kernel);
    });
}
