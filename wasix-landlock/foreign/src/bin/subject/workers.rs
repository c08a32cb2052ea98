//! Threads that wait in different ways, and then try.

use std::{
    io::{self, PipeReader, PipeWriter, Read, Write},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};

use wasix_landlock_foreign::{Settings, Tried};
use wasix_landlock_testing::threads;

use crate::attempt;

/// The threads besides the main one.
pub struct Crew {
    signal: Arc<Signal>,
    writer: PipeWriter,
    threads: usize,
}

/// The event that the threads wait for.
struct Signal {
    given: AtomicBool,
    lock: Mutex<()>,
    condition: Condvar,
    pipe: PipeReader,
}

type Wait = fn(&Signal) -> io::Result<()>;

/// Ways to wait, with words for them.
const WAYS: [(&str, Wait); 5] = [
    ("a thread in read(2)", Signal::read),
    ("a thread in futex(2)", Signal::futex),
    ("a thread in poll(2)", Signal::poll),
    ("a thread in epoll_wait(2)", Signal::epoll),
    ("a thread in nanosleep(2)", Signal::sleep),
];

impl Crew {
    pub fn start(settings: &Arc<Settings>, sender: &Sender<Tried>) -> io::Result<Self> {
        let (pipe, writer) = io::pipe()?;
        let signal = Arc::new(Signal {
            given: AtomicBool::new(false),
            lock: Mutex::new(()),
            condition: Condvar::new(),
            pipe,
        });
        let (started, starts) = mpsc::channel();
        for index in 1..=settings.threads {
            let (signal, settings) = (Arc::clone(&signal), Arc::clone(settings));
            let (sender, started) = (sender.clone(), started.clone());
            let (who, wait) = WAYS[index % WAYS.len()];
            thread::Builder::new().spawn(move || {
                let _ = started.send(());
                drop(started);
                match wait(&signal) {
                    Ok(()) => attempt_and_pass_on(index, who, &settings, &sender),
                    Err(error) => eprintln!("{who} can't wait: {error}"),
                }
                stay();
            })?;
        }
        drop(started);
        for () in starts.iter().take(settings.threads) {}
        Ok(Self {
            signal,
            writer,
            threads: settings.threads,
        })
    }

    /// Ends the waiting.
    pub fn release(mut self) -> io::Result<()> {
        {
            let _lock = self
                .signal
                .lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            self.signal.given.store(true, Ordering::SeqCst);
        }
        self.signal.condition.notify_all();
        // One more than is read, for those that only look.
        self.writer.write_all(&vec![0; self.threads + 1])?;
        std::mem::forget(self.writer);
        Ok(())
    }
}

impl Signal {
    fn is_given(&self) -> bool {
        self.given.load(Ordering::SeqCst)
    }

    fn read(&self) -> io::Result<()> {
        (&self.pipe).read_exact(&mut [0])
    }

    fn futex(&self) -> io::Result<()> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_given() {
            lock = self
                .condition
                .wait(lock)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn poll(&self) -> io::Result<()> {
        while !self.is_given() {
            uninterrupted(threads::poll(Duration::from_millis(50)))?;
        }
        Ok(())
    }

    fn epoll(&self) -> io::Result<()> {
        while !self.is_given() {
            uninterrupted(threads::epoll(&self.pipe))?;
        }
        Ok(())
    }

    fn sleep(&self) -> io::Result<()> {
        while !self.is_given() {
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn uninterrupted(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other,
    }
}

/// Tries in this thread, and in a new one that it starts.
pub fn attempt_and_pass_on(
    index: usize,
    who: &str,
    settings: &Arc<Settings>,
    sender: &Sender<Tried>,
) {
    let _ = sender.send(attempt(index, who, settings));
    let (later, who) = (
        index + settings.threads + 1,
        format!("a thread started by {who}"),
    );
    let (settings, sender) = (Arc::clone(settings), sender.clone());
    let started = thread::Builder::new().spawn(move || {
        let _ = sender.send(attempt(later, &who, &settings));
        stay();
    });
    if let Err(error) = started {
        eprintln!("no thread can be started: {error}");
    }
}

/// Keeps the thread, so that somebody outside can look at it.
pub fn stay() -> ! {
    loop {
        thread::park();
    }
}
