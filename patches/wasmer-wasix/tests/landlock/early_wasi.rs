//! A module of `wasi_unstable` isn't shown more preopens than its C library can bear, and reaches them all the same.

use wasix_landlock_testing::isolated;
use wasmer::{Module, Store};
use wasmer_types::ModuleHash;
use wasmer_wasix::runners::wasi::{PackageOrHash, RuntimeOrEngine, WasiRunner};
use wasmer_wasix::{WasiEnvBuilder, WasiRuntimeError};
use webc::metadata::annotations::Wasi;

use crate::common::{
    host::{any_offline, builder, host_builder, singlepass, tokio},
    tree::Tree,
};

const EARLY: &str = "wasi_unstable";
const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// A module that ends with the number of its preopens, or with 100 if it can't read `path` through the second one,
/// which a runner calls `.`.
fn module(namespace: &str, path: &str) -> String {
    let length = path.len();
    format!(
        r#"(module
  (import "{namespace}" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "{namespace}" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "{namespace}" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "{path}")
  (func (export "_start") (local $fd i32)
    (local.set $fd (i32.const 3))
    (loop $next
      (if (i32.eqz (call $prestat (local.get $fd) (i32.const 0))) (then
        (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
        (br $next))))
    (if (call $open (i32.const 4) (i32.const 0) (i32.const 16) (i32.const {length}) (i32.const 0)
          (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8))
      (then (call $exit (i32.const 100))))
    (call $exit (i32.sub (local.get $fd) (i32.const 3)))))"#
    )
}

/// Runs the module, and returns its end.
fn run(builder: WasiEnvBuilder, module: &str) -> i32 {
    let engine = singlepass();
    let mut store = Store::new(engine.clone());
    let module = Module::new(&engine, module).unwrap();
    let (instance, _env) = builder
        .engine(engine)
        .instantiate(module, &mut store)
        .unwrap();
    let start = instance.exports.get_function("_start").unwrap();
    let ended = start.call(&mut store, &[]).unwrap_err();
    WasiRuntimeError::from(ended).as_exit_code().unwrap().raw()
}

/// Returns the module's end in a runner, with these preopens.
fn in_a_runner(names: &[&str], module: &str) -> i32 {
    let tree = Tree::new();
    let _tokio = tokio().enter();
    let mut runner = WasiRunner::new();
    for name in names {
        let preopen = runner.with_preopen(|p| p.directory(tree.granted()).alias(name).read(true));
        preopen.unwrap();
    }
    let builder = runner.prepare_webc_env(
        "guest",
        &Wasi::new("guest"),
        PackageOrHash::Hash(ModuleHash::random()),
        RuntimeOrEngine::Runtime(any_offline(&singlepass())),
        None,
    );
    run(builder.unwrap(), module)
}

#[test]
fn it_has_only_the_runners_own_where_there_are_too_many() {
    isolated!(|| assert_eq!(in_a_runner(&["a", "/b", "c"], &module(EARLY, "c/file")), 3));
}

#[test]
fn it_is_refused_what_none_of_them_shows() {
    isolated!(|| assert_eq!(
        in_a_runner(&["a", "/b", "c"], &module(EARLY, "d/file")),
        100
    ));
}

#[test]
fn it_has_all_where_there_are_few() {
    isolated!(|| assert_eq!(in_a_runner(&["a"], &module(EARLY, "a/file")), 4));
}

#[test]
fn a_module_of_preview_1_has_all() {
    isolated!(|| assert_eq!(
        in_a_runner(&["a", "/b", "c"], &module(PREVIEW_1, "c/file")),
        6
    ));
}

/// In a builder with `.` of the program's own. What has an absolute name lies in the virtual root, which has all rights.
fn among(write: bool) -> i32 {
    let tree = Tree::new();
    let mut builder = builder();
    builder.add_preopen_dir("/").unwrap();
    let current = builder.add_preopen_build(|p| {
        let current = p.directory("/").alias(".").read(true);
        current.write(write).create(write)
    });
    current.unwrap();
    for name in ["a", "b", "c"] {
        let preopen = builder.preopen(|p| {
            p.directory(tree.granted())
                .alias(name)
                .read(true)
                .write(true)
        });
        builder = preopen.unwrap();
    }
    run(builder, &module(EARLY, "c/file"))
}

#[test]
fn it_keeps_those_with_rights_of_their_own() {
    isolated!(|| assert_eq!(among(false), 6));
}

#[test]
fn it_does_without_those_with_no_other_rights() {
    isolated!(|| assert_eq!(among(true), 3));
}

/// A module that ends with the length of its first preopen's name.
fn first_name(namespace: &str) -> String {
    format!(
        r#"(module
  (import "{namespace}" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "{namespace}" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (if (call $prestat (i32.const 3) (i32.const 0)) (then (call $exit (i32.const 255))))
    (call $exit (i32.load (i32.const 4)))))"#
    )
}

/// Returns the length of the first preopen's name, and of the only directory's that is preopened.
fn first_of_a_directory(namespace: &str) -> (i32, usize) {
    let tree = Tree::new();
    let name = tree.granted().to_str().unwrap().len();
    let _tokio = tokio().enter();
    let builder = host_builder().preopen_dir(tree.granted()).unwrap();
    (run(builder, &first_name(namespace)), name)
}

#[test]
fn its_first_preopen_is_the_virtual_root() {
    isolated!(|| assert_eq!(first_of_a_directory(EARLY).0, 1));
}

#[test]
fn the_first_preopen_of_preview_1_is_the_directory() {
    isolated!(|| {
        let (first, name) = first_of_a_directory(PREVIEW_1);
        assert_eq!(usize::try_from(first), Ok(name));
    });
}

/// Only the interfaces that a module names are made for it, and each of them.
#[test]
fn a_module_of_several_interfaces_has_the_functions_of_each() {
    isolated!(|| {
        let namespaces = [EARLY, PREVIEW_1, "wasix_32v1", "wasix_64v1"];
        let imports: String = namespaces
            .iter()
            .map(|name| format!(r#"(import "{name}" "sched_yield" (func ${name} (result i32)))"#))
            .collect();
        let calls: String = namespaces
            .iter()
            .map(|name| format!("(if (call ${name}) (then (unreachable)))"))
            .collect();
        let module = format!(
            r#"(module {imports}
  (import "{PREVIEW_1}" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") {calls} (call $exit (i32.const 7))))"#
        );
        assert_eq!(run(builder(), &module), 7);
    });
}
