//! An unchanged program with several sandboxes, by the operator's variables: each environment an instance of its own, or
//! paths that the first build grants to all.

use std::{
    ffi::OsStr,
    path::Path,
    sync::{Arc, Barrier, Mutex},
    thread,
};

use wasix_landlock::{Report, Scope, SweepMethod};
use wasix_landlock_testing::{ask, isolated, threads, with_variable};
use wasmer::{Engine, Instance, Module, Store};
use wasmer_types::ModuleHash;
use wasmer_wasix::{
    WasiEnv, WasiFunctionEnv,
    bin_factory::spawn_exec_module,
    landlock::{
        BuildError, Network, RESERVE_VARIABLE, SCOPE_VARIABLE, exit_code, no_network,
        process_report,
    },
    runners::{
        MappedDirectory,
        wasi::{RuntimeOrEngine, WasiRunner},
    },
};

use crate::{
    common::{
        DENIED,
        custom::Probe,
        guest::{Guest, READ, text},
        host::{any_offline, builder, cranelift, host_builder, singlepass, tokio},
        tree::{Tree, assert_granted, assert_refused},
    },
    entry_points::{ask_tokio, probed, program, run_command, threaded},
    instances::{ends, reading},
};

/// Runs `body` with the operator's wish that each environment be an instance.
fn with_instances(body: impl FnOnce()) {
    with_variable(SCOPE_VARIABLE, Some(OsStr::new("instance")), body);
}

/// A runner as a program has it that knows nothing of the fork, but for the receiver of the report.
fn runner(
    directories: &[(&Path, &str)],
    probe: &Probe,
) -> (WasiRunner, Arc<Mutex<Option<Report>>>) {
    let mut runner = WasiRunner::new();
    let mapped = directories.iter().map(|(host, guest)| MappedDirectory {
        host: host.to_path_buf(),
        guest: (*guest).to_owned(),
    });
    runner
        .with_mapped_directories(mapped)
        .with_mount("/probe".to_owned(), probe.file_system());
    let report = Arc::new(Mutex::new(None));
    let told = Arc::clone(&report);
    runner.with_on_enforced(move |report| *told.lock().unwrap() = Some(report.clone()));
    (runner, report)
}

/// Runs a module on a thread of tokio's, as servers do, and returns the report.
fn run(
    engine: &Engine,
    text: &str,
    directories: &[(&Path, &str)],
    probe: &Probe,
) -> anyhow::Result<Report> {
    let _tokio = tokio().enter();
    let (runner, report) = runner(directories, probe);
    let module = Module::new(engine, text)?;
    let runtime = RuntimeOrEngine::Runtime(any_offline(engine));
    runner.run_wasm(runtime, "guest", module, ModuleHash::random())?;
    let report = report.lock().unwrap().take();
    Ok(report.expect("it was enforced"))
}

for_both_compilers! {
    fn every_thread_of_each_environment_is_restricted_and_no_other(engine) {
        let tree = Tree::new();
        let (own, forbidden) = (tree.granted(), tree.path("also/file"));
        assert_eq!(ask_tokio(&forbidden), [Ok(()), Ok(())]);
        with_instances(|| {
            for _ in 0..2 {
                let probe = Probe::new(&forbidden);
                let report = run(&engine, &reading(), &[(&own, "/data")], &probe).unwrap();
                assert_eq!((report.scope, report.enforced), (Scope::Instance, true));
                assert_eq!(report.threads.as_ref().unwrap().method, SweepMethod::CallingThread);
                assert!(report.warnings.iter().any(|w| w.contains(SCOPE_VARIABLE)), "{report}");
                let (main, thread) = (probe.seen_at("/main"), probe.seen_at("/thread"));
                let seen = [main.clone(), thread.clone()].concat();
                assert!(seen.iter().all(|seen| seen.answer == DENIED), "{seen:?}");
                assert_ne!(main[0].thread, thread[0].thread);
                assert!(seen.iter().all(|seen| seen.thread != threads::current()));
                assert!(seen.iter().all(|seen| ends(seen.thread)), "{seen:?}");
                // The program is free.
                assert_eq!(ask::open_read(&forbidden), Ok(()));
                assert_eq!(ask_tokio(&forbidden), [Ok(()), Ok(())]);
                assert_eq!(threads::no_new_privs(threads::current()), Some(false));
                assert!(process_report().is_none());
            }
            // With both granted the file is reached, so that it is the policy that keeps it.
            let probe = Probe::new(&forbidden);
            let both = [(own.as_path(), "/data"), (&tree.also(), "/also")];
            run(&engine, &reading(), &both, &probe).unwrap();
            let seen = [probe.seen_at("/main"), probe.seen_at("/thread")].concat();
            assert!(seen.iter().all(|seen| seen.answer.is_ok()), "{seen:?}");
        });
    }
}

