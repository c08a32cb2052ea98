//! Each of the builder's ways to record a preopen becomes a rule.

use std::{path::Path, sync::Arc};

use virtual_fs::{
    FileSystem, HostBacking, MountFileSystem, TmpFileSystem, host_backing::HostAccess,
};
use wasix_landlock::{Access, Report, Status};
use wasix_landlock_testing::{ask, isolated};
use wasmer_wasix::{WasiEnvBuilder, WasiStateCreationError};

use crate::common::{
    DENIED,
    custom::Custom,
    guest::{CREATE_NEW, Guest, READ, WRITE},
    host::{AnyFileSystem, any_host_fs, builder, host_builder, host_fs},
    tree::{Tree, assert_granted, assert_refused},
};

type Recorded = Result<WasiEnvBuilder, WasiStateCreationError>;

/// With what `record` says, `granted` can be used, by the module and by the process, and nothing else.
#[track_caller]
fn grants_one(
    origin: &str,
    name: Option<&str>,
    record: impl FnOnce(WasiEnvBuilder, &Path) -> Recorded,
) {
    let tree = Tree::new();
    let mut guest = Guest::new(record(host_builder(), &tree.granted()).unwrap());
    tree.assert_only_granted(Access::ALL);

    let path = tree.granted().to_str().unwrap().to_owned();
    let preopen = &guest.report().preopens[0];
    assert_eq!(preopen.origin, origin);
    assert_eq!(preopen.status, Status::Granted);
    assert_eq!(preopen.hosts[0].path, path);
    let directory = guest.preopen(name.unwrap_or(&path));
    assert_eq!(guest.read(directory, "sub/file").unwrap(), b"content");
    guest.write(directory, "new", CREATE_NEW, b"new").unwrap();
    assert_eq!(std::fs::read(tree.path("granted/new")).unwrap(), b"new");
    assert!(guest.can_open(directory, "../outside/file", READ).is_err());
    let absolute = tree.path("outside/file");
    assert!(
        guest
            .can_open(directory, absolute.to_str().unwrap(), READ)
            .is_err()
    );
}

/// With what `record` says, `granted` and `also` can be used, and nothing else.
#[track_caller]
fn grants_two(record: impl FnOnce(WasiEnvBuilder, [&Path; 2]) -> Recorded) {
    let tree = Tree::new();
    let builder = record(host_builder(), [&tree.granted(), &tree.also()]).unwrap();
    let guest = Guest::new(builder);
    assert_granted(&tree.granted(), Access::ALL);
    assert_granted(&tree.also(), Access::ALL);
    assert_refused(&tree.outside());
    assert_eq!(guest.report().preopens.len(), 2);
}

for_both_users! {
    fn preopen_dir_grants_its_directory() {
        grants_one("preopen_dir", None, |builder, path| builder.preopen_dir(path));
    }
}

for_both_users! {
    fn map_dir_grants_its_directory() {
        grants_one("map_dir", Some("data"), |builder, path| builder.map_dir("/data", path));
    }
}

#[test]
fn add_preopen_dir_grants_its_directory() {
    isolated!(|| {
        grants_one("preopen_dir", None, |mut builder, path| {
            builder.add_preopen_dir(path)?;
            Ok(builder)
        });
    });
}

#[test]
fn add_map_dir_grants_its_directory() {
    isolated!(|| {
        grants_one("map_dir", Some("data"), |mut builder, path| {
            builder.add_map_dir("data", path)?;
            Ok(builder)
        });
    });
}

#[test]
fn preopen_build_grants_its_directory() {
    isolated!(|| {
        grants_one("preopen_dir", None, |builder, path| {
            builder.preopen_build(|p| p.directory(path).read(true).create(true))
        });
    });
}

#[test]
fn add_preopen_build_grants_its_directory() {
    isolated!(|| {
        grants_one("map_dir", Some("data"), |mut builder, path| {
            builder
                .add_preopen_build(|p| p.directory(path).alias("data").read(true).create(true))?;
            Ok(builder)
        });
    });
}

#[test]
fn preopen_dirs_grants_each_directory() {
    isolated!(|| grants_two(|builder, paths| builder.preopen_dirs(paths)));
}

#[test]
fn map_dirs_grants_each_directory() {
    isolated!(|| {
        grants_two(|builder, [one, two]| {
            builder.map_dirs([("one".to_owned(), one), ("two".to_owned(), two)])
        });
    });
}

#[test]
fn preopen_vfs_dirs_grants_each_directory() {
    isolated!(|| {
        grants_two(|mut builder, paths| {
            let names = paths.map(|path| path.to_str().unwrap().to_owned());
            builder.preopen_vfs_dirs(names)?;
            Ok(builder)
        });
    });
}

