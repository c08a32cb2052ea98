//! Several instances in one process, each on threads of its own and under a policy of its own, and the process
//! around them free.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Barrier, mpsc},
    thread,
};

use virtual_fs::host_fs;
use wasix_landlock::{Scope, SweepMethod};
use wasix_landlock_testing::{
    ask::{self, Answer},
    isolated, threads,
};
use wasmer::{Engine, Module};
use wasmer_wasix::{
    WasiEnvBuilder,
    landlock::{Instance, InstanceError, InstanceRuntime},
};

use crate::{
    common::{
        DENIED,
        custom::Probe,
        host::{any_host_fs, any_offline, builder, cranelift, host_builder, singlepass, tokio},
        tree::{Tree, assert_granted, assert_refused},
    },
    entry_points::{program, threaded},
};

/// One that may read a directory of the tree, as `/data`.
fn tenant(tree: &Tree, name: &str) -> Instance {
    let directory = tree.path(name);
    Instance::new(name)
        .preopen(|p| p.directory(directory).alias("/data").read(true))
        .unwrap()
}

/// Runs a module with a probe at `/probe`.
fn run(inside: &InstanceRuntime, engine: &Engine, text: &str, probe: &Probe) -> i32 {
    let module = inside.compile(engine, text).unwrap();
    let file_system = probe.file_system();
    let configure = |runner: &mut wasmer_wasix::runners::wasi::WasiRunner| {
        runner.with_mount("/probe".to_owned(), file_system);
    };
    inside.run("guest", module, engine, configure).unwrap()
}

/// Opens `/data/file` and reads all 7 bytes of it, or traps. Host files are read on a thread for blocking work.
const READ_FILE: &str = r#"
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
"#;

/// A program with a thread, in which both read a host file.
pub fn reading() -> String {
    let read = r#"(func $read (local $fd i32)
        (local.set $fd (i32.const 3))
        (block $opened
            (loop $next
                (br_if $opened (i32.eqz (call $path_open (local.get $fd) (i32.const 1) (i32.const 1088)
                    (i32.const 9) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 576))))
                (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $fd) (i32.const 16))))
            unreachable)
        (i32.store (i32.const 600) (i32.const 4096))
        (i32.store (i32.const 604) (i32.const 64))
        (if (call $fd_read (i32.load (i32.const 576)) (i32.const 600) (i32.const 1) (i32.const 608))
            (then unreachable))
        (if (i32.ne (i32.load (i32.const 608)) (i32.const 7)) (then unreachable)))
        (data (i32.const 1088) "data/file")"#;
    threaded()
        .replacen("(module", &format!("(module {READ_FILE}"), 1)
        .replacen("(func $main", &format!("{read} (func $main"), 1)
        .replacen(
            "(call $ask (i32.const 1024) (i32.const 10))",
            "(call $ask (i32.const 1024) (i32.const 10)) (call $read)",
            1,
        )
        .replacen(
            "(call $ask (i32.const 1056) (i32.const 12))",
            "(call $ask (i32.const 1056) (i32.const 12)) (call $read)",
            1,
        )
}

/// Returns the abilities of tokio's threads.
fn ask_tokio(handle: &tokio::runtime::Handle, path: &Path) -> [Answer; 2] {
    let (one, two) = (path.to_owned(), path.to_owned());
    let worker = handle.spawn(async move { ask::open_read(one) });
    let blocking = handle.spawn_blocking(move || ask::open_read(two));
    handle.block_on(async { [worker.await.unwrap(), blocking.await.unwrap()] })
}

