//! Each family of errors reaches the caller by its type: from `build_enforced`, and within what upstream's own calls
//! return.

use std::{ffi::OsStr, path::Path};

use wasix_landlock::{Access, Inherited, NotWithin, PathError, Protection};
use wasix_landlock_testing::{isolated, limits, with_variable};
use wasmer::{Module, Store};
use wasmer_types::ModuleHash;
use wasmer_wasix::{
    WasiEnvBuilder, WasiRuntimeError, WasiStateCreationError,
    landlock::{
        BuildError, EnforceError, Instance, MODE_VARIABLE, Mode, PrepareError, with_causes,
    },
    runners::wasi::{RuntimeOrEngine, WasiRunner},
};

use crate::common::{
    host::{any_offline, builder, singlepass, tokio},
    tree::{Tree, assert_granted},
};

/// Asserts that all calls of a builder that can return the error do, with the same text.
fn assert_everywhere(make: impl Fn() -> WasiEnvBuilder, is_it: fn(&BuildError) -> bool) {
    let found = make().build_enforced().unwrap_err();
    assert!(is_it(&found), "{found:?}");
    assert!(!found.process_must_end());
    let text = found.to_string();

    let module = Module::new(&singlepass(), "(module)").unwrap();
    let mut store = Store::new(singlepass());
    for error in [
        make().build().unwrap_err(),
        make().finalize(&mut store).map(drop).unwrap_err(),
        make()
            .instantiate(module, &mut store)
            .map(drop)
            .unwrap_err(),
    ] {
        let found = BuildError::find(&error).expect("upstream's error holds ours");
        assert!(is_it(found), "{found:?}");
        // The text is the remedy, as it is, and not repeated by what is within.
        assert_eq!(error.to_string(), text);
        assert_eq!(with_causes(&error).matches(&text).count(), 1);
    }
    // This one prepares only, and has room for a text only.
    match make().build_init().map(drop) {
        Err(error) => assert!(error.to_string().contains(&text), "{error}"),
        Ok(()) => assert!(matches!(found, BuildError::Enforce(_))),
    }
}

fn with_preopen(path: &Path) -> WasiEnvBuilder {
    builder().preopen(|p| p.directory(path).read(true)).unwrap()
}

fn is_missing(error: &BuildError) -> bool {
    matches!(
        error,
        BuildError::Prepare(PrepareError::Path {
            problem: PathError::Missing,
            ..
        })
    )
}

#[test]
fn a_host_path_that_is_not_there_is_an_error_of_preparing() {
    isolated!(|| {
        let tree = Tree::new();
        assert_everywhere(|| with_preopen(&tree.path("nowhere")), is_missing);
        assert_granted(&tree.granted(), Access::ALL);
        assert!(is_missing(
            &with_preopen(&tree.path("nowhere"))
                .landlock_show()
                .unwrap_err()
        ));
    });
}

#[test]
fn preopens_beyond_the_limit_of_open_files_are_an_error_that_says_how_many_are_needed() {
    const PREOPENS: u64 = 100;
    isolated!(|| {
        let tree = Tree::new();
        // What the process opens once is open before the limit is set.
        builder().landlock(|l| l.mode(Mode::Off)).build().unwrap();
        let with_many = |preopens: u64| {
            (0..preopens).fold(builder(), |builder, number| {
                let name = format!("d{number}");
                let preopen =
                    builder.preopen(|p| p.directory(tree.granted()).alias(&name).read(true));
                preopen.unwrap()
            })
        };
        limits::descriptors(PREOPENS / 2);
        let error = with_many(PREOPENS).build_enforced().unwrap_err();
        let BuildError::Prepare(PrepareError::Path {
            problem: PathError::OpenFiles(limit),
            ..
        }) = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(limit.limit, PREOPENS / 2);
        assert!(limit.needed > PREOPENS, "{limit}");
        let text = error.to_string();
        for part in [
            "its limit of 50, and".to_owned(),
            format!("need {}", limit.needed),
            format!("ulimit -n {}", limit.needed),
        ] {
            assert!(text.contains(&part), "{text}");
        }
        // Nothing was restricted, nothing stays open, and so many preopens less fit.
        assert_granted(&tree.also(), Access::ALL);
        let fitting = PREOPENS - (limit.needed - limit.limit);
        with_many(fitting).build_enforced().unwrap();
        tree.assert_only_granted(Access::READ);
    });
}

