//! Workers that are started before they are needed.

use std::{
    collections::VecDeque,
    mem,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use wasix_landlock::Mode;

use crate::{
    Input, Launcher, Request, SpawnError, Worker,
    launch::{Message, Waiting},
};

/// Workers that wait for a request: [`spawn`](Self::spawn) takes one of them, and another one is started in its place.
///
/// This shortens the time to the first output by the start of a process. A worker that waits takes the memory of a process
/// that has loaded nothing yet. Its output and errors are pipes, which [`Worker::output`] and [`Worker::errors`] return.
///
/// The workers are started by a thread of the pool's, so they are under the restrictions of the thread that made the pool.
/// They have that time's [outside policy](wasix_landlock::POLICY_VARIABLE). Dropping the pool kills those that wait.
///
/// ```no_run
/// use wasix_landlock_worker::{Input, Launcher, Request};
///
/// let pool = Launcher::new("/usr/libexec/wasix-landlock-worker").pool(4)?;
/// let mut worker = pool.spawn(&Request::module_file("guest.wasm"), Input::Empty)?;
/// let output = std::io::read_to_string(worker.output().expect("a pipe"))?;
/// println!("{output}: {:?}", worker.wait(None)?.end);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pool {
    launcher: Launcher,
    mode: Mode,
    waiting: Arc<Mutex<VecDeque<Waiting>>>,
    /// Asks for another worker; `None` once the pool is dropped.
    taken: Option<Sender<()>>,
    refilling: Option<JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn new(launcher: Launcher, size: usize) -> Result<Self, SpawnError> {
        let mode = Mode::from_env()?;
        let first: Result<VecDeque<_>, _> = (0..size).map(|_| start(&launcher, mode)).collect();
        let waiting = Arc::new(Mutex::new(first?));
        let (taken, asked) = mpsc::channel();
        let refilling = {
            let (launcher, waiting) = (launcher.clone(), Arc::clone(&waiting));
            thread::Builder::new()
                .name("fills the pool".to_owned())
                .spawn(move || refill(&launcher, mode, &waiting, &asked))
        };
        Ok(Self {
            launcher,
            mode,
            waiting,
            taken: Some(taken),
            refilling: Some(refilling.map_err(SpawnError::Send)?),
        })
    }

    /// Gives a worker its request. If none waits, or the request has another [mode](Request::mode) than the environment of
    /// the pool, the worker is started first.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]. Nothing runs then.
    pub fn spawn(&self, request: &Request, input: Input) -> Result<Worker, SpawnError> {
        let message = Message::new(request, input)?;
        let mode = request.mode_or_env()?;
        let waiting = match mode == self.mode {
            true => self.take(),
            false => None,
        };
        match waiting {
            Some(worker) => worker.send(message),
            None => start(&self.launcher, mode)?.send(message),
        }
    }

    /// Takes the worker that has waited longest, and has others started in place of those that are gone.
    fn take(&self) -> Option<Waiting> {
        loop {
            let taken = lock(&self.waiting).pop_front()?;
            if let Some(refill) = &self.taken {
                // A thread that has panicked starts no more: then each request starts its worker.
                let _panicked = refill.send(());
            }
            if taken.runs().unwrap_or(false) {
                return Some(taken);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.taken = None;
        if let Some(refilling) = self.refilling.take() {
            let _panicked = refilling.join();
        }
        let waiting = mem::take(&mut *lock(&self.waiting));
        drop(waiting);
    }
}

fn start(launcher: &Launcher, mode: Mode) -> Result<Waiting, SpawnError> {
    launcher.start(mode, Stdio::piped(), Stdio::piped())
}

/// Starts a worker for each that was taken, until the pool is dropped.
fn refill(
    launcher: &Launcher,
    mode: Mode,
    waiting: &Mutex<VecDeque<Waiting>>,
    asked: &Receiver<()>,
) {
    while let Ok(()) = asked.recv() {
        // A request that finds no worker starts one, and gets the error of that.
        if let Ok(started) = start(launcher, mode) {
            lock(waiting).push_back(started);
        }
    }
}

fn lock(waiting: &Mutex<VecDeque<Waiting>>) -> MutexGuard<'_, VecDeque<Waiting>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
