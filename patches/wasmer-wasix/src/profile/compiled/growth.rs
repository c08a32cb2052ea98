//! Limits memories and tables: none may have a maximum beyond the limit, and a module whose `grow` fails for that
//! ends there.

use std::sync::{Mutex, PoisonError};

use wasmer::sys::{FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware};
use wasmer::wasmparser::{BlockType, Operator};
use wasmer::{
    ExportIndex, GlobalInit, GlobalType, LocalFunctionIndex, ModuleInfo, Mutability, Pages, Type,
};

use super::super::{Limit, Limits};
use super::metering::second_module;

/// True if there is anything to do.
pub(super) fn is_limited(limits: &Limits) -> bool {
    limits.memory_pages.is_some() || limits.table_elements.is_some()
}

/// The middleware, for one module.
#[derive(Debug)]
pub(super) struct Growth {
    pages: Option<u32>,
    elements: Option<u32>,
    module: Mutex<Option<Found>>,
}

/// The parts of the module that were found, and those that were added.
#[derive(Debug, Clone, Default)]
struct Found {
    /// Memories and tables that could grow beyond the limit, by their numbers.
    memories: Vec<u32>,
    tables: Vec<u32>,
    /// The global for the code of the limit, and one to keep a result in.
    refused: u32,
    result: u32,
}

impl Growth {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            pages: limits.memory_pages,
            elements: limits.table_elements,
            module: Mutex::default(),
        }
    }

    fn limit(&self, module: &mut ModuleInfo) -> Result<Found, MiddlewareError> {
        let mut found = Found::default();
        if let Some(most) = self.pages {
            for (index, memory) in module.memories.iter_mut() {
                if memory.minimum.0 > most {
                    return Err(too_much(Limit::Memory, memory.minimum.0, most));
                }
                if memory.maximum.is_none_or(|maximum| maximum.0 > most) {
                    memory.maximum = Some(Pages(most));
                    found.memories.push(index.as_u32());
                }
            }
        }
        if let Some(most) = self.elements {
            for (index, table) in module.tables.iter_mut() {
                if table.minimum > most {
                    return Err(too_much(Limit::Table, table.minimum, most));
                }
                if table.maximum.is_none_or(|maximum| maximum > most) {
                    table.maximum = Some(most);
                    found.tables.push(index.as_u32());
                }
            }
        }
        Ok(found)
    }
}

fn too_much(limit: Limit, wanted: u32, most: u32) -> MiddlewareError {
    MiddlewareError::new(
        "limits of a profile",
        format!("the module starts with {wanted} where `{limit}` allows {most}"),
    )
}

impl ModuleMiddleware for Growth {
    fn generate_function_middleware<'a>(
        &self,
        _function: LocalFunctionIndex,
    ) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        let module = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        Box::new(GrowthIn(module.clone().unwrap_or_default()))
    }

    fn transform_module_info(&self, module: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        let mut known = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some() {
            return Err(second_module());
        }
        let mut found = self.limit(module)?;
        let mut global = || {
            module.global_initializers.push(GlobalInit::I32Const(0));
            module
                .globals
                .push(GlobalType::new(Type::I32, Mutability::Var))
        };
        let refused = global();
        (found.refused, found.result) = (refused.as_u32(), global().as_u32());
        module
            .exports
            .insert(super::REFUSED.to_owned(), ExportIndex::Global(refused));
        *known = Some(found);
        Ok(())
    }
}

/// The middleware, for one function.
#[derive(Debug)]
struct GrowthIn(Found);

impl<'a> FunctionMiddleware<'a> for GrowthIn {
    fn feed(
        &mut self,
        operator: Operator<'a>,
        state: &mut MiddlewareReaderState<'a>,
    ) -> Result<(), MiddlewareError> {
        let limit = match operator {
            Operator::MemoryGrow { mem } if self.0.memories.contains(&mem) => Some(Limit::Memory),
            Operator::TableGrow { table } if self.0.tables.contains(&table) => Some(Limit::Table),
            _ => None,
        };
        state.push_operator(operator);
        if let Some(limit) = limit {
            let Found {
                refused: global_index,
                result,
                ..
            } = self.0;
            // If the result is -1, the code of the limit is left behind, and the module ends.
            state.extend(&[
                Operator::GlobalSet {
                    global_index: result,
                },
                Operator::GlobalGet {
                    global_index: result,
                },
                Operator::I32Const { value: -1 },
                Operator::I32Eq,
                Operator::If {
                    blockty: BlockType::Empty,
                },
                Operator::I32Const {
                    value: limit.code(),
                },
                Operator::GlobalSet { global_index },
                Operator::Unreachable,
                Operator::End,
                Operator::GlobalGet {
                    global_index: result,
                },
            ]);
        }
        Ok(())
    }
}
