//! The mode in the environment, and what is told about enforcement.

use std::{
    ffi::OsStr,
    sync::{Arc, Mutex},
};

use wasix_landlock::{Access, Mode, Protection, Report, Status};
use wasix_landlock_testing::{ask, isolated, limits, with_variable};
use wasmer_wasix::{WasiEnvBuilder, landlock::MODE_VARIABLE};

use crate::common::{
    DENIED,
    guest::{Guest, READ},
    host::{builder, host_builder},
    tree::{Tree, assert_granted},
};

fn in_mode(mode: &str, body: impl FnOnce()) {
    with_variable(MODE_VARIABLE, Some(OsStr::new(mode)), body);
}

/// A builder with `granted` to read and a file to make.
fn recorded(tree: &Tree) -> WasiEnvBuilder {
    host_builder()
        .preopen_build(|p| p.directory(tree.granted()).alias("data").read(true))
        .and_then(|b| b.preopen(|p| p.path(tree.path("also/new")).alias("/out/new").create(true)))
        .unwrap()
}

#[test]
fn without_the_variable_it_is_enforced() {
    isolated!(|| {
        with_variable(MODE_VARIABLE, None, || {
            let tree = Tree::new();
            let env = recorded(&tree).build().unwrap();
            let report = env.landlock_report().unwrap();
            assert_eq!((report.mode, report.enforced), (Mode::Enforce, true));
            assert_eq!(ask::open_read(tree.path("outside/file")), DENIED);
        });
    });
}

#[test]
fn a_program_can_forbid_the_variable() {
    isolated!(|| {
        in_mode("off", || {
            let tree = Tree::new();
            let env = recorded(&tree)
                .landlock(|l| l.mode(Mode::Enforce))
                .build()
                .unwrap();
            let report = env.landlock_report().unwrap();
            assert_eq!((report.mode, report.enforced), (Mode::Enforce, true));
            assert_eq!(ask::open_read(tree.path("outside/file")), DENIED);
        });
    });
}

for_both_users! {
    fn off_restricts_nothing_and_says_so() {
        in_mode("off", || {
            let tree = Tree::new();
            let mut guest = Guest::new(recorded(&tree));
            let report = guest.report();
            assert_eq!((report.mode, report.enforced), (Mode::Off, false));
            assert!(!report.not_enforced.is_empty());
            assert!(report.preopens.iter().all(|p| p.status == Status::Unrestricted));
            assert_granted(&tree.outside(), Access::ALL);
            assert!(tree.path("also/new").exists());
            assert!(wasmer_wasix::landlock::process_report().is_none());
            // What the WASI layer checks by itself, it still checks.
            let out = guest.preopen("/out");
            assert!(guest.can_open(out, "new", READ).is_err());
        });
    }
}

#[test]
fn best_effort_enforces_what_it_can() {
    isolated!(|| {
        in_mode("best-effort", || {
            let tree = Tree::new();
            let env = recorded(&tree)
                .preopen(|p| p.path(tree.path("also/file")).alias("/a/file").read(true))
                .unwrap()
                .build()
                .unwrap();
            let report = env.landlock_report().unwrap();
            assert_eq!((report.mode, report.enforced), (Mode::BestEffort, true));
            assert_granted(&tree.granted(), Access::READ);
            assert_eq!(ask::open_read(tree.path("outside/file")), DENIED);
        });
    });
}

#[test]
fn best_effort_on_a_kernel_without_landlock_runs_unrestricted() {
    isolated!(|| {
        in_mode("best-effort", || {
            let tree = Tree::new();
            limits::fail_system_call(libc::SYS_landlock_create_ruleset, libc::ENOSYS);
            let env = recorded(&tree).build().unwrap();
            let report = env.landlock_report().unwrap();
            assert!(!report.enforced && !report.not_enforced.is_empty());
            assert_granted(&tree.outside(), Access::ALL);
        });
    });
}

#[test]
fn a_kernel_without_landlock_is_an_error() {
    isolated!(|| {
        let tree = Tree::new();
        limits::fail_system_call(libc::SYS_landlock_create_ruleset, libc::ENOSYS);
        let error = recorded(&tree).build().unwrap_err().to_string();
        assert!(
            error.contains("no Landlock") && error.contains(MODE_VARIABLE),
            "{error}"
        );
        assert!(!tree.path("also/new").exists());
        assert_granted(&tree.outside(), Access::ALL);
    });
}

#[test]
fn a_mode_that_does_not_exist_is_an_error_that_names_it() {
    isolated!(|| {
        in_mode("nonsense", || {
            let tree = Tree::new();
            let error = recorded(&tree).build().unwrap_err().to_string();
            for part in ["`nonsense`", MODE_VARIABLE, "`best-effort`"] {
                assert!(error.contains(part), "{error}");
            }
            assert!(!tree.path("also/new").exists());
            assert_granted(&tree.outside(), Access::ALL);
        });
    });
}

