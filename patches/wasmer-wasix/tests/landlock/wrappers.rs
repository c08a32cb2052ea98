//! A host directory inside other file systems is found through them.

use std::{path::Path, sync::Arc};

use virtual_fs::{
    ArcFileSystem, FileSystem, MountFileSystem, OverlayFileSystem, PassthruFileSystem,
    TmpFileSystem, TraceFileSystem, host_fs,
};
use wasix_landlock::Access;
use wasix_landlock_testing::{ask, isolated};

use crate::common::{
    DENIED,
    guest::{CREATE_NEW, Guest},
    host::{AnyFileSystem, any_host_fs, builder, host_fs},
    tree::{Tree, assert_refused},
};

/// A guest with this at `/data`.
fn guest(wrapped: AnyFileSystem) -> Guest {
    let mounts = MountFileSystem::new();
    mounts.mount("/", Arc::new(TmpFileSystem::new())).unwrap();
    mounts.mount("/data", wrapped).unwrap();
    Guest::new(builder().mount_fs(mounts).preopen_dir("/data").unwrap())
}

/// The directory that is wrapped is granted with `access`, and the module reads it through the wrapper.
fn grants(access: Access, wrap: impl FnOnce(host_fs::FileSystem) -> AnyFileSystem) {
    let tree = Tree::new();
    let mut guest = guest(wrap(host_fs(tree.granted())));
    tree.assert_only_granted(access);
    let data = guest.preopen("/data");
    assert_eq!(guest.read(data, "sub/file").unwrap(), b"content");
    guest.write(data, "new", CREATE_NEW, b"new").unwrap();
    assert_eq!(guest.read(data, "new").unwrap(), b"new");
    assert_eq!(tree.path("granted/new").exists(), access.create);
}

#[test]
fn an_arc_file_system_is_granted_what_it_holds() {
    isolated!(
        || grants(Access::ALL, |host| Arc::new(ArcFileSystem::new(Arc::new(
            host
        ))))
    );
}

#[test]
fn an_arc_of_an_arc_is_granted_what_it_holds() {
    isolated!(|| grants(Access::ALL, |host| Arc::new(Arc::new(host))));
}

#[test]
fn a_box_in_an_arc_is_granted_what_it_holds() {
    isolated!(|| {
        grants(Access::ALL, |host| {
            let host: Box<dyn FileSystem + Send + Sync> = Box::new(host);
            Arc::new(host)
        });
    });
}

#[test]
fn a_passthrough_file_system_is_granted_what_it_holds() {
    isolated!(
        || grants(Access::ALL, |host| Arc::new(PassthruFileSystem::new(
            Box::new(host)
        )))
    );
}

#[test]
fn a_tracing_file_system_is_granted_what_it_holds() {
    isolated!(|| grants(Access::ALL, |host| Arc::new(TraceFileSystem::new(host))));
}

#[test]
fn several_wrappers_are_granted_what_the_innermost_holds() {
    isolated!(|| {
        grants(Access::ALL, |host| {
            let traced: AnyFileSystem =
                Arc::new(TraceFileSystem::new(ArcFileSystem::new(Arc::new(host))));
            Arc::new(PassthruFileSystem::new_arc(Arc::new(traced)))
        });
    });
}

#[test]
fn the_primary_of_an_overlay_is_granted_for_writing() {
    isolated!(|| {
        grants(Access::ALL, |host| {
            Arc::new(OverlayFileSystem::new(host, [TmpFileSystem::new()]))
        });
    });
}

#[test]
fn the_secondary_of_an_overlay_is_granted_for_reading_only() {
    isolated!(|| {
        grants(Access::READ, |host| {
            Arc::new(OverlayFileSystem::new(TmpFileSystem::new(), [host]))
        });
    });
}

#[test]
fn what_is_mounted_in_a_mounted_file_system_is_granted() {
    isolated!(|| {
        grants(Access::ALL, |host| {
            let inner = MountFileSystem::new();
            inner.mount("/", Arc::new(host)).unwrap();
            Arc::new(inner)
        });
    });
}

#[test]
fn what_is_united_with_memory_is_granted_file_by_file() {
    isolated!(|| {
        let tree = Tree::new();
        let memory = TmpFileSystem::new();
        memory.union(&any_host_fs(tree.granted()));
        let mut guest = guest(Arc::new(memory));
        // The files are the host's. The directories that list them are in memory.
        for (name, answer) in [
            ("file", Ok(())),
            ("sub/file", Ok(())),
            ("sub", DENIED),
            ("", DENIED),
        ] {
            assert_eq!(ask::open_read(tree.granted().join(name)), answer, "{name}");
        }
        assert_eq!(ask::create_new(tree.path("granted/new")), DENIED);
        assert_refused(&tree.outside());
        let data = guest.preopen("/data");
        assert_eq!(guest.read(data, "file").unwrap(), b"content");
        guest.write(data, "new", CREATE_NEW, b"in memory").unwrap();
        assert!(!tree.path("granted/new").exists());
    });
}

#[test]
fn what_is_mounted_in_memory_is_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let memory = TmpFileSystem::new();
        let host = any_host_fs(tree.root());
        memory
            .new_open_options_ext()
            .mount("/deep".into(), &host, Path::new("/granted").into())
            .unwrap();
        let mut guest = guest(Arc::new(memory));
        tree.assert_only_granted(Access::ALL);
        let data = guest.preopen("/data");
        assert_eq!(guest.read(data, "deep/file").unwrap(), b"content");
    });
}