#[test]
fn a_runner_returns_the_error_within_its_own() {
    isolated!(|| {
        let tree = Tree::new();
        let engine = singlepass();
        let module = Module::new(&engine, "(module)").unwrap();
        let mut runner = WasiRunner::new();
        runner
            .with_preopen(|p| p.directory(tree.path("nowhere")).read(true))
            .unwrap();
        let runtime = RuntimeOrEngine::Runtime(any_offline(&engine));
        let error = runner
            .run_wasm(runtime, "guest", module, ModuleHash::random())
            .unwrap_err();
        let found = BuildError::find(error.as_ref()).expect("the runner's error holds ours");
        assert!(is_missing(found), "{found:?}");
        let text = with_causes(error.as_ref());
        assert!(text.contains("nowhere"), "{text}");
        assert_eq!(text.matches("does not exist").count(), 1, "{text}");
    });
}

#[test]
fn a_wider_second_build_is_an_error_of_preparing_that_names_the_path() {
    isolated!(|| {
        let tree = Tree::new();
        with_preopen(&tree.granted()).build_enforced().unwrap();
        let wider = || with_preopen(&tree.also());
        let is_it =
            |error: &BuildError| matches!(error, BuildError::Prepare(PrepareError::NotWithin(_)));
        assert_everywhere(wider, is_it);
        let Err(BuildError::Prepare(PrepareError::NotWithin(NotWithin::Path { path, .. }))) =
            wider().build_enforced()
        else {
            panic!("another error");
        };
        assert_eq!(path, tree.also());
    });
}

#[test]
fn an_unknown_mode_is_an_error_of_preparing() {
    isolated!(|| {
        with_variable(MODE_VARIABLE, Some(OsStr::new("sometimes")), || {
            assert_everywhere(builder, |error| {
                matches!(error, BuildError::Prepare(PrepareError::Mode(_)))
            });
        });
    });
}

#[test]
fn an_open_descriptor_that_is_refused_is_an_error_of_enforcing() {
    isolated!(|| {
        let _open = std::fs::File::open("/etc").unwrap();
        let strict =
            || builder().landlock(|l| l.inherited(Inherited::Refuse { allowed: [].into() }));
        assert_everywhere(strict, |error| {
            matches!(
                error,
                BuildError::Enforce(EnforceError::DescriptorsOpen { .. })
            )
        });
    });
}

#[test]
fn a_runtime_of_another_instance_is_an_error_that_names_it() {
    isolated!(|| {
        let foreign = any_offline(&singlepass());
        let instance = Instance::new("tenant").landlock(|l| l.optional(Protection::Truncate));
        let running = instance.spawn(move |_| {
            let error = builder().runtime(foreign).build_enforced().unwrap_err();
            matches!(&error, BuildError::ForeignThreads { what } if what.contains("task manager"))
        });
        assert!(running.unwrap().join().unwrap().value);
    });
}

#[test]
fn an_error_of_upstreams_own_stays_what_it_is() {
    isolated!(|| {
        let _tokio = tokio().enter();
        let bad = || builder().arg("a\0b");
        let is_it = |error: &WasiRuntimeError| {
            matches!(
                error,
                WasiRuntimeError::Init(WasiStateCreationError::ArgumentContainsNulByte(_))
            )
        };
        assert!(is_it(&bad().build().unwrap_err()));
        assert!(matches!(
            bad().build_enforced().unwrap_err(),
            BuildError::Wasi(error) if is_it(&error)
        ));
    });
}

#[test]
fn a_process_that_must_end_says_so_through_upstreams_error() {
    let upstream = WasiRuntimeError::from(BuildError::from(EnforceError::PartlyRestricted));
    let runner = anyhow::Error::from(upstream).context("the runner's own words");
    let found = BuildError::find(runner.as_ref()).expect("it is within");
    assert!(found.process_must_end());

    let upstream = WasiRuntimeError::from(BuildError::from(EnforceError::PartlyRestricted));
    let error = BuildError::from(upstream);
    assert!(matches!(
        error,
        BuildError::Enforce(EnforceError::PartlyRestricted)
    ));
}
