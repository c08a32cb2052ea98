//! Each group of functions, on and off.

use std::fmt::Write as _;
use std::time::Duration;

use wasix_landlock_engine::engine;
use wasmer::{AsStoreMut, Extern, Function, Imports, Module, RuntimeError, Store, Type, Value};
use wasmer_wasix::profile::{
    self, Compiler, Group, Groups, ImportTable, Limit, Profile, WASI_NAMESPACES,
};
use wasmer_wasix::types::wasi::Errno;
use wasmer_wasix::{WasiEnv, WasiError, WasiFunctionEnv};

use crate::common::{Ended, WELL, run, tokio};

const NOT_SUPPORTED: i32 = Errno::Notsup as i32;

/// All functions that a module is offered, in every version of WASI.
fn offered(profile: &Profile) -> (Store, Imports) {
    let _entered = tokio().enter();
    let engine = engine(Compiler::Singlepass);
    let mut store = Store::new(engine.clone());
    let env: WasiFunctionEnv = WasiEnv::builder("module")
        .engine(engine.clone())
        .profile(profile)
        .unwrap()
        .finalize(&mut store)
        .unwrap();
    let imports: String = WASI_NAMESPACES[1..]
        .iter()
        .map(|version| {
            format!(r#"(import "{version}" "fd_close" (func (param i32) (result i32)))"#)
        })
        .collect();
    let module = Module::new(&engine, format!("(module {imports})")).unwrap();
    let imports = env
        .import_object_for_all_wasi_versions(&mut store, &module)
        .unwrap();
    (store, imports)
}

/// Calls with zeros for everything.
fn call(store: &mut Store, function: &Function) -> Result<Box<[Value]>, RuntimeError> {
    let ty = function.ty(store);
    let zeros: Vec<Value> = ty
        .params()
        .iter()
        .map(|parameter| match parameter {
            Type::I64 => Value::I64(0),
            _ => Value::I32(0),
        })
        .collect();
    function.call(&mut store.as_store_mut(), &zeros)
}

/// True if the call answers that it isn't supported, without having looked at anything.
fn is_withheld(store: &mut Store, imports: &Imports, module: &str, name: &str) -> bool {
    let Some(Extern::Function(function)) = imports.get_export(module, name) else {
        panic!("{module} {name} is no function");
    };
    match call(store, &function) {
        Ok(results) => matches!(*results, [Value::I32(number)] if number.abs() == NOT_SUPPORTED),
        Err(error) => error
            .downcast_ref::<WasiError>()
            .is_some_and(|error| error.to_string().contains(&format!("{NOT_SUPPORTED}"))),
    }
}

#[test]
fn every_function_that_is_offered_is_in_the_table() {
    isolated!(|| {
        let (_store, imports) = offered(&Profile::new());
        let mut known: Vec<&str> = profile::functions().map(|(name, _)| name).collect();
        assert!(known.is_sorted());
        let mut seen: Vec<String> = imports.iter().map(|(_, name, _)| name.to_owned()).collect();
        seen.sort();
        seen.dedup();
        // Dynamic linking is offered to dynamically linked modules only.
        known.retain(|name| seen.iter().any(|seen| seen == name));
        assert_eq!(known, seen);
        assert!(profile::functions().count() - known.len() <= 8);
    });
}

#[test]
fn a_function_of_a_group_that_is_off_answers_that_it_is_not_supported() {
    isolated!(|| {
        let mut profile = Profile::new();
        for group in Group::ALL {
            profile = profile.withhold(*group);
        }
        let (mut store, imports) = offered(&profile);
        let mut versions = std::collections::BTreeSet::new();
        for (module, name, _) in imports.iter() {
            if Group::of(name).is_some() {
                let withheld = is_withheld(&mut store, &imports, module, name);
                assert!(withheld, "{module} {name}");
                versions.insert(module.to_owned());
            }
        }
        assert_eq!(versions.into_iter().collect::<Vec<_>>(), WASI_NAMESPACES);
    });
}

/// A module that imports all that it is offered, and exports it again as `MODULE NAME`.
fn passing_on(store: &Store, imports: &Imports) -> String {
    let (mut imported, mut exported) = (String::new(), String::new());
    for (number, (module, name, import)) in imports.iter().enumerate() {
        let Extern::Function(function) = import else {
            continue;
        };
        let ty = function.ty(store);
        let list = |types: &[Type]| {
            let types: Vec<String> = types
                .iter()
                .map(|ty| ty.to_string().to_lowercase())
                .collect();
            types.join(" ")
        };
        let ty = format!(
            "(param {}) (result {})",
            list(ty.params()),
            list(ty.results())
        );
        writeln!(
            imported,
            r#"(import "{module}" "{name}" (func $f{number} {ty}))"#
        )
        .unwrap();
        writeln!(exported, r#"(export "{module} {name}" (func $f{number}))"#).unwrap();
    }
    format!(r#"(module {imported} (memory (export "memory") 1) {exported})"#)
}

/// Nothing that a module can call lets it go on.
#[test]
fn every_call_ends_a_module_whose_time_is_over() {
    isolated!(|| {
        let mut profile = Profile::new().limits(|l| l.wall_clock(Duration::from_millis(1)));
        for group in Group::ALL {
            profile = profile.allow(*group);
        }
        let module = {
            let (store, imports) = offered(&profile);
            passing_on(&store, &imports)
        };
        let _entered = tokio().enter();
        let engine = engine(Compiler::Singlepass);
        let mut store = Store::new(engine.clone());
        let module = Module::new(&engine, module).unwrap();
        let builder = WasiEnv::builder("module").engine(engine).profile(&profile);
        let (instance, env) = builder.unwrap().instantiate(module, &mut store).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let (mut tried, mut go_on) = (0, Vec::new());
        for (name, export) in instance.exports.iter() {
            let Extern::Function(function) = export else {
                continue;
            };
            // These end it anyway, or hand over to what is called next.
            if name.contains("exit") || name.ends_with("context_switch") {
                continue;
            }
            match call(&mut store, function).map_err(RuntimeError::downcast::<WasiError>) {
                Err(Ok(WasiError::Exit(code)))
                    if Some(code.raw()) == Limit::WallClock.exit_code() => {}
                other => go_on.push(format!("{name}: {other:?}")),
            }
            tried += 1;
        }
        assert!(go_on.is_empty(), "{go_on:?}");
        assert!(tried > 300, "{tried}");
        assert_eq!(env.limit_reached(&mut store), Some(Limit::WallClock));
    });
}

/// A call of each group that does no harm and says something else than that it isn't supported.
const CALLS: [(Group, &str, &str, &str); 7] = [
    (Group::Sockets, "wasix_32v1", "sock_status", "i32 i32"),
    (Group::Processes, "wasix_32v1", "proc_join", "i32 i32 i32"),
    (Group::Threads, "wasix_32v1", "thread_join", "i32"),
    (Group::Terminal, "wasix_32v1", "tty_get", "i32"),
    (
        Group::Clocks,
        "wasi_snapshot_preview1",
        "clock_res_get",
        "i32 i32",
    ),
    (
        Group::Randomness,
        "wasi_snapshot_preview1",
        "random_get",
        "i32 i32",
    ),
    (
        Group::Symlinks,
        "wasi_snapshot_preview1",
        "path_readlink",
        "i32 i32 i32 i32 i32 i32",
    ),
];

/// Exits with what the call returns.
fn calling(module: &str, name: &str, parameters: &str) -> String {
    let zeros = "(i32.const 0) ".repeat(parameters.split(' ').count());
    format!(
        r#"(module
            (import "{module}" "{name}" (func $call (param {parameters}) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (call $exit (call $call {zeros}))))"#
    )
}

for_both_compilers! {
    fn each_group_is_on_or_off(compiler) {
        for (group, module, name, parameters) in CALLS {
            let module = calling(module, name, parameters);
            let off = run(compiler, Profile::new().withhold(group), &module).unwrap();
            let expected = Ended { code: NOT_SUPPORTED, limit: None };
            assert_eq!(off, expected, "{group}");
            let on = run(compiler, Profile::new().allow(group), &module).unwrap();
            assert_ne!(on, expected, "{group}");
        }
    }
}

for_both_compilers! {
    fn a_module_that_imports_what_is_off_can_be_refused(compiler) {
        for (group, module, name, parameters) in CALLS {
            let module = calling(module, name, parameters);
            let refusing = |mut profile: Profile| {
                profile.groups.refuse = true;
                run(compiler, profile, &module)
            };
            let error = format!("{:#}", refusing(Profile::new().withhold(group)).unwrap_err());
            assert!(error.contains(&format!("{name} ({group})")), "{error}");
            assert!(refusing(Profile::new().allow(group)).is_ok());
        }
    }
}

for_both_compilers! {
    fn what_is_in_no_group_is_always_there(compiler) {
        let mut profile = Profile::new();
        for group in Group::ALL {
            profile = profile.withhold(*group);
        }
        profile.groups.refuse = true;
        let module = calling("wasi_snapshot_preview1", "environ_sizes_get", "i32 i32");
        assert_eq!(run(compiler, profile, &module).unwrap(), WELL);
    }
}

#[test]
fn imports_are_listed_by_group() {
    let engine = engine(Compiler::Singlepass);
    let text = r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
        (import "wasix_64v1" "sock_open" (func (param i32 i32 i32 i64) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
        (import "host" "open" (func)))"#;
    let table = ImportTable::of(&Module::new(&engine, text).unwrap());
    assert_eq!(
        table.to_string(),
        "always there: fd_close\nsockets: sock_open\nrandomness: random_get\nnot of WASI: host open\n\
         doesn't need: processes, threads, terminal, clocks, symlinks\n"
    );
    let unused: Vec<Group> = table.unused_groups().collect();
    assert!(!unused.contains(&Group::Sockets) && unused.contains(&Group::Threads));
}

#[test]
fn groups_have_names_and_functions_of_their_own() {
    for group in Group::ALL {
        assert_eq!(Group::named(group.name()), Some(*group));
        assert!(group.functions().count() > 0, "{group}");
        for function in group.functions() {
            assert_eq!(Group::of(function), Some(*group), "{function}");
        }
        assert!(Groups::all().allows(*group));
    }
}
