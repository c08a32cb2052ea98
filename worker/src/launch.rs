//! Starting a worker.

use std::{
    ffi::OsString,
    fmt, io,
    io::Read,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    thread,
};

use wasix_landlock::{MODE_VARIABLE, Mode, ModeError, POLICY_VARIABLE};
use wasix_landlock_profile::ProfileError;

use crate::{
    ForkServer, Pool, Request, Worker,
    frame::{self, kind},
    hear::{Expected, Heard},
    keep::{self, Process, Started},
    request::Source,
};

/// Starts workers.
///
/// ```no_run
/// use wasix_landlock_worker::{Launcher, Request, WorkerStreams};
///
/// // A program that calls `wasix_landlock_worker::serve()` when it is started with this argument.
/// let launcher = Launcher::new(std::env::current_exe()?).argument("worker");
/// let worker = launcher.spawn(&Request::module_file("guest.wasm"), WorkerStreams::none())?;
/// # drop(worker);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Launcher {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// The standard streams of a worker, and so of its module.
///
/// ```
/// use wasix_landlock_worker::{Input, WorkerStreams};
///
/// let streams = WorkerStreams { input: Input::Bytes(b"one line\n".to_vec()), ..WorkerStreams::piped() };
/// # drop(streams);
/// ```
#[derive(Debug)]
pub struct WorkerStreams {
    /// The module's input.
    pub input: Input,
    /// The destination of the output: with [`Stdio::piped`], to [`Worker::output`].
    pub output: Stdio,
    /// The destination of errors, and of the worker's own message when it crashes: with [`Stdio::piped`], to
    /// [`Worker::errors`].
    pub errors: Stdio,
}

impl WorkerStreams {
    /// No input; output and errors where the host's go.
    pub fn inherit() -> Self {
        Self {
            input: Input::Empty,
            output: Stdio::inherit(),
            errors: Stdio::inherit(),
        }
    }

    /// No input; output and errors to pipes.
    pub fn piped() -> Self {
        Self {
            input: Input::Empty,
            output: Stdio::piped(),
            errors: Stdio::piped(),
        }
    }

    /// Nothing at all.
    pub fn none() -> Self {
        Self {
            input: Input::Empty,
            output: Stdio::null(),
            errors: Stdio::null(),
        }
    }

    /// The same, with input.
    #[must_use]
    pub fn input(self, input: Input) -> Self {
        Self { input, ..self }
    }
}

/// The input of a module. The worker's own standard input is its channel to the host, so this is copied.
#[derive(Default)]
pub enum Input {
    /// Nothing.
    #[default]
    Empty,
    /// The bytes of the input.
    Bytes(Vec<u8>),
    /// A reader, such as the host's own standard input. A thread of the host's copies its bytes.
    Reader(Box<dyn Read + Send>),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Bytes(_) => "Bytes",
            Self::Reader(_) => "Reader",
        })
    }
}

/// An error of starting a worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The environment names a mode that doesn't exist.
    #[error(transparent)]
    Mode(#[from] ModeError),
    /// The profile can't be given to a module, such as one with a variable that the host doesn't have.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The system started no process.
    #[error(
        "the worker {program:?} can't be started: {source}; check the path given to \
         `Launcher::new`"
    )]
    Start {
        /// The program that was to be started.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The request can't be sent, such as for a path that isn't UTF-8.
    #[error("the request can't be sent to the worker: {0}")]
    Send(#[source] io::Error),
}

impl Launcher {
    /// Starts this program: the binary `wasix-landlock-worker`, or one that calls [`serve`](crate::serve).
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
        }
    }

    /// Starts it with this argument, for a program that is more than a worker.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts a worker. It is on its own from here on: what goes wrong later is in the
    /// [`Outcome`](crate::Outcome).
    ///
    /// A thread is started for it, which the worker doesn't outlive. The calling thread may end.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]. Nothing runs then.
    pub fn spawn(&self, request: &Request, streams: WorkerStreams) -> Result<Worker, SpawnError> {
        let message = Message::new(request, streams.input)?;
        self.start(request.mode_or_env()?, streams.output, streams.errors)?
            .send(message)
    }

    /// Starts `size` workers that wait for a request each, and keeps as many from then on.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]. Nothing runs then.
    pub fn pool(&self, size: usize) -> Result<Pool, SpawnError> {
        Pool::new(self.clone(), size)
    }

    /// Starts a process that makes copies of itself from then on, one for each worker.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]. Nothing runs then.
    pub fn fork_server(&self) -> Result<ForkServer, SpawnError> {
        ForkServer::new(self.clone())
    }

    /// Starts a worker that waits for its request.
    pub(crate) fn start(
        &self,
        mode: Mode,
        output: Stdio,
        errors: Stdio,
    ) -> Result<Waiting, SpawnError> {
        let (command, control) = self.command(mode, output, errors)?;
        self.wait(mode, || keep::execute(command), control)
    }

    /// Returns a command that starts the program, and the host's end of its socket.
    pub(crate) fn command(
        &self,
        mode: Mode,
        output: Stdio,
        errors: Stdio,
    ) -> Result<(Command, UnixStream), SpawnError> {
        let (control, theirs) = UnixStream::pair().map_err(SpawnError::Send)?;

        // The worker starts in another directory.
        let policy = wasix_landlock::outside_policy()
            .and_then(|path| std::path::absolute(path).ok())
            .map(|path| (POLICY_VARIABLE, path));

        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .env(MODE_VARIABLE, mode.to_string())
            .envs(policy)
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(output)
            .stderr(errors);
        Ok((command, control))
    }

    /// Starts a worker that `make` makes, and that waits for its request.
    pub(crate) fn wait(
        &self,
        mode: Mode,
        make: impl FnOnce() -> io::Result<Started> + Send + 'static,
        control: UnixStream,
    ) -> Result<Waiting, SpawnError> {
        let to_worker = control.try_clone().map_err(SpawnError::Send)?;
        let (expect, expected) = mpsc::sync_channel(1);
        let listen = move |control: &mut UnixStream, process: &dyn Process| {
            // Nobody has asked anything of a worker that was started and not used.
            let Ok(expected) = expected.recv() else {
                return Heard::default();
            };
            let heard = Heard::listen(control, expected);
            if heard.violation.is_some() {
                // It may have ended by itself.
                let _gone = process.kill();
            }
            heard
        };
        let (started, ended) =
            keep::start(make, control, listen).map_err(|source| self.failed(source))?;
        Ok(Waiting {
            mode,
            to_worker,
            expect,
            worker: Worker::new(started, ended),
        })
    }

    /// The error of a process that isn't started.
    pub(crate) fn failed(&self, source: io::Error) -> SpawnError {
        SpawnError::Start {
            program: self.program.clone(),
            source,
        }
    }
}

