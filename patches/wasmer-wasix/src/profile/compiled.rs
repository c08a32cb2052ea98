//! The limits that an engine or a module has to be made with, and the instructions of a module's threads.

use std::sync::atomic::Ordering;

use wasix_landlock::POLICY_VARIABLE;
use wasmer::{AsStoreMut, AsStoreRef, Engine, ExportIndex, Instance, Module, Value};

use super::meter::Meter;
use super::{Limit, Limits};
use crate::os::task::thread::WasiThreadId;

/// The names of the globals for the instructions that are left, and for their end, as in `wasmer-middlewares`.
const REMAINING: &str = "wasmer_metering_remaining_points";
const EXHAUSTED: &str = "wasmer_metering_points_exhausted";

/// A thread gets one part in so many, where the number of threads isn't limited.
const PARTS: u64 = 16;

/// Checks that the engine of the store has the limits of memory and tables: it is asked for one of each.
pub(super) fn check_engine(store: &impl AsStoreRef, limits: &Limits) -> Result<(), String> {
    let store = store.as_store_ref();
    let within = |asked: Option<u32>, most: fn(&Engine) -> Option<u32>| {
        asked.is_none_or(|asked| most(store.engine()).is_some_and(|most| most <= asked))
    };
    let limit = if !within(limits.memory_pages, most_pages) {
        Limit::Memory
    } else if !within(limits.table_elements, most_elements) {
        Limit::Table
    } else {
        return Ok(());
    };
    Err(format!(
        "the engine is without the limit `{limit}`, which the module's profile or the policy from outside \
         ({POLICY_VARIABLE}) sets: make the engine with the crate `wasix-landlock-engine`, or leave that limit out"
    ))
}

/// The most pages that a memory of this engine can have; `None` if that isn't limited, or can't be told.
#[cfg(all(
    any(feature = "sys", feature = "sys-minimal"),
    not(target_arch = "wasm32")
))]
fn most_pages(engine: &Engine) -> Option<u32> {
    use wasmer::sys::NativeEngineExt as _;
    use wasmer::sys::vm::LinearMemory as _;

    let tunables = engine.is_sys().then(|| engine.tunables())?;
    let ty = wasmer::MemoryType::new(0, None, false);
    let memory = tunables.create_host_memory(&ty, &tunables.memory_style(&ty));
    Some(memory.ok()?.ty().maximum?.0)
}

/// The same for the elements of a table.
#[cfg(all(
    any(feature = "sys", feature = "sys-minimal"),
    not(target_arch = "wasm32")
))]
fn most_elements(engine: &Engine) -> Option<u32> {
    use wasmer::sys::NativeEngineExt as _;

    let tunables = engine.is_sys().then(|| engine.tunables())?;
    let ty = wasmer::TableType::new(wasmer::Type::FuncRef, 0, None);
    let table = tunables.create_host_table(&ty, &tunables.table_style(&ty));
    table.ok()?.ty().maximum
}

#[cfg(not(all(
    any(feature = "sys", feature = "sys-minimal"),
    not(target_arch = "wasm32")
)))]
fn most_pages(_engine: &Engine) -> Option<u32> {
    None
}

#[cfg(not(all(
    any(feature = "sys", feature = "sys-minimal"),
    not(target_arch = "wasm32")
)))]
fn most_elements(_engine: &Engine) -> Option<u32> {
    None
}

/// Checks that the limit of instructions is built into the module.
pub(super) fn check_module(module: &Module, limits: &Limits) -> Result<(), String> {
    if limits.instructions.is_none() {
        return Ok(());
    }
    let exports = &module.info().exports;
    let exported = |name: &str| matches!(exports.get(name), Some(ExportIndex::Global(_)));
    if !(exported(REMAINING) && exported(EXHAUSTED)) {
        return Err(format!(
            "the module was compiled without the limit `{}`, which its profile or the policy from outside \
             ({POLICY_VARIABLE}) sets: compile it with an engine of the crate `wasix-landlock-engine`, or leave that \
             limit out",
            Limit::Instructions
        ));
    }
    if crate::state::is_dynamically_linked(module) {
        return Err(
            "instructions can't be limited in a dynamically linked module: each part of it would count by itself"
                .to_owned(),
        );
    }
    Ok(())
}

/// True if the code of the instance has used up its instructions.
pub(super) fn is_exhausted(store: &mut impl AsStoreMut, instance: &Instance) -> bool {
    match instance.exports.get_global(EXHAUSTED) {
        Ok(global) => global.get(store) != Value::I32(0),
        Err(_) => false,
    }
}

/// The first instance has all of them from its compilation; a thread's has them too, and what it may have is less.
pub(super) fn give_instructions(
    store: &mut impl AsStoreMut,
    instance: &Instance,
    meter: &Meter,
    thread: WasiThreadId,
) {
    let Some(all) = meter.limits().instructions else {
        return;
    };
    // What its start has used is used.
    let used = all.saturating_sub(remaining(store, instance));
    let given = match meter.instructions_given.swap(true, Ordering::AcqRel) {
        false => all,
        true => meter.shares.take(thread),
    };
    set_remaining(store, instance, given.saturating_sub(used));
}

/// A part of what the starter has left, and of what other threads have left behind.
pub(super) fn share_instructions(
    store: &mut impl AsStoreMut,
    instance: &Instance,
    meter: &Meter,
    thread: WasiThreadId,
) {
    if meter.limits().instructions.is_none() {
        return;
    }
    let back = meter.shares.back.swap(0, Ordering::AcqRel);
    let left = remaining(store, instance).saturating_add(back);
    let parts = match meter.limits().threads {
        Some(threads) => u64::from(threads).saturating_add(1),
        None => PARTS,
    };
    let part = left / parts;
    if part > 0 {
        meter.shares.give(thread, part);
    }
    set_remaining(store, instance, left - part);
}

/// A thread has ended: what it has left is there for the next one that is started.
pub(super) fn give_back(store: &mut impl AsStoreMut, instance: &Instance, meter: &Meter) {
    if meter.limits().instructions.is_some() {
        let left = remaining(store, instance);
        meter.shares.back.fetch_add(left, Ordering::AcqRel);
        set_remaining(store, instance, 0);
    }
}

fn remaining(store: &mut impl AsStoreMut, instance: &Instance) -> u64 {
    match instance.exports.get_global(REMAINING) {
        Ok(global) => match global.get(store) {
            Value::I64(value) => value.cast_unsigned(),
            _ => 0,
        },
        Err(_) => 0,
    }
}

fn set_remaining(store: &mut impl AsStoreMut, instance: &Instance, instructions: u64) {
    let value = Value::I64(instructions.cast_signed());
    let set = instance
        .exports
        .get_global(REMAINING)
        .map(|global| global.set(store, value));
    if !matches!(set, Ok(Ok(()))) {
        // It was checked that it is there.
        tracing::error!("the instructions of an instance can't be set");
    }
}