for_both_compilers! {
    fn every_thread_of_an_instance_is_restricted_and_no_other(engine) {
        let tree = Tree::new();
        let forbidden = tree.path("outside/file");
        let probe = Probe::new(&forbidden);
        // The host's tokio, with its threads, and all that the engine has started.
        assert_eq!(ask_tokio(&tokio(), &forbidden), [Ok(()), Ok(())]);
        // And what the first instance of a process has started for everybody.
        tenant(&tree, "granted").spawn(|_| ()).unwrap().join().unwrap();
        // The kernel lists a thread a little longer than its end can be waited for.
        let restricted = |thread: &i32| threads::no_new_privs(*thread) == Some(true);
        assert!(threads::all().into_iter().filter(restricted).all(ends));
        let before: HashSet<i32> = threads::all().into_iter().collect();
        let (tell, told) = mpsc::channel();
        let (go_on, gone_on) = mpsc::channel::<()>();
        let inner = probe.clone();
        let path = forbidden.clone();
        let running = tenant(&tree, "granted")
            .spawn(move |inside| {
                let exit_code = run(inside, &engine, &reading(), &inner);
                let tokio = ask_tokio(inside.tokio(), &path);
                // Its threads wait for more work.
                tell.send(()).unwrap();
                gone_on.recv().unwrap_err();
                (exit_code, tokio)
            })
            .unwrap();
        let report = Arc::clone(running.report());
        assert_eq!(report.scope, Scope::Instance);
        assert_eq!(report.threads.as_ref().unwrap().method, SweepMethod::CallingThread);
        told.recv().unwrap();

        let (main, thread) = (probe.seen_at("/main"), probe.seen_at("/thread"));
        assert!(main.iter().chain(&thread).all(|seen| seen.answer == DENIED), "{main:?} {thread:?}");
        assert_ne!(main[0].thread, thread[0].thread);
        assert!(!before.contains(&main[0].thread) && !before.contains(&thread[0].thread));
        // Whatever was started since was started by the instance, and the kernel has handed the restriction down.
        let now = threads::all();
        let born: Vec<i32> = now.iter().copied().filter(|thread| !before.contains(thread)).collect();
        // Its own, tokio's two, and the guest's two.
        // The compiler's threads are among them and end at any time.
        let inherited: Vec<i32> = born.iter().copied().filter(restricted).collect();
        assert!(inherited.len() >= 5, "{inherited:?} of {born:?}");
        assert!(born.iter().all(|thread| threads::no_new_privs(*thread) != Some(false)));
        assert!(before.iter().all(|thread| threads::no_new_privs(*thread) != Some(true)));
        // The host is free.
        assert_eq!(ask::open_read(&forbidden), Ok(()));
        assert_eq!(ask_tokio(&tokio(), &forbidden), [Ok(()), Ok(())]);

        drop(go_on);
        let ended = running.join().unwrap();
        assert_eq!(ended.value, (0, [DENIED, DENIED]));
        // And nothing of it is left for anybody else.
        assert_eq!(ended.threads_left, 0);
        let left: Vec<i32> = threads::all().into_iter().filter(|t| born.contains(t)).collect();
        assert!(left.iter().all(|thread| ends(*thread)), "{left:?}");
    }
}

/// True if a thread ends soon.
pub fn ends(thread: i32) -> bool {
    (0..1000).any(|_| {
        thread::sleep(std::time::Duration::from_millis(5));
        !threads::all().contains(&thread)
    })
}

/// Returns the kernel's answers to a tenant's module about a file, by thread.
fn answers(tree: &Tree, tenant: Instance, engine: &Engine, file: PathBuf) -> Vec<Answer> {
    let probe = Probe::new(&file);
    let (engine, inner) = (engine.clone(), probe.clone());
    let own = tree.root().to_owned();
    let running = tenant.spawn(move |inside| {
        assert_eq!(run(inside, &engine, &reading(), &inner), 0);
        [ask::open_read(own), ask::open_read(file)]
    });
    let here = running.unwrap().join().unwrap().value;
    assert_eq!(here[0], DENIED);
    let mut answers = vec![here[1]];
    for place in ["/main", "/thread"] {
        answers.extend(probe.seen_at(place).iter().map(|seen| seen.answer));
    }
    answers
}

for_both_users! {
    fn two_tenants_do_not_reach_each_others_files() {
        let tree = Tree::new();
        for engine in [cranelift(), singlepass()] {
            for (own, other) in [("granted", "also"), ("also", "granted")] {
                let file = tree.path(other).join("file");
                let alone = answers(&tree, tenant(&tree, own), &engine, file.clone());
                assert!(alone.iter().all(|answer| *answer == DENIED), "{own}: {alone:?}");
                // With both granted it is reached, so that it is the policy that keeps it.
                let both = tenant(&tree, own)
                    .preopen(|p| p.directory(tree.path(other)).alias("/other").read(true))
                    .unwrap();
                let both = answers(&tree, both, &engine, file);
                assert!(both.iter().all(Answer::is_ok), "{own}: {both:?}");
            }
        }
        assert_granted(&tree.granted(), wasix_landlock::Access::ALL);
    }
}