/// The rights of `preopen_build` are those that the kernel grants.
fn preopen_build(access: Access) {
    let tree = Tree::new();
    let path = tree.granted();
    let builder = host_builder().preopen_build(|p| {
        p.directory(&path)
            .read(access.read)
            .write(access.write)
            .create(access.create)
    });
    let guest = Guest::new(builder.unwrap());
    tree.assert_only_granted(access);
    assert_eq!(guest.report().preopens[0].asked, access);
}

#[test]
fn preopen_build_for_reading_grants_reading() {
    isolated!(|| preopen_build(Access::READ));
}

#[test]
fn preopen_build_for_writing_grants_writing() {
    isolated!(|| preopen_build(Access::WRITE));
}

#[test]
fn preopen_build_for_reading_and_writing_grants_no_creating() {
    isolated!(|| preopen_build(Access::READ_WRITE));
}

#[test]
fn preopen_build_for_creating_grants_no_reading() {
    isolated!(|| {
        preopen_build(Access {
            read: false,
            ..Access::ALL
        });
    });
}

#[test]
fn preopen_build_for_everything_grants_everything() {
    isolated!(|| preopen_build(Access::ALL));
}

#[test]
fn a_directory_as_the_root_of_the_file_system_is_granted_by_a_preopen_of_the_root() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder().fs(any_host_fs(tree.granted()));
        let mut guest = Guest::new(builder.preopen_dir("/").unwrap());
        tree.assert_only_granted(Access::ALL);
        let root = guest.preopen("/");
        assert_eq!(guest.read(root, "file").unwrap(), b"content");
    });
}

#[test]
fn of_a_file_system_only_the_preopened_part_is_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder().fs(any_host_fs(tree.root()));
        let mut guest = Guest::new(builder.map_dir("data", "/granted").unwrap());
        tree.assert_only_granted(Access::ALL);
        let data = guest.preopen("data");
        assert_eq!(guest.read(data, "file").unwrap(), b"content");
    });
}

/// A file system with a directory in memory, and the host's `granted` at `/data`.
fn mounted(tree: &Tree) -> MountFileSystem {
    let mounts = MountFileSystem::new();
    mounts.mount("/", Arc::new(TmpFileSystem::new())).unwrap();
    mounts.mount("/data", any_host_fs(tree.granted())).unwrap();
    mounts
}

#[test]
fn a_mount_is_granted_by_a_preopen_of_its_place() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder().mount_fs(mounted(&tree));
        let guest = Guest::new(builder.preopen_dir("/data").unwrap());
        tree.assert_only_granted(Access::ALL);
        assert_eq!(guest.report().preopens[0].origin, "preopen_dir");
    });
}

#[test]
fn a_mount_is_granted_by_a_preopen_above_it() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder().mount_fs(mounted(&tree));
        let mut guest = Guest::new(builder.preopen_dir("/").unwrap());
        tree.assert_only_granted(Access::ALL);
        let report = guest.report();
        assert_eq!(report.preopens[0].origin, "mount");
        assert_eq!(report.preopens[0].guest, "/data");
        let root = guest.preopen("/");
        assert_eq!(guest.read(root, "data/file").unwrap(), b"content");
    });
}

#[test]
fn of_a_mount_only_what_a_preopen_below_it_names_is_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = builder().mount_fs(mounted(&tree));
        let _guest = Guest::new(builder.preopen_dir("/data/sub").unwrap());
        assert_eq!(ask::open_read(tree.path("granted/sub/file")), Ok(()));
        assert_eq!(ask::open_read(tree.path("granted/file")), DENIED);
        assert_refused(&tree.outside());
    });
}

#[test]
fn of_a_mount_only_what_its_source_names_is_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let mounts = MountFileSystem::new();
        let root = any_host_fs(tree.root());
        mounts.mount_with_source("/data", "/granted", root).unwrap();
        let builder = builder().mount_fs(mounts);
        let mut guest = Guest::new(builder.preopen_dir("/data").unwrap());
        tree.assert_only_granted(Access::ALL);
        let data = guest.preopen("/data");
        assert_eq!(guest.read(data, "file").unwrap(), b"content");
    });
}

#[test]
fn a_mount_apart_from_each_preopen_is_not_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let mounts = mounted(&tree);
        mounts.create_dir(Path::new("/elsewhere")).unwrap();
        let guest = Guest::new(
            builder()
                .mount_fs(mounts)
                .preopen_dir("/elsewhere")
                .unwrap(),
        );
        assert_refused(&tree.granted());
        assert_eq!(guest.report().preopens[0].status, Status::Virtual);
    });
}

