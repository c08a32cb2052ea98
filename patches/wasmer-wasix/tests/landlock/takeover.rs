//! A runtime that was taken over: when a module calls it, a host function makes the system calls that native code
//! would make in the runtime's place. What the calls are, and what holds each of them off, is in the crate for tests.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::process::parent_id,
    sync::{Arc, Mutex},
};

use wasix_landlock_testing::{
    ask, skipped,
    takeover::{self, Call, Landlock as By, Outcome, Targets, Victim},
};
use wasmer::{Function, Instance, Module, Store, Value};
use wasmer_wasix::{
    WasiEnvBuilder,
    landlock::{Inherited, Policy},
};

use crate::common::host::{builder, singlepass};

/// Calls the host function with each number below the one it is given.
const HIJACKED: &str = r#"(module
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
    (import "hijacked" "call" (func $call (param i32)))
    (memory (export "memory") 1)
    (func (export "_start"))
    (func (export "all") (param $count i32) (local $number i32)
        (loop $next
            (drop (call $yield))
            (call $call (local.get $number))
            (local.set $number (i32.add (local.get $number) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $number) (local.get $count))))))"#;

/// The outcome of each call, by its name.
type Outcomes = BTreeMap<&'static str, Outcome>;

/// Makes every call from a module, in an environment that this builder makes.
fn from_a_module(builder: WasiEnvBuilder, targets: Targets<'static>) -> Outcomes {
    let engine = singlepass();
    let mut store = Store::new(engine.clone());
    let module = Module::new(&engine, HIJACKED).unwrap();
    let mut env = builder.engine(engine).finalize(&mut store).unwrap();
    let mut imports = env.import_object(&mut store, &module).unwrap();
    let calls: Vec<&'static Call> = takeover::calls().collect();
    let count = i32::try_from(calls.len()).unwrap();
    let outcomes = Arc::new(Mutex::new(Outcomes::new()));
    let told = Arc::clone(&outcomes);
    let hijacked = move |number: i32| {
        let call = calls[usize::try_from(number).unwrap()];
        told.lock().unwrap().insert(call.name, call.run(&targets));
    };
    imports.define(
        "hijacked",
        "call",
        Function::new_typed(&mut store, hijacked),
    );
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    env.initialize(&mut store, instance.clone()).unwrap();
    let all = instance.exports.get_function("all").unwrap();
    all.call(&mut store, &[Value::I32(count)]).unwrap();
    let outcomes = outcomes.lock().unwrap();
    outcomes.clone()
}

/// The names of the calls that did what they are for, in a child whose parent is their victim.
fn done(name: &str, make: impl FnOnce(Targets<'static>) -> Outcomes) -> Vec<String> {
    let directory = env::temp_dir().join(name);
    fs::create_dir(&directory).unwrap();
    // The host function has to own what it uses, and the process ends after this test.
    let victim: &'static Victim = Box::leak(Box::new(Victim::new(&directory).unwrap()));
    let text = takeover::in_a_child(victim, |_| {
        let outcomes = make(victim.targets(parent_id()));
        assert_eq!(outcomes.len(), takeover::calls().count());
        let done = outcomes
            .iter()
            .filter(|(_, outcome)| **outcome == Outcome::Done);
        let names: Vec<&str> = done.map(|(name, _)| *name).collect();
        names.join("\n")
    });
    text.unwrap().lines().map(str::to_owned).collect()
}

/// The calls that succeed where nothing is restricted; what the others do later says nothing.
fn possible() -> Vec<&'static Call> {
    let done = done("control", |targets| {
        takeover::calls()
            .map(|call| (call.name, call.run(&targets)))
            .collect()
    });
    let possible: Vec<&Call> = takeover::calls()
        .filter(|call| {
            let succeeds = done.iter().any(|name| name == call.name);
            if !succeeds {
                skipped(&format!("`{}` can't be tried here", call.name));
            }
            succeeds
        })
        .collect();
    assert!(possible.len() > 40, "only {} can be tried", possible.len());
    possible
}

/// An environment that grants nothing, enforced as `configure` says.
fn granting_nothing(
    configure: impl FnOnce(Policy) -> Policy,
) -> impl FnOnce(Targets<'static>) -> Outcomes {
    // One of the calls uses an io_uring that was there before.
    move |targets| {
        let builder = builder().landlock(|l| configure(l.inherited(Inherited::Report)));
        from_a_module(builder, targets)
    }
}

for_both_users! {
    fn native_code_is_held_off_as_far_as_landlock_goes() {
        let (possible, abi) = (possible(), ask::landlock_abi());
        let done = done("enforced", granting_nothing(|l| l));
        for call in possible {
            let held = match call.landlock {
                By::Files(since) | By::Domain(since) => since <= abi,
                // The network and signals are left alone unless the program asks for more.
                _ => false,
            };
            assert_eq!(!held, done.iter().any(|name| name == call.name), "{}", call.name);
        }
    }
}

for_both_users! {
    fn native_code_is_held_off_by_both_layers_in_a_hardened_program() {
        let (possible, abi) = (possible(), ask::landlock_abi());
        let done = done("hardened", granting_nothing(Policy::harden));
        for call in possible {
            let held = call.second.is_some() || call.landlock.since().is_some_and(|since| since <= abi);
            assert_eq!(!held, done.iter().any(|name| name == call.name), "{}", call.name);
        }
    }
}
