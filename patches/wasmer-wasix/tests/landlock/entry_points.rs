//! However an environment is made and run, the thread that the module runs on is restricted, and so is
//! every other.

use std::{fs, path::Path, sync::Arc, thread};

use virtual_fs::{MountFileSystem, TmpFileSystem};
use wasix_landlock_testing::{
    ask::{self, Answer},
    threads,
};
use wasmer::{Engine, Instance, Module, Store};
use wasmer_config::package::PackageId;
use wasmer_types::ModuleHash;
use wasmer_wasix::{
    Runtime, WasiEnvBuilder, WasiFunctionEnv,
    bin_factory::BinaryPackage,
    runners::wasi::{RuntimeOrEngine, WasiRunner},
    runtime::{
        package_loader::{PackageLoader, load_package_tree},
        resolver::{InMemorySource, PackageSummary, Resolution},
    },
};
use webc::Container;

use crate::common::{
    DENIED,
    custom::Probe,
    guest::{Guest, READ, text},
    host::{any_offline, builder, offline, tokio},
    tree::{Tree, assert_refused},
};

/// A builder with the probe at `/probe`.
pub fn probed(probe: &Probe, engine: &Engine) -> WasiEnvBuilder {
    let mounts = MountFileSystem::new();
    mounts.mount("/", Arc::new(TmpFileSystem::new())).unwrap();
    mounts.mount("/probe", probe.file_system()).unwrap();
    let builder = builder().engine(engine.clone()).mount_fs(mounts);
    builder.preopen_dir("/").unwrap()
}

/// A thread that was there before anything was enforced.
struct Bystander {
    ask: std::sync::mpsc::Sender<()>,
    answer: std::sync::mpsc::Receiver<Answer>,
}

impl Bystander {
    fn new(path: &Path) -> Self {
        let (ask, asked) = std::sync::mpsc::channel();
        let (tell, answer) = std::sync::mpsc::channel();
        let path = path.to_owned();
        thread::spawn(move || {
            for () in asked {
                tell.send(ask::open_read(&path)).unwrap();
            }
        });
        let bystander = Self { ask, answer };
        assert_eq!(bystander.answer(), Ok(()));
        bystander
    }

    fn answer(&self) -> Answer {
        self.ask.send(()).unwrap();
        self.answer.recv().unwrap()
    }
}

/// Returns the abilities of the module's thread and of the others when `enter` has made the guest.
fn in_the_callers_thread(
    engine: &Engine,
    enter: impl FnOnce(WasiEnvBuilder, Store, Module) -> Guest,
) {
    let tree = Tree::new();
    let forbidden = tree.path("outside/file");
    let probe = Probe::new(&forbidden);
    let bystander = Bystander::new(&forbidden);
    let module = Module::new(engine, text()).unwrap();
    let mut guest = enter(probed(&probe, engine), Store::new(engine.clone()), module);
    let root = guest.preopen("/");
    let _not_there = guest.can_open(root, "probe/module", READ);
    let seen = probe.seen_at("/module");
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].thread, threads::current());
    assert_eq!(seen[0].answer, DENIED);
    assert_eq!(bystander.answer(), DENIED);
    assert_refused(&tree.outside());
}

/// A guest in an environment that was built, as upstream's documentation does it by hand.
fn by_hand(mut env: WasiFunctionEnv, mut store: Store, module: &Module) -> Guest {
    let imports = env.import_object(&mut store, module).unwrap();
    let instance = Instance::new(&mut store, module, &imports).unwrap();
    env.initialize(&mut store, instance.clone()).unwrap();
    Guest::from_parts(store, instance, env)
}

for_both_compilers! {
    fn build_restricts(engine) {
        in_the_callers_thread(&engine, |builder, mut store, module| {
            let env = builder.build().unwrap();
            let env = WasiFunctionEnv::new(&mut store, env);
            by_hand(env, store, &module)
        });
    }
}

for_both_compilers! {
    fn finalize_restricts(engine) {
        in_the_callers_thread(&engine, |builder, mut store, module| {
            let env = builder.finalize(&mut store).unwrap();
            by_hand(env, store, &module)
        });
    }
}

for_both_compilers! {
    fn instantiate_restricts(engine) {
        in_the_callers_thread(&engine, |builder, mut store, module| {
            let (instance, env) = builder.instantiate(module, &mut store).unwrap();
            Guest::from_parts(store, instance, env)
        });
    }
}

for_both_compilers! {
    fn instantiate_ext_restricts(engine) {
        in_the_callers_thread(&engine, |builder, mut store, module| {
            let hash = ModuleHash::random();
            let (instance, env) = builder.instantiate_ext(module, hash, &mut store).unwrap();
            Guest::from_parts(store, instance, env)
        });
    }
}

