//! The limits that are built into a module when it is compiled: its code looks after itself.

#[cfg(all(feature = "compiled-limits", not(target_arch = "wasm32")))]
mod growth;
#[cfg(all(feature = "compiled-limits", not(target_arch = "wasm32")))]
mod metering;

#[cfg(all(feature = "compiled-limits", target_arch = "wasm32"))]
compile_error!(
    "the feature `compiled-limits` needs a compiler of Wasmer's own, and in a browser there is none: build without it; \
     modules are then refused if their profile limits memory, tables or instructions"
);

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use wasmer::{AsStoreMut, ExportIndex, Instance, Module, Value};

use super::meter::Meter;
use super::{Limit, Limits};
use crate::os::task::thread::WasiThreadId;

/// The names of the globals for the instructions that are left, and for their end, as in `wasmer-middlewares`.
const REMAINING: &str = "wasmer_metering_remaining_points";
const EXHAUSTED: &str = "wasmer_metering_points_exhausted";
/// Returns the code of the limit that refused growing.
const REFUSED: &str = "wasix_landlock_growth_refused";

#[cfg(all(feature = "compiled-limits", not(target_arch = "wasm32")))]
impl super::Profile {
    /// Builds the limits of memory, tables and instructions into what this compiler compiles: one module, since the
    /// middlewares of Wasmer keep what they know of it. A second one is an error when it is compiled.
    ///
    /// A module that asks for more at its start than it may have is an error when it is compiled, too.
    ///
    /// ```
    /// use wasmer::sys::{Cranelift, EngineBuilder};
    /// use wasmer_wasix::profile::Profile;
    ///
    /// let profile = Profile::new().limits(|l| l.memory_pages(256).instructions(1_000_000));
    /// let mut compiler = Cranelift::default();
    /// profile.limit_compiler(&mut compiler);
    /// let engine = EngineBuilder::new(compiler).engine();
    /// ```
    pub fn limit_compiler(&self, compiler: &mut impl wasmer::sys::CompilerConfig) {
        use std::sync::Arc;

        if growth::is_limited(&self.limits) {
            compiler.push_middleware(Arc::new(growth::Growth::new(&self.limits)));
        }
        if let Some(instructions) = self.limits.instructions {
            compiler.push_middleware(Arc::new(metering::OneModule::new(instructions)));
        }
    }
}

/// A thread gets one part in so many, where the number of threads isn't limited.
const PARTS: u64 = 16;

/// The instructions that threads get when they start, and give back when they end.
#[derive(Debug, Default)]
pub(super) struct Shares {
    given: Mutex<HashMap<u32, u64>>,
    back: AtomicU64,
}

impl Shares {
    fn give(&self, thread: WasiThreadId, instructions: u64) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.insert(thread.raw(), instructions);
    }

    fn take(&self, thread: WasiThreadId) -> u64 {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.remove(&thread.raw()).unwrap_or(0)
    }
}

/// Checks that the limits are built into the module.
pub(super) fn check(module: &Module, limits: &Limits) -> Result<(), String> {
    let info = module.info();
    let exports = |name: &str| matches!(info.exports.get(name), Some(ExportIndex::Global(_)));
    let missing = |limit: Limit| {
        Err(format!(
            "the module was compiled without the limit `{limit}` of its profile: compile it with \
             `Profile::limit_compiler` (feature `compiled-limits` of wasmer-wasix)"
        ))
    };
    if let Some(most) = limits.memory_pages {
        let fits = |maximum: Option<wasmer::Pages>| maximum.is_some_and(|pages| pages.0 <= most);
        if !exports(REFUSED) || !info.memories.values().all(|memory| fits(memory.maximum)) {
            return missing(Limit::Memory);
        }
    }
    if let Some(most) = limits.table_elements {
        let fits = |maximum: Option<u32>| maximum.is_some_and(|elements| elements <= most);
        if !exports(REFUSED) || !info.tables.values().all(|table| fits(table.maximum)) {
            return missing(Limit::Table);
        }
    }
    if limits.instructions.is_some() && !(exports(REMAINING) && exports(EXHAUSTED)) {
        return missing(Limit::Instructions);
    }
    let is_limited = [
        limits.memory_pages.is_some(),
        limits.table_elements.is_some(),
        limits.instructions.is_some(),
    ]
    .contains(&true);
    if is_limited && crate::state::is_dynamically_linked(module) {
        return Err(
            "memory, tables and instructions can't be limited in a dynamically linked module: each part of it would \
             count by itself"
                .to_owned(),
        );
    }
    Ok(())
}

/// The limit that the code of the instance has ended at.
pub(super) fn ended_by(store: &mut impl AsStoreMut, instance: &Instance) -> Option<Limit> {
    let mut value = |name: &str| match instance.exports.get_global(name) {
        Ok(global) => match global.get(store) {
            Value::I32(value) => value,
            _ => 0,
        },
        Err(_) => 0,
    };
    let refused = value(REFUSED);
    if refused != 0 {
        return Limit::from_code(refused);
    }
    (value(EXHAUSTED) != 0).then_some(Limit::Instructions)
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
