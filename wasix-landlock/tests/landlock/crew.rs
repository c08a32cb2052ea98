//! Threads that wait, each in its way, and then ask the kernel.

use std::{
    io::{PipeReader, PipeWriter, Read, pipe},
    panic,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use wasix_landlock_testing::{ask, threads};

use crate::common::{DENIED, Tree};

/// The way in which a thread waits.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// On a futex, as an idle worker of a pool does.
    Park,
    /// In a system call that is restarted after a signal.
    Read,
    /// In one that isn't, as the worker does that drives a reactor.
    Epoll,
    /// As above.
    Poll,
    /// In one that goes on for the time that is left.
    Sleep,
    /// Not at all, in user space.
    Spin,
    /// By starting threads all the while.
    Churn,
}

/// Threads that wait until they are told to check.
pub struct Crew {
    go: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// The threads that read wait for these to be closed.
    pipes: Vec<PipeWriter>,
}

impl Crew {
    /// Starts them. Each may still open what isn't granted.
    pub fn start(waits: impl IntoIterator<Item = Wait>, tree: &Arc<Tree>) -> Self {
        let waits: Vec<Wait> = waits.into_iter().collect();
        let go = Arc::new(AtomicBool::new(false));
        let ready = Arc::new(Barrier::new(waits.len() + 1));
        let mut pipes = Vec::new();
        let threads = waits
            .into_iter()
            .map(|wait| {
                let (go, ready, tree) = (Arc::clone(&go), Arc::clone(&ready), Arc::clone(tree));
                let (reader, writer) = pipe().unwrap();
                if matches!(wait, Wait::Read | Wait::Epoll) {
                    pipes.push(writer);
                }
                thread::spawn(move || {
                    assert_eq!(ask::open_read(tree.outside().join("file")), Ok(()));
                    ready.wait();
                    while !go.load(Ordering::SeqCst) {
                        wait.once(&reader);
                    }
                    check(&tree);
                })
            })
            .collect();
        ready.wait();
        Self { go, threads, pipes }
    }

    /// Has every thread check, and joins it.
    pub fn check(self) {
        let Self { go, threads, pipes } = self;
        go.store(true, Ordering::SeqCst);
        drop(pipes);
        for thread in threads {
            thread.thread().unpark();
            thread
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    }
}

impl Wait {
    fn once(self, mut reader: &PipeReader) {
        let interrupted_at_most = |result: std::io::Result<()>| {
            if let Err(error) = result {
                assert_eq!(error.raw_os_error(), Some(libc::EINTR));
            }
        };
        match self {
            Self::Park => thread::park(),
            // A handler that let the call be interrupted would make this an error.
            Self::Read => assert_eq!(reader.read(&mut [0]).unwrap(), 0),
            Self::Epoll => interrupted_at_most(threads::epoll(reader)),
            Self::Poll => interrupted_at_most(threads::poll(Duration::from_millis(300))),
            Self::Sleep => thread::sleep(Duration::from_millis(300)),
            Self::Spin => std::hint::spin_loop(),
            Self::Churn => thread::spawn(|| ()).join().unwrap(),
        }
    }
}

/// Asks the kernel in the calling thread: what is granted works, anything else doesn't.
pub fn check(tree: &Tree) {
    assert_eq!(ask::open_read(tree.granted().join("file")), Ok(()));
    assert_eq!(ask::open_read(tree.outside().join("file")), DENIED);
    assert_eq!(ask::open_read("/"), DENIED);
}
