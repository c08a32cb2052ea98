//! The behaviour that the tests' own processes don't have.

use std::{
    fs::File,
    io::{self, PipeWriter, Read, Write},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    thread,
    time::Duration,
};

use wasix_landlock_foreign::{Answer, Settings, Tried, With};
use wasix_landlock_testing::{
    ask,
    descriptors::Ring,
    foreign::{self, HelperTimer},
    threads,
};

use crate::{attempt, say, workers::stay};

/// A special part of the subject, and the way to make it try.
pub struct Special {
    settings: Arc<Settings>,
    state: State,
    ballast: Vec<File>,
}

enum State {
    Nothing,
    /// The parent, or a thread, goes on when something can be read from the pipe.
    Pipe(PipeWriter),
    Signal(i32, Arc<AtomicBool>),
    Timer(HelperTimer),
    Ring(Ring, u16),
    ParentsRing(Ring, [u64; 2]),
    Flag(Arc<AtomicBool>),
}

impl Special {
    pub fn start(settings: &Arc<Settings>, sender: &Sender<Tried>) -> io::Result<Self> {
        let state = match settings.with {
            With::Nothing | With::FreeDescriptors(_) => State::Nothing,
            With::Daemon(delay) => State::Pipe(become_daemon(Duration::from_micros(delay))?),
            With::ThreadThatBlocksSignals => State::Pipe(thread_that_waits(
                settings,
                sender,
                "a thread that blocks all signals",
                |mut pipe| {
                    threads::block_all_signals();
                    pipe.read_exact(&mut [0])
                },
            )?),
            With::ThreadThatBlocksEverySignal => State::Pipe(thread_that_waits(
                settings,
                sender,
                "a thread that blocks every signal",
                |mut pipe| {
                    threads::block_even_the_librarys_signals();
                    pipe.read_exact(&mut [0])
                },
            )?),
            With::ThreadThatSetsTheGroup => State::Flag(set_the_group(settings, sender)?),
            With::ThreadInVfork => State::Pipe(thread_that_waits(
                settings,
                sender,
                "a thread that waited for its child as vfork(2) does",
                |pipe| threads::wait_uninterruptibly(&pipe),
            )?),
            With::ThreadThatTakesASignal => {
                take_signals(&[foreign::last_real_time_signal()], settings, sender)?
            }
            With::ThreadThatTakesAllSignals => {
                let all: Vec<i32> = (1..=foreign::last_real_time_signal()).collect();
                take_signals(&all, settings, sender)?
            }
            With::HelperTimer => State::Timer(start_timer(settings, sender)?),
            With::PolledRing => State::Ring(made(Ring::new(true))?, 0),
            With::InheritedRing(ring, personality) => {
                State::Ring(made(Ring::take(ring))?, personality)
            }
            With::ParentsRing(ring, paths) => State::ParentsRing(made(Ring::take(ring))?, paths),
        };
        Ok(Self {
            settings: Arc::clone(settings),
            state,
            ballast: Vec::new(),
        })
    }

