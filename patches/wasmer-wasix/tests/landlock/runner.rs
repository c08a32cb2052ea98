//! The mappings and mounts of a runner are granted.

use std::sync::{Arc, Mutex};

use virtual_fs::TraceFileSystem;
use wasix_landlock::{Access, Report};
use wasix_landlock_testing::{ask, isolated};
use wasmer::Module;
use wasmer_types::ModuleHash;
use wasmer_wasix::runners::{
    MappedDirectory, MountedDirectory,
    wasi::{RuntimeOrEngine, WasiRunner},
};

use crate::common::{
    DENIED,
    guest::{CREATE_NEW, Guest, READ, TRUNCATE},
    host::{any_host_fs, any_offline, host_fs, singlepass, tokio},
    tree::{Tree, assert_file, assert_granted, assert_refused},
};

/// Runs a module that does nothing, and returns what was enforced before that.
fn run(runner: &mut WasiRunner) -> Report {
    let report = Arc::new(Mutex::new(None));
    let told = Arc::clone(&report);
    runner.with_on_enforced(move |report| *told.lock().unwrap() = Some(report.clone()));
    let engine = singlepass();
    let module = Module::new(
        &engine,
        "(module (memory (export \"memory\") 1) (func (export \"_start\")))",
    );
    runner
        .run_wasm(
            RuntimeOrEngine::Runtime(any_offline(&engine)),
            "guest",
            module.unwrap(),
            ModuleHash::random(),
        )
        .unwrap();
    report.lock().unwrap().take().unwrap()
}

fn mapped(tree: &Tree, name: &str, guest: &str) -> MappedDirectory {
    MappedDirectory {
        host: tree.path(name),
        guest: guest.to_owned(),
    }
}

for_both_users! {
    fn a_mapped_directory_is_granted() {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let mut runner = WasiRunner::new();
        runner.with_mapped_directories([mapped(&tree, "granted", "/data")]);
        let report = run(&mut runner);
        tree.assert_only_granted(Access::ALL);
        let mount = report.preopens.iter().find(|p| p.origin == "mount").unwrap();
        assert_eq!(mount.guest, "/data");
    }
}

#[test]
fn each_mapped_directory_is_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let mut runner = WasiRunner::new();
        runner.with_mapped_directories([
            mapped(&tree, "granted", "/data"),
            mapped(&tree, "also", "relative"),
        ]);
        let mut guest = Guest::of(&runner);
        assert_granted(&tree.granted(), Access::ALL);
        assert_granted(&tree.also(), Access::ALL);
        assert_refused(&tree.outside());
        let root = guest.preopen("/");
        for path in ["data/file", "relative/file"] {
            assert_eq!(guest.read(root, path).unwrap(), b"content", "{path}");
        }
    });
}

#[test]
fn a_mounted_directory_is_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let mut runner = WasiRunner::new();
        runner.with_mounted_directories([MountedDirectory {
            guest: "/data".to_owned(),
            fs: any_host_fs(tree.granted()),
        }]);
        run(&mut runner);
        tree.assert_only_granted(Access::ALL);
    });
}

#[test]
fn a_mount_is_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let mut runner = WasiRunner::new();
        let traced = TraceFileSystem::new(host_fs(tree.granted()));
        runner.with_mount("/data".to_owned(), Arc::new(traced));
        run(&mut runner);
        tree.assert_only_granted(Access::ALL);
    });
}

#[test]
fn a_module_that_has_ended_leaves_no_task() {
    isolated!(|| {
        let tokio = tokio();
        let _tokio = tokio.enter();
        for _ in 0..3 {
            run(&mut WasiRunner::new());
        }
        let are_over = || tokio.metrics().num_alive_tasks() == 0;
        let soon = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            are_over()
        });
        assert!(soon, "{} tasks", tokio.metrics().num_alive_tasks());
    });
}

/// Upstream lays memory over what is mounted at the root, so that nothing is ever written there.
fn a_mount_at_the_root(guest_path: &str) {
    let tree = Tree::new();
    let _tokio = tokio().enter();
    let mut runner = WasiRunner::new();
    runner.with_mapped_directories([mapped(&tree, "granted", guest_path)]);
    let mut guest = Guest::of(&runner);
    tree.assert_only_granted(Access::READ);
    let root = guest.preopen("/");
    assert_eq!(guest.read(root, "file").unwrap(), b"content");
    guest.write(root, "new", CREATE_NEW, b"in memory").unwrap();
    assert_eq!(guest.read(root, "new").unwrap(), b"in memory");
    assert!(!tree.path("granted/new").exists());
    // Whether a file from below can be changed in memory or not: it stays as it is on the host.
    let _in_memory_or_error = guest.write(root, "file", TRUNCATE, b"in memory");
    let file = tree.path("granted/file");
    assert_eq!(std::fs::read(file).unwrap(), b"content");
}