#[test]
fn tenants_that_run_at_once_have_their_own_files_and_threads() {
    isolated!(|| {
        const COUNT: usize = 16;
        let tree = Tree::new();
        let engine = singlepass();
        let place = |number: usize| tree.path(&format!("tenant{number}"));
        for number in 0..COUNT {
            fs::create_dir(place(number)).unwrap();
            fs::write(place(number).join("file"), "content").unwrap();
        }
        let all_there = Arc::new(Barrier::new(COUNT));
        let running: Vec<_> = (0..COUNT)
            .map(|number| {
                let files: Vec<PathBuf> = (0..COUNT).map(|n| place(n).join("file")).collect();
                let (engine, all_there) = (engine.clone(), Arc::clone(&all_there));
                let probe = Probe::new(&files[(number + 1) % COUNT]);
                let inner = probe.clone();
                let tenant = Instance::new(format!("tenant {number}"))
                    .preopen(|p| p.directory(place(number)).alias("/data").read(true));
                let running = tenant.unwrap().spawn(move |inside| {
                    all_there.wait();
                    assert_eq!(run(inside, &engine, &reading(), &inner), 0);
                    files.iter().map(ask::open_read).collect::<Vec<_>>()
                });
                (probe, running.unwrap())
            })
            .collect();
        let mut used = HashSet::new();
        for (number, (probe, running)) in running.into_iter().enumerate() {
            let ended = running.join().unwrap();
            for (other, answer) in ended.value.into_iter().enumerate() {
                let expected = if other == number { Ok(()) } else { DENIED };
                assert_eq!(answer, expected, "{number}: {other}");
            }
            assert_eq!(ended.threads_left, 0);
            for seen in [probe.seen_at("/main"), probe.seen_at("/thread")].concat() {
                assert_eq!(seen.answer, DENIED);
                assert!(used.insert(seen.thread), "a thread was used twice");
            }
        }
    });
}

/// Runs in an instance that may read `granted`, and has it build.
fn build(
    tree: &Tree,
    make: impl FnOnce(&InstanceRuntime, &Engine) -> WasiEnvBuilder + Send + 'static,
) -> Result<bool, String> {
    let running = tenant(tree, "granted").spawn(|inside| {
        let engine = singlepass();
        let env = make(inside, &engine).build();
        env.map(|env| env.landlock_report().unwrap().joined)
            .map_err(|error| error.to_string())
    });
    running.unwrap().join().unwrap().value
}

#[test]
fn what_is_built_in_an_instance_joins_it() {
    isolated!(|| {
        let tree = Tree::new();
        assert_eq!(
            build(&tree, |inside, engine| inside.builder("guest", engine)),
            Ok(true)
        );
        // With the runtime that the builder makes by itself, on the instance's tokio.
        assert_eq!(build(&tree, |_, _| builder()), Ok(true));
        let also = tree.also();
        let error = build(&tree, move |inside, engine| {
            let builder = inside.builder("guest", engine);
            builder.preopen(|p| p.directory(&also).read(true)).unwrap()
        });
        let error = error.unwrap_err();
        assert!(error.contains(tree.also().to_str().unwrap()), "{error}");
        // The process is as free as before.
        assert_granted(&tree.also(), wasix_landlock::Access::ALL);
        assert!(wasmer_wasix::landlock::process_report().is_none());
    });
}

#[test]
fn what_would_work_on_foreign_threads_is_refused() {
    isolated!(|| {
        let tree = Tree::new();
        let refused = |result: Result<bool, String>, what: &str| {
            let error = result.unwrap_err();
            assert!(error.contains("outside of the instance"), "{error}");
            assert!(error.contains(what), "{error}");
        };
        let foreign = any_offline(&singlepass());
        let with_runtime = build(&tree, |_, _| builder().runtime(foreign));
        refused(with_runtime, "task manager");

        let hosts = any_host_fs(tree.granted());
        let with_files = build(&tree, |inside, engine| {
            inside.builder("guest", engine).fs(hosts)
        });
        refused(with_files, "file system");

        // The same, made inside.
        let granted = tree.granted();
        let own = build(&tree, move |inside, engine| {
            let files = host_fs::FileSystem::new(inside.tokio().clone(), granted).unwrap();
            inside
                .builder("guest", engine)
                .fs(Arc::new(files) as Arc<_>)
        });
        assert_eq!(own, Ok(true));
    });
}

