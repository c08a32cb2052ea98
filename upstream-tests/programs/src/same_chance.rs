//! Chance and time that are the same in each run: what depends on them, such as a search for primes, takes the same way
//! each time, and only then does one run's time compare with another's.

use wasmer::{
    AsStoreMut as _, Function, FunctionEnv, FunctionEnvMut, Imports, Memory, Module, Store,
};

/// The generator's seed.
const SEED: u64 = 2048;
/// The time by which each look at the clock moves it, in nanoseconds.
const TICK: u64 = 1_000_000;

/// The source from which WASI's functions for both answer.
pub struct Chance {
    state: u64,
    now: u64,
    memory: Option<Memory>,
}

impl Chance {
    /// Puts itself in the place of `random_get` and `clock_time_get` among what the module imports.
    pub fn put_into(
        imports: &mut Imports,
        store: &mut Store,
        module: &Module,
    ) -> FunctionEnv<Self> {
        let chance = FunctionEnv::new(
            store,
            Self {
                state: SEED,
                now: TICK,
                memory: None,
            },
        );
        for import in module.imports() {
            let function = match import.name() {
                "random_get" => Function::new_typed_with_env(store, &chance, random_get),
                "clock_time_get" => Function::new_typed_with_env(store, &chance, clock_time_get),
                _ => continue,
            };
            imports.define(import.module(), import.name(), function);
        }
        chance
    }

    /// Says where it writes to.
    pub fn writes_to(&mut self, memory: Memory) {
        self.memory = Some(memory);
    }

    /// Knuth's generator for 64 bits, as in MMIX; the highest bits are those that repeat last.
    fn byte(&mut self) -> u8 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 56) as u8
    }
}

/// The error number of what WASI can't do with a piece of memory.
const FAULT: i32 = 21;

fn write(chance: &mut FunctionEnvMut<'_, Chance>, at: u32, bytes: &[u8]) -> i32 {
    let Some(memory) = chance.data().memory.clone() else {
        return FAULT;
    };
    let written = memory
        .view(&chance.as_store_mut())
        .write(u64::from(at), bytes);
    written.map_or(FAULT, |()| 0)
}

fn random_get(mut chance: FunctionEnvMut<'_, Chance>, at: u32, length: u32) -> i32 {
    let bytes: Vec<u8> = (0..length).map(|_| chance.data_mut().byte()).collect();
    write(&mut chance, at, &bytes)
}

fn clock_time_get(
    mut chance: FunctionEnvMut<'_, Chance>,
    _clock: u32,
    _precision: u64,
    at: u32,
) -> i32 {
    let now = chance.data().now;
    chance.data_mut().now += TICK;
    write(&mut chance, at, &now.to_le_bytes())
}
