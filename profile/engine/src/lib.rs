//! Wasmer's engines by name, with the limits of a profile.
//!
//! An engine has the limits `memory-pages` and `table-elements` ([`limit_engine`], by Wasmer's `Tunables`): they hold
//! for every module that is instantiated with it, whoever compiled that and whenever. A memory or a table that is at
//! its limit doesn't grow any further, and the module gets the -1 that WebAssembly has for that; a module that needs
//! more than that to start isn't instantiated.
//!
//! The limit `instructions` is in the module's own code, and so has to be there when the module is compiled
//! ([`limit_compiler`], by Wasmer's middleware).
//!
//! ```
//! use wasix_landlock_engine::limited;
//! use wasix_landlock_profile::{Compiler, Profile};
//! use wasmer::{Instance, Module, Store, Value, imports};
//!
//! let profile = Profile::new().limits(|l| l.memory_pages(2));
//! let engine = limited(Compiler::Singlepass, &profile.limits);
//! let text = "(module (memory 1) (func (export \"grow\") (result i32) (memory.grow (i32.const 1))))";
//! let module = Module::new(&engine, text)?;
//! let mut store = Store::new(engine);
//! let instance = Instance::new(&mut store, &module, &imports! {})?;
//! let grow = instance.exports.get_function("grow")?;
//! assert_eq!(*grow.call(&mut store, &[])?, [Value::I32(1)]);
//! assert_eq!(*grow.call(&mut store, &[])?, [Value::I32(-1)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate depends on Wasmer and not on its WASI layer, so Wasmer as published can be used with it as well.
#![deny(missing_docs)]

mod metering;
mod tunables;

use std::sync::Arc;

use wasix_landlock_profile::{Compiler, Limits};
use wasmer::{
    Engine,
    sys::{CompilerConfig, Cranelift, EngineBuilder, NativeEngineExt as _, Singlepass},
};

/// An engine with this compiler, and no limits.
#[must_use]
pub fn engine(compiler: Compiler) -> Engine {
    limited(compiler, &Limits::none())
}

/// An engine with this compiler and these limits. With a limit of instructions it compiles one module, since Wasmer's
/// middleware keeps what it knows of that; a second one is an error when it is compiled.
#[must_use]
pub fn limited(compiler: Compiler, limits: &Limits) -> Engine {
    let mut engine = match compiler {
        Compiler::Cranelift => built(Cranelift::default(), limits),
        Compiler::Singlepass => built(Singlepass::default(), limits),
    };
    limit_engine(limits, &mut engine);
    engine
}

/// An engine without a compiler, for artifacts, with these limits. An artifact has the limit of instructions that it
/// was compiled with.
#[must_use]
pub fn headless(limits: &Limits) -> Engine {
    let mut engine: Engine = EngineBuilder::headless().engine().into();
    limit_engine(limits, &mut engine);
    engine
}

fn built(mut compiler: impl CompilerConfig + 'static, limits: &Limits) -> Engine {
    limit_compiler(limits, &mut compiler);
    EngineBuilder::new(compiler).engine().into()
}

/// Has this compiler build the limit of instructions into the one module that it compiles.
///
/// ```
/// use wasix_landlock_profile::Limits;
/// use wasmer::sys::Cranelift;
///
/// let mut limits = Limits::default();
/// limits.instructions(1_000_000);
/// let mut compiler = Cranelift::default();
/// wasix_landlock_engine::limit_compiler(&limits, &mut compiler);
/// ```
pub fn limit_compiler(limits: &Limits, compiler: &mut impl CompilerConfig) {
    if let Some(instructions) = limits.instructions {
        compiler.push_middleware(Arc::new(metering::OneModule::new(instructions)));
    }
}

/// Limits the memories and tables of what is instantiated with this engine. Its clones keep what they have, so one
/// engine can be cloned for each profile.
///
/// ```
/// use wasix_landlock_profile::Limits;
///
/// let mut engine = wasmer::Engine::default();
/// wasix_landlock_engine::limit_engine(Limits::default().memory_pages(256), &mut engine);
/// ```
pub fn limit_engine(limits: &Limits, engine: &mut Engine) {
    let (pages, elements) = (limits.memory_pages, limits.table_elements);
    if pages.is_some() || elements.is_some() {
        engine.set_tunables(tunables::Limited::new(pages, elements));
    }
}