/// A program that asks for `probe/main` in each of its preopens, and then does what `then` says. It can call
/// `$ask` with the place and length of a path.
pub fn program(definitions: &str, then: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "path_open" (func $path_open
                (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            {memory}
            (data (i32.const 1024) "probe/main")
            (data (i32.const 1056) "probe/thread")
            (func $ask (param $path i32) (param $length i32) (local $fd i32)
                (local.set $fd (i32.const 3))
                (loop $next
                    (drop (call $path_open (local.get $fd) (i32.const 1) (local.get $path)
                        (local.get $length) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0)
                        (i32.const 512)))
                    (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $fd) (i32.const 16)))))
            {definitions}
            (func $main (export "_start")
                (call $ask (i32.const 1024) (i32.const 10))
                {then}))"#,
        memory = if definitions.contains("$spawn") {
            r#"(import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
               (import "env" "memory" (memory 1 16 shared)) (export "memory" (memory 0))"#
        } else {
            r#"(memory (export "memory") 1)"#
        },
    )
}

/// Starts a thread that asks for `probe/thread`, and waits for it.
pub fn threaded() -> String {
    program(
        r#"(func (export "wasi_thread_start") (param i32 i32)
                (call $ask (i32.const 1056) (i32.const 12))
                (i32.atomic.store (i32.const 768) (i32.const 1))
                (drop (memory.atomic.notify (i32.const 768) (i32.const 1))))
           (func $start_a_thread (if (i32.lt_s (call $spawn (i32.const 2048)) (i32.const 0))
                (then unreachable)))"#,
        r#"(call $start_a_thread)
           (if (i32.eq (memory.atomic.wait32 (i32.const 768) (i32.const 0) (i64.const 20000000000))
                (i32.const 2)) (then unreachable))"#,
    )
}

/// Returns the abilities of tokio's threads: the workers, and those for blocking work, which host files are read on.
pub fn ask_tokio(path: &Path) -> Vec<Answer> {
    let (one, two) = (path.to_owned(), path.to_owned());
    let worker = tokio().spawn(async move { ask::open_read(one) });
    let blocking = tokio().spawn_blocking(move || ask::open_read(two));
    let answers = async { [worker.await.unwrap(), blocking.await.unwrap()] };
    tokio().block_on(answers).into()
}

for_both_compilers! {
    fn run_wasm_restricts(engine) {
        let tree = Tree::new();
        let forbidden = tree.path("outside/file");
        let probe = Probe::new(&forbidden);
        let bystander = Bystander::new(&forbidden);
        assert_eq!(ask_tokio(&forbidden), [Ok(()), Ok(())]);
        let _tokio = tokio().enter();
        let mut runner = WasiRunner::new();
        runner.with_mount("/probe".to_owned(), probe.file_system());
        let module = Module::new(&engine, program("", "")).unwrap();
        let runtime = RuntimeOrEngine::Runtime(any_offline(&engine));
        runner.run_wasm(runtime, "guest", module, ModuleHash::random()).unwrap();

        let seen = probe.seen_at("/main");
        assert!(seen.iter().all(|seen| seen.answer == DENIED), "{seen:?}");
        // The module had a thread of its own.
        assert!(seen.iter().all(|seen| seen.thread != threads::current()));
        assert_eq!(bystander.answer(), DENIED);
        assert_eq!(ask_tokio(&forbidden), [DENIED, DENIED]);
        assert_refused(&tree.outside());
    }
}

for_both_compilers! {
    fn run_wasm_with_an_engine_outside_of_tokio_restricts(engine) {
        let tree = Tree::new();
        let probe = Probe::new(tree.path("outside/file"));
        let mut runner = WasiRunner::new();
        runner.with_mount("/probe".to_owned(), probe.file_system());
        let module = Module::new(&engine, program("", "")).unwrap();
        let engine = RuntimeOrEngine::Engine(engine);
        runner.run_wasm(engine, "guest", module, ModuleHash::random()).unwrap();
        assert!(probe.seen_at("/main").iter().all(|seen| seen.answer == DENIED));
        assert_refused(&tree.outside());
    }
}

for_both_compilers! {
    fn threads_that_the_module_starts_are_restricted(engine) {
        let tree = Tree::new();
        let probe = Probe::new(tree.path("outside/file"));
        let _tokio = tokio().enter();
        let mut runner = WasiRunner::new();
        runner.with_mount("/probe".to_owned(), probe.file_system());
        let module = Module::new(&engine, threaded()).unwrap();
        let runtime = RuntimeOrEngine::Runtime(any_offline(&engine));
        runner.run_wasm(runtime, "guest", module, ModuleHash::random()).unwrap();

        let (main, thread) = (probe.seen_at("/main"), probe.seen_at("/thread"));
        assert!(main.iter().chain(&thread).all(|seen| seen.answer == DENIED));
        assert_ne!(main[0].thread, thread[0].thread);
    }
}