#[test]
fn a_required_protection_that_the_kernel_lacks_is_an_error_that_names_it() {
    isolated!(|| {
        let tree = Tree::new();
        let env = recorded(&tree)
            .landlock(|l| l.require(Protection::ResolveUnix))
            .build();
        match env {
            Ok(env) => assert!(
                env.landlock_report()
                    .unwrap()
                    .protects(Protection::ResolveUnix)
            ),
            Err(error) => {
                assert!(error.to_string().contains("`resolve-unix`"), "{error}");
                assert_granted(&tree.outside(), Access::ALL);
            }
        }
    });
}

#[test]
fn an_optional_protection_is_enforced_where_the_kernel_has_it() {
    isolated!(|| {
        let tree = Tree::new();
        let builder = recorded(&tree).landlock(|l| {
            l.optional(Protection::Truncate)
                .optional(Protection::IoctlDevice)
                .deadline(std::time::Duration::from_secs(20))
        });
        let report = builder.build().unwrap().landlock_report().unwrap();
        if report.abi >= 3 {
            assert!(report.protects(Protection::Truncate));
            assert_eq!(ask::truncate(tree.path("outside/file")), DENIED);
        }
    });
}

#[test]
fn the_report_holds_what_was_recorded_also_as_json() {
    isolated!(|| {
        let tree = Tree::new();
        let env = recorded(&tree).build().unwrap();
        let report = env.landlock_report().unwrap();
        let json = serde_json::to_value(&*report).unwrap();
        assert_eq!(
            serde_json::from_value::<Report>(json.clone()).unwrap(),
            *report
        );
        let [data, new] = json["preopens"].as_array().unwrap().as_slice() else {
            panic!("{json}");
        };
        assert_eq!(
            (&data["guest"], &data["origin"]),
            (&"data".into(), &"map_dir".into())
        );
        assert_eq!(
            data["asked"],
            serde_json::json!({"read": true, "write": false, "create": false})
        );
        assert_eq!(data["hosts"][0]["path"], tree.granted().to_str().unwrap());
        assert_eq!(
            data["hosts"][0]["granted"],
            serde_json::json!(["read_file", "read_dir"])
        );
        assert_eq!(
            (&new["guest"], &new["origin"]),
            (&"/out/new".into(), &"preopen".into())
        );
        assert_eq!(new["hosts"][0]["created"], true);
        assert_eq!(json["enforced"], true);
        assert_eq!(json["mode"], "enforce");
        // So does the text.
        let text = report.to_string();
        for part in ["map_dir `data`", "preopen `/out/new`"] {
            assert!(text.contains(part), "{text}");
        }
    });
}

#[test]
fn the_application_is_told_when_it_is_enforced_and_before_the_module_runs() {
    isolated!(|| {
        let tree = Tree::new();
        let forbidden = tree.path("outside/file");
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let builder = recorded(&tree).on_enforced(move |report| {
            let answer = ask::open_read(&forbidden);
            tell.lock().unwrap().push((report.clone(), answer));
        });
        let init = builder.build_init().unwrap();
        assert!(told.lock().unwrap().is_empty());
        drop(init);

        let forbidden = tree.path("outside/file");
        let tell = Arc::clone(&told);
        let builder = recorded(&tree).on_enforced(move |report| {
            let answer = ask::open_read(&forbidden);
            tell.lock().unwrap().push((report.clone(), answer));
        });
        // A module that can't even start is late enough.
        let engine = crate::common::host::singlepass();
        let mut store = wasmer::Store::new(engine.clone());
        let module = "(module (memory (export \"memory\") 1) (func $f unreachable) (start $f))";
        let module = wasmer::Module::new(&engine, module).unwrap();
        assert!(
            builder
                .engine(engine)
                .instantiate(module, &mut store)
                .is_err()
        );
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1);
        assert!(told[0].0.enforced);
        assert_eq!(told[0].1, DENIED);
        let process = wasmer_wasix::landlock::process_report().unwrap();
        assert_eq!(*process, told[0].0);
    });
}

#[test]
fn a_copy_of_an_environment_has_the_report() {
    isolated!(|| {
        let tree = Tree::new();
        let env = recorded(&tree).build().unwrap();
        let (copy, _handle) = env.fork().unwrap();
        assert_eq!(copy.landlock_report(), env.landlock_report());
        assert!(copy.landlock_report().is_some());
        let other = builder().build().unwrap();
        assert_ne!(other.landlock_report(), env.landlock_report());
    });
}