for_both_users! {
    fn without_the_variable_the_second_sandbox_is_refused() {
        let tree = Tree::new();
        let engine = singlepass();
        let (granted, also) = (tree.granted(), tree.also());
        let probe = Probe::new(tree.path("outside/file"));
        run(&engine, &threaded(), &[(&granted, "/data")], &probe).unwrap();
        // As does a value that says nothing else.
        for value in [None, Some("process"), Some("")] {
            with_variable(SCOPE_VARIABLE, value.map(OsStr::new), || {
                let error = run(&engine, &threaded(), &[(&also, "/data")], &probe).unwrap_err();
                let error = format!("{error:#}");
                let root = std::fs::canonicalize(tree.root()).unwrap();
                let reserve = format!("{RESERVE_VARIABLE}={} ", root.display());
                assert!(error.contains(&reserve), "{error}");
                assert!(error.contains(&format!("{SCOPE_VARIABLE}=instance ")), "{error}");
            });
        }
        tree.assert_only_granted(wasix_landlock::Access::ALL);
    }
}

#[test]
fn sandboxes_that_run_at_once_reach_their_own_files_only() {
    isolated!(|| {
        const COUNT: usize = 16;
        let tree = Tree::new();
        let place = |number: usize| tree.path(&format!("sandbox{number}"));
        for number in 0..COUNT {
            std::fs::create_dir(place(number)).unwrap();
            std::fs::write(place(number).join("file"), "content").unwrap();
        }
        let engine = singlepass();
        let probe = Probe::new(tree.path("outside/file"));
        let all_there = Barrier::new(COUNT);
        with_instances(|| {
            run(
                &engine,
                "(module (memory (export \"memory\") 1) (func (export \"_start\")))",
                &[],
                &probe,
            )
            .unwrap();
            thread::scope(|scope| {
                for number in 0..COUNT {
                    let (own, next) = (place(number), place((number + 1) % COUNT));
                    let (engine, all_there) = (&engine, &all_there);
                    scope.spawn(move || {
                        let probe = Probe::new(next.join("file"));
                        all_there.wait();
                        run(engine, &reading(), &[(&own, "/data")], &probe).unwrap();
                        let seen = [probe.seen_at("/main"), probe.seen_at("/thread")].concat();
                        assert!(seen.iter().all(|seen| seen.answer == DENIED), "{seen:?}");
                        assert!(seen.iter().all(|seen| ends(seen.thread)), "{seen:?}");
                    });
                }
            });
        });
        assert_granted(&tree.granted(), wasix_landlock::Access::ALL);
    });
}

#[test]
fn a_package_s_command_runs_in_an_instance() {
    isolated!(|| {
        let tree = Tree::new();
        let forbidden = tree.path("outside/file");
        with_instances(|| {
            let probe = run_command(&singlepass(), &forbidden, &tree.also(), &threaded());
            let seen = [probe.seen_at("/main"), probe.seen_at("/thread")].concat();
            assert!(seen.iter().all(|seen| seen.answer == DENIED), "{seen:?}");
        });
        assert_eq!(ask::open_read(&forbidden), Ok(()));
    });
}

#[test]
fn a_module_that_is_started_with_another_runtime_runs_in_the_instance() {
    isolated!(|| {
        let tree = Tree::new();
        let engine = cranelift();
        let probe = Probe::new(tree.path("outside/file"));
        let module = Module::new(&engine, threaded()).unwrap();
        let _tokio = tokio().enter();
        with_instances(|| {
            let env = probed(&probe, &engine).build().unwrap();
            let mut handle = spawn_exec_module(module, env, &any_offline(&engine)).unwrap();
            let ended = tokio().block_on(async move { handle.wait_finished().await });
            assert!(ended.unwrap().is_success());
        });
        let seen = [probe.seen_at("/main"), probe.seen_at("/thread")].concat();
        assert!(seen.iter().all(|seen| seen.answer == DENIED), "{seen:?}");
    });
}

/// Asserts that a module that the program runs on its own thread is refused, in a message that names the variable.
#[track_caller]
fn assert_refused_here(error: &str) {
    assert!(error.contains(SCOPE_VARIABLE), "{error}");
    assert!(error.contains("WasiRunner"), "{error}");
}

for_both_compilers! {
    fn a_module_on_the_thread_of_its_caller_is_refused(engine) {
        let tree = Tree::new();
        let module = Module::new(&engine, text()).unwrap();
        let mut store = Store::new(engine.clone());
        with_instances(|| {
            let error = host_builder().instantiate(module.clone(), &mut store).unwrap_err();
            assert_refused_here(&error.to_string());
            let built = BuildError::find(&error).unwrap();
            assert!(matches!(built, BuildError::CallersThread { .. }), "{built}");
            let error = host_builder().finalize(&mut store).unwrap_err();
            assert_refused_here(&error.to_string());

            let env = builder().engine(engine.clone()).build().unwrap();
            assert_eq!(env.landlock_report().unwrap().scope, Scope::Instance);
            let mut env = WasiFunctionEnv::new(&mut store, env);
            let imports = env.import_object(&mut store, &module).unwrap();
            let instance = Instance::new(&mut store, &module, &imports).unwrap();
            let error = env.initialize(&mut store, instance).unwrap_err();
            assert_refused_here(&error.to_string());
        });
        // `entry_points` has the control cases: without the variable the same calls restrict the process.
        assert_granted(&tree.outside(), wasix_landlock::Access::ALL);
    }
}

