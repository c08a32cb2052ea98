//! Counts instructions, by Wasmer's own middleware.

use std::sync::atomic::{AtomicBool, Ordering};

use wasmer::sys::{FunctionMiddleware, MiddlewareError, ModuleMiddleware};
use wasmer::wasmparser::Operator;
use wasmer::{LocalFunctionIndex, ModuleInfo};
use wasmer_middlewares::Metering;

/// Wasmer's middleware panics at a second module; this one says it.
#[derive(Debug)]
pub(crate) struct OneModule {
    metering: Metering<fn(&Operator<'_>) -> u64>,
    used: AtomicBool,
}

impl OneModule {
    pub(crate) fn new(instructions: u64) -> Self {
        Self {
            metering: Metering::new(instructions, one),
            used: AtomicBool::new(false),
        }
    }
}

fn one(_: &Operator<'_>) -> u64 {
    1
}

/// For the second use of a middleware.
fn second_module() -> MiddlewareError {
    MiddlewareError::new(
        "limits of a profile",
        "this compiler has compiled a module with its limits already: make another one for each module",
    )
}

impl ModuleMiddleware for OneModule {
    fn generate_function_middleware<'a>(
        &self,
        function: LocalFunctionIndex,
    ) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        self.metering.generate_function_middleware(function)
    }

    fn transform_module_info(&self, module: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        if self.used.swap(true, Ordering::AcqRel) {
            return Err(second_module());
        }
        self.metering.transform_module_info(module)
    }
}
