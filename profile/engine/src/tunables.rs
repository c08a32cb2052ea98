//! Memories and tables that don't grow beyond a limit.

use std::ptr::NonNull;

use wasix_landlock_profile::Limit;
use wasmer::sys::vm::{
    MemoryStyle, TableStyle, VMMemory, VMMemoryDefinition, VMTable, VMTableDefinition,
};
use wasmer::{
    MemoryError, MemoryType, Pages, TableType,
    sys::{BaseTunables, Tunables},
};

/// Wasmer's own tunables, with a maximum for every memory and every table.
pub(crate) struct Limited {
    base: BaseTunables,
    pages: Option<u32>,
    elements: Option<u32>,
}

impl Limited {
    pub(crate) fn new(pages: Option<u32>, elements: Option<u32>) -> Self {
        Self {
            base: BaseTunables::new(),
            pages,
            elements,
        }
    }

    fn memory(&self, ty: &MemoryType) -> Result<MemoryType, MemoryError> {
        let mut ty = *ty;
        if let Some(most) = self.pages {
            let start = ty.minimum.0;
            let maximum = at_most(Limit::Memory, start, ty.maximum.map(|pages| pages.0), most);
            ty.maximum = Some(Pages(maximum.map_err(invalid)?));
        }
        Ok(ty)
    }

    fn table(&self, ty: &TableType) -> Result<TableType, String> {
        let mut ty = *ty;
        if let Some(most) = self.elements {
            ty.maximum = Some(at_most(Limit::Table, ty.minimum, ty.maximum, most)?);
        }
        Ok(ty)
    }
}

fn invalid(reason: String) -> MemoryError {
    MemoryError::InvalidMemory { reason }
}

/// The maximum of what starts with so much and has this maximum of its own.
fn at_most(limit: Limit, start: u32, own: Option<u32>, most: u32) -> Result<u32, String> {
    if start > most {
        return Err(format!(
            "the module starts with {start} where `{limit}` allows {most}"
        ));
    }
    Ok(own.map_or(most, |own| own.min(most)))
}

#[allow(
    unsafe_code,
    reason = "Wasmer's trait has no safe form; the two unsafe functions pass on what they are given"
)]
impl Tunables for Limited {
    fn memory_style(&self, memory: &MemoryType) -> MemoryStyle {
        self.base.memory_style(memory)
    }

    fn table_style(&self, table: &TableType) -> TableStyle {
        self.base.table_style(table)
    }

    fn create_host_memory(
        &self,
        ty: &MemoryType,
        style: &MemoryStyle,
    ) -> Result<VMMemory, MemoryError> {
        self.base.create_host_memory(&self.memory(ty)?, style)
    }

    unsafe fn create_vm_memory(
        &self,
        ty: &MemoryType,
        style: &MemoryStyle,
        definition: NonNull<VMMemoryDefinition>,
    ) -> Result<VMMemory, MemoryError> {
        let ty = self.memory(ty)?;
        // SAFETY: the caller guarantees that `definition` is a valid location, which is all that is asked for.
        unsafe { self.base.create_vm_memory(&ty, style, definition) }
    }

    fn create_host_table(&self, ty: &TableType, style: &TableStyle) -> Result<VMTable, String> {
        self.base.create_host_table(&self.table(ty)?, style)
    }

    unsafe fn create_vm_table(
        &self,
        ty: &TableType,
        style: &TableStyle,
        definition: NonNull<VMTableDefinition>,
    ) -> Result<VMTable, String> {
        let ty = self.table(ty)?;
        // SAFETY: the caller guarantees that `definition` is a valid location, which is all that is asked for.
        unsafe { self.base.create_vm_table(&ty, style, definition) }
    }
}