#[test]
fn off_makes_no_instance() {
    isolated!(|| {
        let tree = Tree::new();
        with_instances(|| {
            let off = Some(OsStr::new("off"));
            with_variable(wasmer_wasix::landlock::MODE_VARIABLE, off, || {
                let guest = Guest::new(host_builder().preopen_dir(tree.granted()).unwrap());
                let report = guest.report();
                assert_eq!((report.scope, report.enforced), (Scope::Process, false));
            });
        });
        assert_granted(&tree.outside(), wasix_landlock::Access::ALL);
    });
}

#[test]
fn an_instance_has_no_network_where_ports_are_restricted() {
    isolated!(|| {
        let has_network = |env: &WasiEnv| {
            let none = no_network();
            let own = env.runtime().networking().clone();
            !std::ptr::addr_eq(Arc::as_ptr(&own), Arc::as_ptr(&none))
        };
        with_instances(|| {
            let free = builder().build().unwrap();
            assert!(has_network(&free));
            let ports = builder().landlock(|l| l.network(Network::none().connect(443)));
            assert!(!has_network(&ports.build().unwrap()));
        });
    });
}

#[test]
fn a_failed_build_leaves_nothing() {
    isolated!(|| {
        let tree = Tree::new();
        with_instances(|| {
            let missing = tree.path("missing");
            let error = builder().preopen(|p| p.directory(&missing).read(true));
            let error = error.unwrap().build().unwrap_err().to_string();
            assert!(error.contains(missing.to_str().unwrap()), "{error}");
            drop(builder().build().unwrap());
        });
        // The threads of tokio's that the builder makes for the program stay.
        let first = |thread: &i32| {
            let name = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
            name.is_ok_and(|name| name.starts_with("wasix instance"))
        };
        let left: Vec<i32> = threads::all().into_iter().filter(first).collect();
        assert!(left.into_iter().all(ends));
    });
}

#[test]
fn a_value_that_is_no_scope_is_an_error() {
    isolated!(|| {
        for value in ["worker", "instances"] {
            with_variable(SCOPE_VARIABLE, Some(OsStr::new(value)), || {
                let error = builder().build().unwrap_err().to_string();
                assert!(
                    error.contains(SCOPE_VARIABLE) && error.contains(value),
                    "{error}"
                );
            });
        }
        with_variable(RESERVE_VARIABLE, Some(OsStr::new("relative")), || {
            let error = builder().build().unwrap_err().to_string();
            assert!(error.contains(RESERVE_VARIABLE), "{error}");
        });
        assert_eq!(ask::open_read("/"), Ok(()));
    });
}

#[test]
fn the_exit_code_is_that_of_the_module() {
    isolated!(|| {
        let tree = Tree::new();
        let probe = Probe::new(tree.path("outside/file"));
        let ends = program("", "(call $proc_exit (i32.const 7))");
        with_instances(|| {
            let error = run(&singlepass(), &ends, &[], &probe).unwrap_err();
            assert_eq!(exit_code(&error), Some(7), "{error:#}");
        });
    });
}

for_both_users! {
    fn what_the_operator_reserves_can_be_built_later() {
        let tree = Tree::new();
        let engine = singlepass();
        let sandboxes = tree.path("sandboxes");
        for name in ["one", "two"] {
            std::fs::create_dir_all(sandboxes.join(name)).unwrap();
            std::fs::write(sandboxes.join(name).join("file"), "content").unwrap();
        }
        with_variable(RESERVE_VARIABLE, Some(sandboxes.as_os_str()), || {
            // A bug in the WASI layer reaches the neighbour, but nothing else.
            for (own, next) in [("one", "two"), ("two", "one")] {
                let (own, next) = (sandboxes.join(own), sandboxes.join(next).join("file"));
                let probe = Probe::new(&next);
                run(&engine, &reading(), &[(&own, "/data")], &probe).unwrap();
                assert!(probe.seen_at("/main").iter().all(|seen| seen.answer.is_ok()));
                assert_refused(&tree.outside());
                assert_refused(&tree.granted());
            }
            // The module has its own preopen, by the WASI layer's own checks.
            let own = sandboxes.join("one");
            let mut guest = Guest::new(host_builder().map_dir("data", &own).unwrap());
            let report = guest.report();
            assert!(report.joined && report.enforced);
            let data = guest.preopen("data");
            guest.can_open(data, "file", READ).unwrap();
            for neighbour in ["../two/file", sandboxes.join("two/file").to_str().unwrap()] {
                guest.can_open(data, neighbour, READ).unwrap_err();
            }
            let outside = host_builder().preopen_dir(tree.also()).unwrap().build();
            let error = outside.unwrap_err().to_string();
            assert!(error.contains(RESERVE_VARIABLE), "{error}");
        });
    }
}