/// Takes the packages that it is given, and nothing from anywhere else.
#[derive(Debug)]
struct Loader;

#[async_trait::async_trait]
impl PackageLoader for Loader {
    async fn load(&self, summary: &PackageSummary) -> anyhow::Result<Container> {
        anyhow::bail!("nobody has {}", summary.package_id())
    }

    async fn load_package_tree(
        &self,
        root: &Container,
        resolution: &Resolution,
        root_is_local_dir: bool,
    ) -> anyhow::Result<BinaryPackage> {
        load_package_tree(root, self, resolution, root_is_local_dir).await
    }
}

/// A package with one command, `run`, made in a directory.
fn package(
    directory: &Path,
    program: &str,
    runtime: &(dyn Runtime + Send + Sync),
) -> BinaryPackage {
    let manifest = r#"
        [package]
        name = "test/package"
        version = "1.0.0"
        description = "a package"

        [[module]]
        name = "module"
        source = "module.wasm"
        abi = "wasi"

        [[command]]
        name = "run"
        module = "module"
    "#;
    fs::write(directory.join("wasmer.toml"), manifest).unwrap();
    let module = wasmer::wat2wasm(program.as_bytes()).unwrap();
    fs::write(directory.join("module.wasm"), module).unwrap();
    let package = tokio()
        .block_on(BinaryPackage::from_dir(directory, runtime))
        .unwrap();
    assert!(!matches!(package.id, PackageId::Named(_)));
    package
}

/// Runs a package's command and returns the probe, which is at `/probe`.
pub fn run_command(engine: &Engine, forbidden: &Path, package_in: &Path, program: &str) -> Probe {
    let mut runtime = offline(engine);
    runtime
        .set_package_loader(Loader)
        .set_source(InMemorySource::new());
    let runtime: Arc<dyn Runtime + Send + Sync> = Arc::new(runtime);
    let package = package(package_in, program, &*runtime);
    let probe = Probe::new(forbidden);
    let _tokio = tokio().enter();
    let mut runner = WasiRunner::new();
    runner.with_mount("/probe".to_owned(), probe.file_system());
    runner
        .run_command("run", &package, RuntimeOrEngine::Runtime(runtime))
        .unwrap();
    probe
}

for_both_compilers! {
    fn run_command_restricts(engine) {
        let tree = Tree::new();
        let forbidden = tree.path("outside/file");
        let bystander = Bystander::new(&forbidden);
        assert_eq!(ask_tokio(&forbidden), [Ok(()), Ok(())]);
        let probe = run_command(&engine, &forbidden, &tree.also(), &program("", ""));

        // The module starts from a worker of tokio's that was there before.
        let seen = probe.seen_at("/main");
        assert!(seen.iter().all(|seen| seen.answer == DENIED), "{seen:?}");
        assert!(seen.iter().all(|seen| seen.thread != threads::current()));
        assert_eq!(bystander.answer(), DENIED);
        assert_eq!(ask_tokio(&forbidden), [DENIED, DENIED]);
        // Nor is the package's own directory of any use by now.
        assert_refused(&tree.also());
    }
}

for_both_compilers! {
    fn threads_that_a_packages_module_starts_are_restricted(engine) {
        let tree = Tree::new();
        let probe = run_command(&engine, &tree.path("outside/file"), &tree.also(), &threaded());
        let (main, thread) = (probe.seen_at("/main"), probe.seen_at("/thread"));
        assert!(main.iter().chain(&thread).all(|seen| seen.answer == DENIED));
        assert_ne!(main[0].thread, thread[0].thread);
    }
}

#[test]
fn host_threads_that_are_started_later_are_restricted() {
    wasix_landlock_testing::isolated!(|| {
        let tree = Tree::new();
        let forbidden = tree.path("outside/file");
        let later = forbidden.clone();
        let answer = move || thread::spawn(move || ask::open_read(later)).join().unwrap();
        let env = builder().build().unwrap();
        assert!(env.landlock_report().unwrap().enforced);
        assert_eq!(answer(), DENIED);
        assert_eq!(ask_tokio(&forbidden), [DENIED, DENIED]);
    });
}

for_both_users! {
    fn an_environment_that_was_only_prepared_restricts_nothing() {
        let tree = Tree::new();
        let init = builder().build_init().unwrap();
        drop(init);
        // `Tree` has asked all that of another one.
        drop(Tree::new());
        assert_eq!(ask::open_read(tree.path("outside/file")), Ok(()));
    }
}