#[test]
fn the_process_is_not_restricted_while_an_instance_runs() {
    isolated!(|| {
        let tree = Tree::new();
        let (end, ended) = mpsc::channel::<()>();
        let running = tenant(&tree, "granted")
            .spawn(move |_| ended.recv().unwrap_err())
            .unwrap();
        let error = host_builder()
            .preopen_dir(tree.also())
            .unwrap()
            .build()
            .unwrap_err()
            .to_string();
        assert!(error.contains("1 instances run"), "{error}");
        assert_granted(&tree.outside(), wasix_landlock::Access::ALL);
        drop(end);
        running.join().unwrap();

        let built = host_builder().preopen_dir(tree.also()).unwrap().build();
        let report = built.unwrap().landlock_report().unwrap();
        assert_eq!(report.scope, Scope::Process);
        assert_refused(&tree.outside());
        let late = tenant(&tree, "also").spawn(|_| ()).unwrap_err();
        assert!(matches!(late, InstanceError::Policy(_)), "{late}");
    });
}

#[test]
fn a_tenant_that_fails_leaves_the_others_alone() {
    isolated!(|| {
        let tree = Tree::new();
        let engine = singlepass();
        let (end, ended) = mpsc::channel::<()>();
        let also = tree.path("also/file");
        let neighbour = tenant(&tree, "also")
            .spawn(move |_| {
                ended.recv().unwrap_err();
                ask::open_read(also)
            })
            .unwrap();
        let trapping = program("", "unreachable");
        let (probe, same) = (Probe::new(tree.path("outside/file")), engine.clone());
        let trapped = tenant(&tree, "granted")
            .spawn(move |inside| {
                let module = Module::new(&same, trapping).unwrap();
                let mount = probe.file_system();
                let configure = |runner: &mut wasmer_wasix::runners::wasi::WasiRunner| {
                    runner.with_mount("/probe".to_owned(), mount);
                };
                let ran = inside.run("guest", module, &same, configure);
                ran.map_err(|error| format!("{error:#}"))
            })
            .unwrap();
        let error = trapped.join().unwrap().value.unwrap_err();
        assert!(error.contains("unreachable"), "{error}");
        let panicked = tenant(&tree, "granted").spawn(|_| panic!("on purpose"));
        let error = panicked.unwrap().join().unwrap_err();
        assert!(matches!(error, InstanceError::Panicked), "{error}");
        let missing = Instance::new("missing")
            .preopen(|p| p.directory(tree.path("missing")).read(true))
            .unwrap();
        let error = missing.spawn(|_| ()).unwrap_err();
        assert!(matches!(error, InstanceError::Policy(_)), "{error}");
        drop(end);
        assert_eq!(neighbour.join().unwrap().value, Ok(()));
    });
}

#[test]
fn a_guest_thread_that_does_not_end_is_counted() {
    isolated!(|| {
        let tree = Tree::new();
        let looping = threaded().replacen(
            "(call $ask (i32.const 1056) (i32.const 12))",
            "(i32.atomic.store (i32.const 768) (i32.const 1))
             (drop (memory.atomic.notify (i32.const 768) (i32.const 1)))
             (loop $for_ever (br $for_ever))",
            1,
        );
        let probe = Probe::new(tree.path("outside/file"));
        let running = tenant(&tree, "granted").spawn(move |inside| {
            run(inside, &singlepass(), &looping, &probe);
        });
        let ended = running.unwrap().join().unwrap();
        // With the module's first thread, which is in the same pool.
        assert!(
            (1..=2).contains(&ended.threads_left),
            "{}",
            ended.threads_left
        );
        // It keeps its instance alive.
        let error = builder().build().unwrap_err().to_string();
        assert!(error.contains("instances run"), "{error}");
    });
}
