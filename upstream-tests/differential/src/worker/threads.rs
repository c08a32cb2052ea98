//! Threads of the module, which make their calls at the same time.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex, OnceLock, PoisonError};

use anyhow::{Context, bail, ensure};
use wasix_landlock_differential::composite::make;
use wasix_landlock_differential::guest::call::{Answer, Call};
use wasix_landlock_differential::guest::text::{START, START_SIZE};
use wasix_landlock_differential::guest::threads::Threads;
use wasix_landlock_differential::guest::{Calls, Guest};
use wasix_landlock_differential::outcome::Outcome;
use wasmer::{
    AsStoreMut, Function, FunctionEnv, FunctionEnvMut, Imports, Instance, Memory, Module, Store,
    StoreMut, Value,
};
use wasmer_wasix::runtime::{InstantiationHook, InstantiationState};

/// Gives each thread of the module its function `work`, which makes the thread's calls.
#[derive(Debug, Clone)]
pub struct Work {
    root: PathBuf,
    jobs: Arc<Mutex<Option<Job>>>,
}

#[derive(Debug, Clone)]
struct Job {
    threads: Threads,
    /// All begin together.
    begin: Arc<Barrier>,
    done: Sender<(usize, anyhow::Result<Vec<Outcome>>)>,
}

/// The needs of a thread's function.
struct Own {
    work: Work,
    instance: Arc<OnceLock<Instance>>,
}

impl Work {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            jobs: Arc::default(),
        }
    }

    /// Starts the threads, and waits for them.
    pub fn threads(
        &self,
        instance: &Instance,
        store: &mut Store,
        threads: Threads,
    ) -> anyhow::Result<Vec<Vec<Outcome>>> {
        let count = threads.programs.len();
        let (done, outcomes) = channel();
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = Some(Job {
            threads,
            begin: Arc::new(Barrier::new(count)),
            done,
        });
        let spawn = instance.exports.get_function("spawn")?;
        for number in 0..u32::try_from(count)? {
            let start = START + number * START_SIZE;
            let results = spawn.call(store, &[Value::I32(start.cast_signed())])?;
            let thread = results[0].i32().context("no thread")?;
            ensure!(thread > 0, "thread {number} does not start: {thread}");
        }
        let outcomes = collect(&outcomes, count);
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        outcomes
    }

    fn job(&self) -> Option<Job> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.clone()
    }
}

fn collect(
    outcomes: &Receiver<(usize, anyhow::Result<Vec<Outcome>>)>,
    count: usize,
) -> anyhow::Result<Vec<Vec<Outcome>>> {
    let mut all = vec![Vec::new(); count];
    for _ in 0..count {
        let (number, outcome) = outcomes.recv()?;
        all[number] = outcome?;
    }
    Ok(all)
}

/// Makes the calls of the thread that began with `start`.
fn work(mut env: FunctionEnvMut<'_, Own>, start: i32) {
    let (work, instance) = (env.data().work.clone(), env.data().instance.clone());
    let number = (start.cast_unsigned() - START) / START_SIZE;
    let Some(job) = work.job() else {
        return;
    };
    job.begin.wait();
    // A panic is an outcome: what panicked says so on standard error.
    let mut made = Ended {
        number: number as usize,
        job: &job,
        outcomes: Some(Ok(vec![*Outcome::end("crash", "panicked".to_owned())])),
    };
    let calls = Direct {
        instance: instance.get(),
        store: env.as_store_mut(),
    };
    let mut guest = Guest::thread(Box::new(calls), &job.threads, number + 1);
    made.outcomes = Some(make(
        &mut guest,
        &work.root,
        &job.threads.programs[number as usize],
    ));
}

/// Reports when a thread has ended, in whatever way.
struct Ended<'j> {
    number: usize,
    job: &'j Job,
    outcomes: Option<anyhow::Result<Vec<Outcome>>>,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if let Some(outcomes) = self.outcomes.take() {
            // Nobody waits if the process ends.
            let _gone = self.job.done.send((self.number, outcomes));
        }
    }
}

/// Calls of the functions that the thread's own instance exports.
struct Direct<'s> {
    instance: Option<&'s Instance>,
    store: StoreMut<'s>,
}

impl Calls for Direct<'_> {
    fn call(&mut self, call: Call) -> anyhow::Result<Answer<Vec<u8>>> {
        let instance = self.instance.context("no instance")?;
        Ok(super::call(instance, &mut self.store, &call)?.answer())
    }

    fn threads(&mut self, _: Threads) -> anyhow::Result<Vec<Vec<Outcome>>> {
        bail!("threads of a thread")
    }

    fn end(self: Box<Self>) -> anyhow::Result<()> {
        Ok(())
    }
}

impl InstantiationHook for Work {
    fn additional_imports(
        &self,
        _: &Module,
        store: &mut StoreMut<'_>,
    ) -> anyhow::Result<(Imports, InstantiationState)> {
        let instance = Arc::new(OnceLock::new());
        let own = Own {
            work: self.clone(),
            instance: instance.clone(),
        };
        let env = FunctionEnv::new(store, own);
        let function = Function::new_typed_with_env(store, &env, work);
        let mut imports = Imports::new();
        imports.define("differential", "work", function);
        Ok((imports, InstantiationState::new(instance)))
    }

    fn configure_new_instance(
        &self,
        _: &Module,
        _: &mut StoreMut<'_>,
        instance: &Instance,
        _: Option<&Memory>,
        state: InstantiationState,
    ) -> anyhow::Result<()> {
        let own: Arc<OnceLock<Instance>> = state.take()?;
        own.set(instance.clone())
            .map_err(|_| anyhow::anyhow!("two instances"))
    }
}
