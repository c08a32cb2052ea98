//! Workers that are copies of one process.

use std::{
    collections::HashMap,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
};

use nix::{
    libc::c_int,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use rustix::process::{Signal, pidfd_send_signal};
use wasix_landlock::Mode;

use crate::{
    Input, Launcher, Request, SpawnError, Worker,
    copies::{self, Answer, Streams},
    frame::{self, kind},
    keep::{self, Ended, Process, Started},
    launch::Message,
};

/// A process that is started once and makes copies of itself: [`spawn`](Self::spawn) has it make one for each worker.
///
/// A copy takes less time than a start, and it shares the memory that the program takes before there is a request.
/// The process never reads a request, a module or what a module writes. A copy closes what it does not need, and then
/// does what any other worker does: it reads its request from a socket of its own, and restricts itself. Its output
/// and errors are pipes, which [`Worker::output`] and [`Worker::errors`] return.
///
/// **The copies share the layout of their memory**, and what the program has drawn at random before: the addresses of
/// code and libraries, the C library's stack canary, the keys of hash tables. Native code in one worker that can read
/// these knows them for the others, which makes a second bug there easier to use. [`Launcher::spawn`] and
/// [`Launcher::pool`] execute the program anew for each worker, so nothing is shared.
///
/// The copies are under the restrictions of the thread that made this, as they were then, and have that time's
/// [outside policy](wasix_landlock::POLICY_VARIABLE). The process ends when this and its last worker are dropped, or
/// with the host. Its workers end with it.
///
/// ```no_run
/// use wasix_landlock_worker::{Input, Launcher, Request};
///
/// let server = Launcher::new("/usr/libexec/wasix-landlock-worker").fork_server()?;
/// let mut worker = server.spawn(&Request::module_file("guest.wasm"), Input::Empty)?;
/// let output = std::io::read_to_string(worker.output().expect("a pipe"))?;
/// println!("{output}: {:?}", worker.wait(None)?.end);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ForkServer {
    launcher: Launcher,
    mode: Mode,
    server: Arc<Server>,
}

impl ForkServer {
    pub(crate) fn new(launcher: Launcher) -> Result<Self, SpawnError> {
        let mode = Mode::from_env()?;
        let (command, control) = launcher.command(mode, Stdio::null(), Stdio::inherit())?;
        let server = Server::start(command, control).map_err(|source| launcher.failed(source))?;
        Ok(Self {
            launcher,
            mode,
            server: Arc::new(server),
        })
    }

    /// Returns the number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.server.started.id
    }

    /// Has the process make a worker, and gives the worker its request. If the request has another
    /// [mode](Request::mode) than the environment of this, the program is executed for the worker.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]. Nothing runs then.
    pub fn spawn(&self, request: &Request, input: Input) -> Result<Worker, SpawnError> {
        let message = Message::new(request, input)?;
        let mode = request.mode_or_env()?;
        let waiting = if mode == self.mode {
            let (control, theirs) = UnixStream::pair().map_err(SpawnError::Send)?;
            let server = Arc::clone(&self.server);
            let make = move || server.copy(theirs.into());
            self.launcher.wait(mode, make, control)?
        } else {
            self.launcher.start(mode, Stdio::piped(), Stdio::piped())?
        };
        waiting.send(message)
    }
}

/// The process that makes copies of itself.
#[derive(Debug)]
struct Server {
    /// One copy is asked for at a time.
    asking: Mutex<Asking>,
    started: Started,
    ended: Mutex<Receiver<io::Result<Ended<()>>>>,
}

#[derive(Debug)]
struct Asking {
    control: UnixStream,
    made: Receiver<io::Result<Copied>>,
}

/// A copy that was made.
#[derive(Debug)]
struct Copied {
    id: u32,
    process: OwnedFd,
    status: Receiver<ExitStatus>,
}

impl Server {
    fn start(command: Command, mut control: UnixStream) -> io::Result<Self> {
        let (tell, made) = mpsc::channel();
        let asking = control.try_clone()?;
        // The process reads this once it is ready.
        frame::write(
            &mut control,
            kind::COPIES,
            &std::process::id().to_le_bytes(),
        )?;
        let listen = move |control: &mut UnixStream, _: &dyn Process| listen(control, &tell);
        let (started, ended) = keep::start(|| keep::execute(command), control, listen)?;
        let asking = Mutex::new(Asking {
            control: asking,
            made,
        });
        Ok(Self {
            asking,
            started,
            ended: Mutex::new(ended),
        })
    }

    /// Makes a copy, whose standard input is `control` and whose output and errors are pipes.
    fn copy(self: Arc<Self>, control: OwnedFd) -> io::Result<Started> {
        let (output, its_output) = io::pipe()?;
        let (errors, its_errors) = io::pipe()?;
        let streams = Streams {
            control,
            output: its_output.into(),
            errors: its_errors.into(),
        };
        let copied = {
            let asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            copies::ask(&asking.control, &streams)?;
            asking.made.recv().map_err(|_| ended())??
        };
        Ok(Started {
            id: copied.id,
            output: Some(OwnedFd::from(output).into()),
            errors: Some(OwnedFd::from(errors).into()),
            process: Arc::new(CopyProcess {
                process: copied.process,
                status: Mutex::new(copied.status),
                _server: self,
            }),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.started.process.kill();
        let ended = self.ended.get_mut();
        let _gone = ended.unwrap_or_else(PoisonError::into_inner).recv();
    }
}

/// The error of a process that makes copies no more.
fn ended() -> io::Error {
    io::Error::other(
        "the process that makes copies has ended, and its workers with it; see its errors, and make another `ForkServer`",
    )
}

/// Passes on what the process answers, until it ends.
fn listen(control: &UnixStream, tell: &Sender<io::Result<Copied>>) {
    let mut copies: HashMap<c_int, Sender<ExitStatus>> = HashMap::new();
    while let Ok(Some((answer, process))) = copies::answer(control) {
        match (answer, process) {
            (Answer::Made(id), Some(process)) => {
                let (ended, status) = mpsc::channel();
                copies.insert(id, ended);
                let copied = Copied {
                    id: id.unsigned_abs(),
                    process,
                    status,
                };
                let _asked = tell.send(Ok(copied));
            }
            (Answer::Made(_), None) => {
                let _asked = tell.send(Err(io::Error::other(
                    "the new worker's pidfd did not arrive; raise the host's limit of open files (`ulimit -n`)",
                )));
            }
            (Answer::NotMade(errno), _) => {
                let _asked = tell.send(Err(io::Error::from_raw_os_error(errno)));
            }
            (Answer::Ended(id, status), _) => {
                if let Some(copy) = copies.remove(&id) {
                    let _waited_for = copy.send(ExitStatus::from_raw(status));
                }
            }
        }
    }
}

/// The process of a copy, which is the host's grandchild.
#[derive(Debug)]
struct CopyProcess {
    process: OwnedFd,
    status: Mutex<Receiver<ExitStatus>>,
    /// The parent of the process.
    _server: Arc<Server>,
}

impl Process for CopyProcess {
    fn kill(&self) -> io::Result<()> {
        match pidfd_send_signal(&self.process, Signal::KILL) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            done => Ok(done?),
        }
    }

    fn runs(&self) -> io::Result<bool> {
        let mut process = [PollFd::new(self.process.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut process, PollTimeout::ZERO)? == 0)
    }

    fn wait(&self) -> io::Result<ExitStatus> {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.recv().map_err(|_| ended())
    }
}
