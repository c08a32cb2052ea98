//! Packages as a command line uses them: loaded from a directory or a file, with a module cache on the
//! host, and their command is run by a runner. `upstream-tests/command-line` does the same with the whole program.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use wasix_landlock::Access;
use wasix_landlock_testing::{ask, isolated};
use wasmer::Engine;
use wasmer_package::{package::Package, utils::from_disk};
use wasmer_wasix::{
    PluggableRuntime, Runtime,
    bin_factory::BinaryPackage,
    runners::wasi::{RuntimeOrEngine, WasiRunner},
    runtime::module_cache::{FileSystemCache, ModuleCache, in_memory},
    runtime::package_loader::BuiltinPackageLoader,
    runtime::task_manager::tokio::TokioTaskManager,
};

use crate::{
    common::{
        DENIED,
        host::{offline, singlepass, tokio},
        tree::{Tree, assert_granted, assert_refused},
    },
    runner::WRITER,
};

/// The directory `out` beside it is mapped when the package is run from its directory.
const MANIFEST: &str = r#"
[package]
name = "wasix-landlock/writer"
version = "0.1.0"
description = "writes a file"

[[module]]
name = "writer"
source = "writer.wasm"
abi = "wasi"

[[command]]
name = "writer"
module = "writer"
runner = "wasi"

[fs]
"/out" = "out"
"#;

struct Host {
    tree: Tree,
    engine: Engine,
}

impl Host {
    fn new(engine: Engine) -> Self {
        let tree = Tree::new();
        fs::create_dir_all(tree.path("package/out")).unwrap();
        fs::write(tree.path("package/out/key"), "").unwrap();
        fs::write(tree.path("package/wasmer.toml"), MANIFEST).unwrap();
        let module = wasmer::wat2wasm(WRITER.as_bytes()).unwrap();
        fs::write(tree.path("package/writer.wasm"), module).unwrap();
        Self { tree, engine }
    }

    fn cache(&self) -> PathBuf {
        self.tree.path("cache")
    }

    fn runtime(&self, cached: bool) -> PluggableRuntime {
        let mut runtime = offline(&self.engine);
        // None of these packages has anything to download.
        let _tokio = tokio().enter();
        runtime.set_package_loader(BuiltinPackageLoader::new());
        if cached {
            let tasks = Arc::new(TokioTaskManager::new(tokio()));
            let on_disk = FileSystemCache::new(self.cache(), tasks);
            runtime.set_module_cache(in_memory().with_fallback(on_disk));
        }
        runtime
    }

    fn load_directory(&self, runtime: &PluggableRuntime) -> BinaryPackage {
        let directory = self.tree.path("package");
        tokio()
            .block_on(BinaryPackage::from_dir(&directory, runtime))
            .unwrap()
    }

    /// As a command line does it: what the package maps, and then what the user maps.
    fn run(&self, package: &BinaryPackage, runtime: PluggableRuntime, runner: &mut WasiRunner) {
        let _tokio = tokio().enter();
        runner.with_mapped_directories(package.additional_host_mapped_directories.clone());
        let runtime: Arc<dyn Runtime + Send + Sync> = Arc::new(runtime);
        runner
            .run_command("writer", package, RuntimeOrEngine::Runtime(runtime))
            .unwrap();
    }

    fn written(&self, path: &str) -> bool {
        fs::metadata(self.tree.path(path)).is_ok_and(|written| written.len() == 3)
    }
}

/// The compiled modules in `cache`.
fn compiled(cache: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(cache).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(compiled(&path));
        } else {
            files.push(path);
        }
    }
    files
}

for_both_compilers! {
    fn a_package_directory_is_granted_what_it_maps(engine) {
        let host = Host::new(engine);
        let runtime = host.runtime(false);
        let package = host.load_directory(&runtime);
        host.run(&package, runtime, &mut WasiRunner::new());
        assert!(host.written("package/out/key"));
        assert_eq!(ask::create_new(host.tree.path("package/out/another")), Ok(()));
        assert_eq!(ask::open_read(host.tree.path("package/wasmer.toml")), DENIED);
        assert_eq!(ask::create_new(host.tree.path("package/another")), DENIED);
        assert_refused(&host.tree.outside());
    }
}

for_both_users! {
    fn a_package_file_is_granted_what_the_user_maps_and_nothing_of_its_own() {
        let host = Host::new(singlepass());
        let bytes = Package::from_manifest(host.tree.path("package/wasmer.toml"))
            .unwrap()
            .serialize()
            .unwrap();
        let file = host.tree.path("writer.webc");
        fs::write(&file, bytes).unwrap();

        let runtime = host.runtime(false);
        let container = from_disk(&file).unwrap();
        let package = tokio()
            .block_on(BinaryPackage::from_webc(&container, &runtime))
            .unwrap();
        let _tokio = tokio().enter();
        let mut runner = WasiRunner::new();
        runner.with_mapped_directories([wasmer_wasix::runners::MappedDirectory {
            host: host.tree.granted(),
            guest: "/granted".to_owned(),
        }]);
        host.run(&package, runtime, &mut runner);
        assert_granted(&host.tree.granted(), Access::ALL);
        assert_refused(&host.tree.outside());
        assert_eq!(ask::open_read(&file), DENIED);
        // What the package calls `/out` is in the package's file, and stays as it is.
        assert!(!host.written("package/out/key"));
        assert_eq!(ask::open_read(host.tree.path("package/out")), DENIED);
    }
}

#[test]
fn a_packages_command_is_in_the_module_cache_before_that_can_only_be_read() {
    isolated!(|| {
        let host = Host::new(singlepass());
        let runtime = host.runtime(true);
        let package = host.load_directory(&runtime);
        assert!(compiled(&host.cache()).is_empty());
        host.run(&package, runtime, &mut WasiRunner::new());
        assert!(host.written("package/out/key"));
        let cached = compiled(&host.cache());
        assert_eq!(cached.len(), 1, "{cached:?}");
        assert_eq!(ask::open_read(&cached[0]), Ok(()));
        assert_eq!(ask::open_write(&cached[0]), DENIED);
        assert_eq!(ask::create_new(host.cache().join("another")), DENIED);
    });
}

#[test]
fn a_package_without_a_cache_on_the_host_is_compiled_once_it_is_restricted() {
    isolated!(|| {
        let host = Host::new(singlepass());
        let runtime = host.runtime(false);
        let package = host.load_directory(&runtime);
        let mut runner = WasiRunner::new();
        let runtime: Arc<dyn Runtime + Send + Sync> = Arc::new(runtime);
        let seen = Arc::new(std::sync::OnceLock::new());
        let (asking, cache) = (Arc::clone(&seen), runtime.module_cache());
        let command = package.get_command("writer").unwrap();
        let (hash, engine) = (*command.hash(), runtime.engine());
        runner.with_on_enforced(move |_report| {
            let known = futures::executor::block_on(cache.contains(hash, &engine));
            asking.set(known.unwrap()).unwrap();
        });
        let _tokio = tokio().enter();
        runner.with_mapped_directories(package.additional_host_mapped_directories.clone());
        runner
            .run_command("writer", &package, RuntimeOrEngine::Runtime(runtime))
            .unwrap();
        assert!(host.written("package/out/key"));
        assert_eq!(seen.get(), Some(&false));
    });
}