#[test]
fn two_preopens_of_one_directory_grant_what_either_asks_for() {
    isolated!(|| {
        let tree = Tree::new();
        let path = tree.granted();
        let builder = host_builder()
            .preopen_build(|p| p.directory(&path).read(true))
            .and_then(|b| b.preopen_build(|p| p.directory(&path).alias("rw").write(true)))
            .unwrap();
        let guest = Guest::new(builder);
        tree.assert_only_granted(Access::READ_WRITE);
        // Which is more than each of them asks for, and the report says so.
        assert!(!guest.report().warnings.is_empty());
    });
}

#[test]
fn a_link_that_the_application_named_is_followed() {
    isolated!(|| {
        let tree = Tree::new();
        let link = tree.path("link");
        std::os::unix::fs::symlink("granted", &link).unwrap();
        let guest = Guest::new(host_builder().preopen_dir(&link).unwrap());
        tree.assert_only_granted(Access::ALL);
        let host = &guest.report().preopens[0].hosts[0];
        assert_eq!(host.resolved.as_deref(), tree.granted().to_str());
    });
}

for_both_users! {
    fn without_a_preopen_nothing_is_granted() {
        let tree = Tree::new();
        let env = host_builder().build().unwrap();
        assert_refused(&tree.granted());
        let report = env.landlock_report().unwrap();
        assert!(report.enforced);
        assert!(report.preopens.is_empty());
    }
}

/// A preopen of something in memory is virtual.
fn is_virtual(report: &Report) {
    assert!(report.enforced);
    assert!(!report.preopens.is_empty());
    for preopen in &report.preopens {
        assert_eq!(preopen.status, Status::Virtual, "{}", preopen.guest);
        assert!(preopen.hosts.is_empty());
    }
}

#[test]
fn preopens_in_memory_are_virtual_and_grant_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        let mut builder = builder()
            .preopen_dir("/")
            .unwrap()
            .map_dir("t", "/tmp")
            .unwrap();
        builder.preopen_vfs_dirs(["/bin".to_owned()]).unwrap();
        let mut guest = Guest::new(builder);
        assert_refused(&tree.granted());
        is_virtual(&guest.report());
        let temporary = guest.preopen("t");
        guest
            .write(temporary, "new", CREATE_NEW, b"in memory")
            .unwrap();
        assert_eq!(guest.read(temporary, "new").unwrap(), b"in memory");
    });
}

#[test]
fn a_custom_file_system_that_says_what_stands_behind_it_is_granted_that() {
    isolated!(|| {
        let tree = Tree::new();
        let backing = HostBacking::root(tree.granted(), HostAccess::READ);
        let custom: AnyFileSystem = Arc::new(Custom::saying(any_host_fs(tree.granted()), backing));
        let builder = builder().fs(custom);
        let mut guest = Guest::new(builder.preopen_dir("/").unwrap());
        // It said that it reads only, so that is what is granted.
        tree.assert_only_granted(Access::READ);
        let root = guest.preopen("/");
        assert_eq!(guest.read(root, "file").unwrap(), b"content");
        assert!(guest.can_open(root, "file", WRITE).is_err());
    });
}

#[test]
fn a_custom_file_system_that_does_not_say_is_granted_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        let custom: AnyFileSystem = Arc::new(Custom::silent(any_host_fs(tree.granted())));
        let builder = builder().fs(custom);
        let mut guest = Guest::new(builder.preopen_dir("/").unwrap());
        assert_refused(&tree.granted());
        is_virtual(&guest.report());
        let root = guest.preopen("/");
        assert!(guest.can_open(root, "file", READ).is_err());
        // It isn't that the file system doesn't work.
        assert_eq!(
            host_fs(tree.granted())
                .metadata(Path::new("/file"))
                .unwrap()
                .len(),
            7
        );
    });
}

#[test]
fn a_custom_file_system_is_granted_what_is_reserved_for_it() {
    isolated!(|| {
        let tree = Tree::new();
        let custom: AnyFileSystem = Arc::new(Custom::silent(any_host_fs(tree.granted())));
        let builder = builder()
            .fs(custom)
            .landlock(|l| l.runtime_path(tree.granted(), Access::READ, "custom"));
        let mut guest = Guest::new(builder.preopen_dir("/").unwrap());
        tree.assert_only_granted(Access::READ);
        let root = guest.preopen("/");
        assert_eq!(guest.read(root, "file").unwrap(), b"content");
    });
}