/// A request as it goes to a worker.
pub(crate) struct Message {
    head: Vec<u8>,
    module: Option<Arc<[u8]>>,
    input: Input,
    /// The most bytes of the artifact, if one is asked for.
    artifact: Option<u64>,
}

impl Message {
    pub(crate) fn new(request: &Request, input: Input) -> Result<Self, SpawnError> {
        let mut request = request.clone();
        request.profile = request.profile.for_another_process()?;
        request.input = !matches!(input, Input::Empty);
        request.host = std::process::id();
        Ok(Self {
            head: serde_json::to_vec(&request).map_err(|error| SpawnError::Send(error.into()))?,
            module: matches!(request.source, Source::Follows).then_some(request.bytes),
            input,
            artifact: request.give_artifact.then_some(request.largest_artifact),
        })
    }

    fn write(self, to: &mut UnixStream) -> io::Result<()> {
        frame::write(to, kind::REQUEST, &self.head)?;
        if let Some(module) = self.module {
            frame::write(to, kind::MODULE, &module)?;
        }
        pump(self.input, to)
    }
}

/// A worker that waits for its request. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// The mode that the process was started with.
    pub(crate) mode: Mode,
    to_worker: UnixStream,
    // Dropped before the worker, whose end is waited for: the thread that listens to the worker waits for this.
    expect: SyncSender<Expected>,
    worker: Worker,
}

impl Waiting {
    /// True if the process has not ended while it waited.
    pub(crate) fn runs(&self) -> io::Result<bool> {
        self.worker.runs()
    }

    pub(crate) fn send(self, message: Message) -> Result<Worker, SpawnError> {
        let Self {
            mode,
            mut to_worker,
            expect,
            worker,
        } = self;
        let artifact = message.artifact;
        let expected = Expected { mode, artifact };
        expect
            .send(expected)
            .map_err(|_| SpawnError::Send(keep::panicked()))?;
        // What doesn't fit into the socket waits until the worker reads, or has ended.
        thread::Builder::new()
            .name("to the worker".to_owned())
            .spawn(move || {
                // A worker that has ended tells so by its end.
                let _broken_pipe = message.write(&mut to_worker);
            })
            .map_err(SpawnError::Send)?;
        Ok(worker)
    }
}

/// Sends what the module reads.
fn pump(input: Input, to: &mut UnixStream) -> io::Result<()> {
    match input {
        Input::Empty => return Ok(()),
        Input::Bytes(bytes) => {
            for chunk in bytes.chunks(1 << 16) {
                frame::write(to, kind::INPUT, chunk)?;
            }
        }
        Input::Reader(mut reader) => {
            let mut buffer = vec![0; 1 << 16];
            loop {
                let read = match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    // The module can't be told of an error in here: it ends there.
                    Err(_) => break,
                    Ok(read) => read,
                };
                frame::write(to, kind::INPUT, buffer.get(..read).unwrap_or_default())?;
            }
        }
    }
    frame::write(to, kind::INPUT, &[])
}
