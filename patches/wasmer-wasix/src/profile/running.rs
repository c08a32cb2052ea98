//! The calls of upstream while a module runs.

use wasmer::{
    AsStoreMut, AsStoreRef, ExportError, Function, FunctionEnvMut, Instance, MemorySize,
    MemoryView, RuntimeError, Store, Value,
};

use super::compiled;
use super::meter::{Meter, exit_code};
use super::{Limit, withhold};
use crate::fs::{Fd as OpenFd, Kind, WasiFs};
use crate::os::task::thread::WasiThreadId;
use crate::state::context_switching::ContextSwitchingEnvironment;
use crate::syscalls::{FdWriteSource, mem_error_to_wasi};
use crate::types::wasi::{Errno, Fd, Fdflags};
use crate::{WasiEnv, WasiError, WasiFunctionEnv};

use std::sync::Arc;

type Outcome = Result<Box<[Value]>, RuntimeError>;

/// Called when an instance is there and none of its functions was called, but for the one that it names as its start.
pub(crate) fn begin(
    store: &mut impl AsStoreMut,
    instance: &Instance,
    env: &WasiFunctionEnv,
) -> Result<(), ExportError> {
    let (meter, thread) = {
        let env = env.data(store);
        (env.state.fs.meter.clone(), env.tid())
    };
    withhold::check(store, instance.module(), &meter)
        .map_err(|error| ExportError::Missing(error.to_string()))?;
    compiled::give_instructions(store, instance, &meter, thread);
    meter.interrupts.add(store);
    Ok(())
}

/// Called when a module, or a thread of it, has ended: whatever it says, it has reached its limit if there is one.
fn ended(env: &WasiFunctionEnv, store: &mut Store, outcome: Outcome) -> Outcome {
    if let Err(error) = &outcome
        && let Some(WasiError::DeepSleep(_)) = error.downcast_ref()
    {
        return outcome;
    }
    let limit = env.limit_reached(store);
    let (meter, instance) = env.meter_and_instance(store);
    meter.interrupts.remove(store);
    if let Some(instance) = instance
        && !env.data(store).thread.is_main()
    {
        compiled::give_back(store, &instance, &meter);
    }
    match limit {
        Some(limit) => Err(RuntimeError::user(Box::new(WasiError::Exit(exit_code(
            limit,
        ))))),
        None => outcome,
    }
}

impl ContextSwitchingEnvironment {
    /// As upstream's, and what has ended at a limit says so.
    pub(crate) fn run_main_context(
        env: &WasiFunctionEnv,
        store: Store,
        entry: Function,
        parameters: Vec<Value>,
    ) -> (Store, Outcome) {
        let (mut store, outcome) = Self::run_main_context_of_any(env, store, entry, parameters);
        let outcome = ended(env, &mut store, outcome);
        (store, outcome)
    }
}

impl WasiFunctionEnv {
    /// The limit that the module has reached, for a program that calls the module's functions by itself: it sees a
    /// trap where the instructions were at their end, and asks here what it was.
    ///
    /// ```no_run
    /// # use std::error::Error;
    /// # fn limited(module: wasmer::Module, engine: wasmer::Engine) -> Result<(), Box<dyn Error>> {
    /// use wasmer_wasix::{WasiEnv, profile::Profile};
    ///
    /// // The engine is one of the crate `wasix-landlock-engine`, with the profile's limits.
    /// let mut store = wasmer::Store::new(engine.clone());
    /// let profile = Profile::new().limits(|l| l.instructions(1_000_000));
    /// let builder = WasiEnv::builder("program").engine(engine).profile(&profile)?;
    /// let (instance, env) = builder.instantiate(module, &mut store)?;
    /// let called = instance.exports.get_function("work")?.call(&mut store, &[]);
    /// match env.limit_reached(&mut store) {
    ///     Some(limit) => eprintln!("it was ended: {limit}"),
    ///     None => println!("{:?}", called?),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn limit_reached(&self, store: &mut impl AsStoreMut) -> Option<Limit> {
        let (meter, instance) = self.meter_and_instance(store);
        if meter.reached().is_none()
            && instance.is_some_and(|instance| compiled::is_exhausted(store, &instance))
        {
            meter.reach(Limit::Instructions);
        }
        meter.reached()
    }

    fn meter_and_instance(&self, store: &impl AsStoreRef) -> (Arc<Meter>, Option<Instance>) {
        let env = self.data(store);
        let instance = env
            .try_inner()
            .map(|inner| inner.main_module_instance_handles().instance.clone());
        (env.state.fs.meter.clone(), instance)
    }
}