#[test]
fn a_file_of_a_directory_mapped_to_the_root_is_changed_in_memory() {
    isolated!(|| {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let mut runner = WasiRunner::new();
        runner.with_mapped_directories([mapped(&tree, "granted", "/")]);
        let mut guest = Guest::of(&runner);
        tree.assert_only_granted(Access::READ);
        let root = guest.preopen("/");
        guest.write(root, "file", TRUNCATE, b"in memory").unwrap();
        assert_eq!(guest.read(root, "file").unwrap(), b"in memory");
        let file = tree.path("granted/file");
        assert_eq!(std::fs::read(file).unwrap(), b"content");
    });
}

for_both_users! {
    fn a_directory_mapped_to_the_root_is_granted_for_reading_only() {
        a_mount_at_the_root("/");
    }
}

#[test]
fn a_directory_mapped_to_the_current_one_is_granted_for_reading_only() {
    isolated!(|| a_mount_at_the_root("."));
}

#[test]
fn what_is_mapped_below_a_mapped_root_is_granted_for_writing() {
    isolated!(|| {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let mut runner = WasiRunner::new();
        runner.with_mapped_directories([
            mapped(&tree, "granted", "/"),
            mapped(&tree, "also", "/also"),
        ]);
        run(&mut runner);
        assert_granted(&tree.granted(), Access::READ);
        assert_granted(&tree.also(), Access::ALL);
        assert_refused(&tree.outside());
    });
}

#[test]
fn a_runners_own_preopens_are_granted() {
    isolated!(|| {
        let tree = Tree::new();
        let mut runner = WasiRunner::new();
        runner
            .with_preopen(|p| p.directory(tree.granted()).alias("/data").read(true))
            .unwrap()
            .with_preopen(|p| p.path(tree.path("also/new")).alias("/out/new").create(true))
            .unwrap();
        let mut guest = Guest::of(&runner);
        assert_granted(&tree.granted(), Access::READ);
        assert_eq!(ask::open_write(tree.path("also/new")), Ok(()));
        assert_eq!(ask::open_read(tree.path("also/file")), DENIED);
        assert_refused(&tree.outside());
        let root = guest.preopen("/");
        assert_eq!(guest.read(root, "data/file").unwrap(), b"content");
        guest.write(root, "out/new", TRUNCATE, b"new").unwrap();
        assert_eq!(std::fs::metadata(tree.path("also/new")).unwrap().len(), 3);
    });
}

/// Writes three bytes to `out/key`, through whichever preopen it shows in.
pub const WRITER: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open" (func $path_open
        (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write
        (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 1024) "out/key")
    (data (i32.const 1040) "\00\04\00\00\03\00\00\00")
    (func (export "_start") (local $fd i32)
        (local.set $fd (i32.const 3))
        (loop $next
            (if (i32.eqz (call $path_open (local.get $fd) (i32.const 1) (i32.const 1024)
                    (i32.const 7) (i32.const 0) (i64.const 64) (i64.const 0) (i32.const 0)
                    (i32.const 512)))
                (then
                    (if (call $fd_write (i32.load (i32.const 512)) (i32.const 1040)
                            (i32.const 1) (i32.const 516))
                        (then unreachable))
                    return))
            (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $fd) (i32.const 16))))
        unreachable))"#;

for_both_compilers! {
    fn a_module_writes_the_one_file_that_it_may(engine) {
        let tree = Tree::new();
        let key = tree.path("granted/key");
        let mut runner = WasiRunner::new();
        runner
            .with_preopen(|p| p.path(&key).alias("/out/key").create(true))
            .unwrap();
        let module = Module::new(&engine, WRITER).unwrap();
        let engine = RuntimeOrEngine::Engine(engine);
        runner.run_wasm(engine, "guest", module, ModuleHash::random()).unwrap();
        assert_eq!(std::fs::metadata(&key).unwrap().len(), 3);
        assert_file(&key, Access::WRITE);
        assert_file(&tree.path("granted/file"), Access::NONE);
        assert_refused(&tree.outside());
    }
}

#[test]
fn a_runner_without_directories_is_granted_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        let _tokio = tokio().enter();
        let runner = WasiRunner::new();
        let mut guest = Guest::of(&runner);
        assert_refused(&tree.granted());
        let root = guest.preopen("/");
        let outside = tree.path("outside/file");
        assert!(
            guest
                .can_open(root, outside.to_str().unwrap(), READ)
                .is_err()
        );
    });
}