    /// Waits until what was started is where it is to be. There is nothing that would say so.
    pub fn settle(&self) {
        if !matches!(self.state, State::Nothing) {
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Does what comes right before the policy is enforced.
    pub fn before(&mut self) -> io::Result<()> {
        if let (With::Daemon(_), State::Pipe(pipe)) = (self.settings.with, &mut self.state) {
            pipe.write_all(&[0])?;
        }
        if let With::FreeDescriptors(free) = self.settings.with {
            foreign::lower_descriptor_limit(16)?;
            while let Ok(file) = File::open("/") {
                self.ballast.push(file);
            }
            for _ in 0..free {
                self.ballast.pop();
            }
        }
        Ok(())
    }

    /// Undoes it as far as it would be in the way of the attempts.
    pub fn after(&mut self) -> io::Result<()> {
        if matches!(self.settings.with, With::FreeDescriptors(_)) {
            self.ballast.clear();
            foreign::raise_descriptor_limit()?;
        }
        Ok(())
    }

    /// Has it try.
    pub fn release(self, sender: &Sender<Tried>) -> io::Result<()> {
        let index = self.settings.special();
        match self.state {
            State::Nothing => {}
            State::Pipe(mut pipe) => {
                if !matches!(self.settings.with, With::Daemon(_)) {
                    pipe.write_all(&[0])?;
                }
                std::mem::forget(pipe);
            }
            State::Signal(signal, asked) => {
                asked.store(true, Ordering::SeqCst);
                ask::send_signal(process::id(), signal).map_err(io::Error::from_raw_os_error)?;
            }
            State::Flag(flag) => flag.store(true, Ordering::SeqCst),
            State::Timer(timer) => timer.fire()?,
            State::Ring(ring, personality) => {
                let name = index.to_string();
                let inside = self.settings.inside.join(&name);
                let secret = self.settings.secrets.join(&name);
                let _ = sender.send(Tried {
                    index,
                    who: "the io_uring".to_owned(),
                    inside: ring.open(&inside, personality).err(),
                    secret: ring.open(&secret, personality).err(),
                });
                std::mem::forget(ring);
            }
            State::ParentsRing(ring, [inside, secret]) => {
                let _ = sender.send(Tried {
                    index,
                    who: "the parent's io_uring".to_owned(),
                    inside: ring.open_at(inside, 0).err(),
                    secret: ring.open_at(secret, 0).err(),
                });
                std::mem::forget(ring);
            }
        }
        Ok(())
    }
}

fn made(ring: Result<Ring, i32>) -> io::Result<Ring> {
    ring.map_err(io::Error::from_raw_os_error)
}

/// Forks twice. The process in between ends so long after something can be read from the pipe, and the first one sees to
/// it that the kernel forgets its number.
fn become_daemon(delay: Duration) -> io::Result<PipeWriter> {
    foreign::continue_in_child(|between| drop(foreign::wait_for_child(between)))?;
    foreign::new_session()?;
    let (mut reader, writer) = io::pipe()?;
    foreign::continue_in_child(|_| {
        let _ = reader.read_exact(&mut [0]);
        thread::sleep(delay);
    })?;
    Ok(writer)
}

/// Starts a thread that waits for the pipe in its own way, and tries then.
fn thread_that_waits(
    settings: &Arc<Settings>,
    sender: &Sender<Tried>,
    who: &'static str,
    wait: fn(io::PipeReader) -> io::Result<()>,
) -> io::Result<PipeWriter> {
    let (reader, writer) = io::pipe()?;
    let (settings, sender) = (Arc::clone(settings), sender.clone());
    thread::Builder::new()
        .name("deaf".to_owned())
        .spawn(move || {
            match wait(reader) {
                Ok(()) => drop(sender.send(attempt(settings.special(), who, &settings))),
                Err(error) => eprintln!("{who} can't wait: {error}"),
            }
            stay();
        })?;
    Ok(writer)
}

/// Blocks signals everywhere, and starts a thread that takes them.
fn take_signals(
    signals: &[i32],
    settings: &Arc<Settings>,
    sender: &Sender<Tried>,
) -> io::Result<State> {
    threads::block_signals(signals.iter().copied());
    let asked = Arc::new(AtomicBool::new(false));
    let last = foreign::last_real_time_signal();
    let (settings, sender, is_asked) = (Arc::clone(settings), sender.clone(), Arc::clone(&asked));
    let signals = signals.to_vec();
    thread::Builder::new()
        .name("sigwait".to_owned())
        .spawn(move || {
            while let Ok(signal) = foreign::wait_for_signal(&signals) {
                if is_asked.load(Ordering::SeqCst) {
                    let who = "a thread in sigwait(3)";
                    let _ = sender.send(attempt(settings.special(), who, &settings));
                    break;
                }
                let what = format!("the program's sigwait(3) took signal {signal}");
                let _ = say(&Answer::Disturbed(what));
            }
            stay();
        })?;
    Ok(State::Signal(last, asked))
}

/// Has the C library signal every thread all the time.
fn set_the_group(settings: &Arc<Settings>, sender: &Sender<Tried>) -> io::Result<Arc<AtomicBool>> {
    thread::Builder::new().spawn(|| {
        threads::block_all_signals();
        stay();
    })?;
    let asked = Arc::new(AtomicBool::new(false));
    let (settings, sender, is_asked) = (Arc::clone(settings), sender.clone(), Arc::clone(&asked));
    thread::Builder::new().spawn(move || {
        let mut set = Ok(());
        while !is_asked.load(Ordering::SeqCst) && set.is_ok() {
            set = threads::set_group_again();
        }
        match set {
            Ok(()) => {
                let who = "a thread that sets the group";
                let _ = sender.send(attempt(settings.special(), who, &settings));
            }
            Err(error) => eprintln!("the group can't be set: {error}"),
        }
        stay();
    })?;
    Ok(asked)
}

fn start_timer(settings: &Arc<Settings>, sender: &Sender<Tried>) -> io::Result<HelperTimer> {
    let (settings, sender) = (Arc::clone(settings), sender.clone());
    HelperTimer::new(move || {
        let who = "a thread started by the C library's timer helper";
        let _ = sender.send(attempt(settings.special(), who, &settings));
        stay();
    })
}