/// Called when a thread is about to be started: it gets a part of its starter's rest.
pub(crate) fn share(env: &mut FunctionEnvMut<'_, WasiEnv>, thread: WasiThreadId) {
    let data = env.data();
    let meter = data.state.fs.meter.clone();
    let instance = data.inner().main_module_instance_handles().instance.clone();
    compiled::share_instructions(env, &instance, &meter, thread);
}

/// The place that is written to.
pub(crate) struct Write<'f> {
    pub(crate) kind: &'f Kind,
    pub(crate) entry: &'f OpenFd,
    pub(crate) offset: u64,
}

impl Write<'_> {
    /// The number of bytes behind the end of the file it begins: a file in memory has them all.
    fn gap(&self) -> u64 {
        let appends = self.entry.inner.flags.contains(Fdflags::APPEND);
        match self.kind {
            Kind::File {
                handle: Some(handle),
                ..
            } if !self.entry.is_stdio && !appends => {
                let size = handle.read().map_or(0, |file| file.size());
                self.offset.saturating_sub(size)
            }
            _ => 0,
        }
    }
}

/// Before data is written to a file or a stream.
#[allow(clippy::result_large_err, reason = "the error is upstream's")]
pub(crate) fn before_write<M: MemorySize>(
    meter: &Meter,
    data: &FdWriteSource<'_, M>,
    memory: &MemoryView<'_>,
    at: Write<'_>,
) -> Result<Result<(), Errno>, WasiError> {
    let is_stream = at.entry.is_stdio;
    if !meter.counts_writes(is_stream) {
        return Ok(Ok(()));
    }
    let length = match data {
        FdWriteSource::Buffer(bytes) => Ok(bytes.len() as u64),
        FdWriteSource::Iovs { iovs, iovs_len } => iovs
            .slice(memory, *iovs_len)
            .and_then(|vectors| {
                vectors.iter().try_fold(0_u64, |sum, vector| {
                    Ok(sum.saturating_add(vector.read()?.buf_len.into()))
                })
            })
            .map_err(mem_error_to_wasi),
    };
    match length {
        Ok(length) => match meter.write(length.saturating_add(at.gap()), is_stream) {
            Ok(()) => Ok(Ok(())),
            Err(limit) => Err(WasiError::Exit(exit_code(limit))),
        },
        Err(error) => Ok(Err(error)),
    }
}

impl WasiFs {
    /// From now on, `meter` counts. Files in memory may hold what may be written.
    pub(crate) fn count_with(&mut self, meter: Arc<Meter>) {
        let root = self.root_fs.writable_root();
        if let (Some(most), Some(root)) = (meter.limits().disk_bytes, root) {
            root.bound_memory(usize::try_from(most).unwrap_or(usize::MAX));
        }
        if let Ok(descriptors) = self.fd_map.get_mut() {
            descriptors.meter = Arc::clone(&meter);
        }
        self.meter = meter;
    }
}

impl crate::fs::FdList {
    /// Before a descriptor is added, at a number if one is given.
    pub(crate) fn may_add(&self, at: Option<Fd>) -> Result<(), Errno> {
        let Some(most) = self.meter.limits().descriptors else {
            return Ok(());
        };
        let replaces = at.is_some_and(|fd| self.get(fd).is_some());
        let surely_fit = self
            .last_fd()
            .is_none_or(|last| last < most.saturating_sub(1));
        if replaces || surely_fit {
            return Ok(());
        }
        self.meter.open(self.iter().count())
    }
}
