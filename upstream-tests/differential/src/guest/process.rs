//! The process that the module runs in, which ends with a case, a crash, or a call that does not return.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::Calls;
use super::call::{Answer, Call, Message, Reply};
use super::threads::Threads;
use crate::outcome::Outcome;
use crate::way::Way;

/// The first argument of a process that runs a module.
pub const WORKER: &str = "run-module";
/// The longest time that a call, or a block of threads, takes on a machine with much else to do. None of them waits for
/// anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// The time for which it may take to start the module, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// The request to the process.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The way in which the directories come to the module.
    pub way: Way,
    /// The directory with `p` and `q`.
    pub root: PathBuf,
    /// The socket that the calls come through.
    pub socket: PathBuf,
    /// The number of threads.
    pub threads: u32,
    /// True if every protection is asked for.
    pub harden: bool,
}

/// The running module.
#[derive(Debug)]
pub struct Process {
    child: Child,
    calls: UnixStream,
    replies: BufReader<UnixStream>,
    errors: PathBuf,
}

impl Process {
    /// Starts `program`, which is one that runs modules, with these standard streams. `errors` is the file that
    /// standard error goes to.
    ///
    /// # Errors
    /// If it doesn't start.
    pub fn start(
        program: &Path,
        request: &Request,
        stdio: [OwnedFd; 3],
        errors: PathBuf,
    ) -> anyhow::Result<Self> {
        let listener = UnixListener::bind(&request.socket)?;
        let [input, output, error] = stdio;
        let mut child = Command::new(program)
            .arg(WORKER)
            .arg(serde_json::to_string(request)?)
            .env("RUST_BACKTRACE", "0")
            .stdin(input)
            .stdout(output)
            .stderr(error)
            .spawn()?;
        let calls = match accept(&listener, &mut child) {
            Ok(calls) => calls,
            Err(error) => {
                let _gone = child.kill();
                let _status = child.wait()?;
                return Err(error.context(said(&errors)));
            }
        };
        calls.set_read_timeout(Some(START))?;
        let mut process = Self {
            child,
            replies: BufReader::new(calls.try_clone()?),
            calls,
            errors,
        };
        let mut ready = String::new();
        let read = process.replies.read_line(&mut ready);
        if read.is_err() || ready != "ready\n" {
            let _gone = process.child.kill();
            process.child.wait()?;
            bail!("the module does not start: {}", said(&process.errors));
        }
        process.calls.set_read_timeout(Some(PATIENCE))?;
        Ok(process)
    }

    /// The process's answer, a line.
    fn ask(&mut self, message: &Message) -> anyhow::Result<Answer<String>> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        if let Err(error) = self.calls.write_all(&line) {
            return self.ended(&error);
        }
        let mut reply = String::new();
        match self.replies.read_line(&mut reply) {
            Ok(1..) => Ok(Ok(reply)),
            Ok(0) => self.ended(&ErrorKind::UnexpectedEof.into()),
            Err(error) => self.ended(&error),
        }
    }

    /// The outcome of a call after which the process is gone.
    fn ended(&mut self, error: &std::io::Error) -> anyhow::Result<Answer<String>> {
        let hangs = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind());
        if hangs {
            self.child.kill()?;
        }
        let status = self.child.wait()?;
        Ok(Err(if hangs {
            Outcome::end("hang", "no answer in time".to_owned())
        } else {
            Outcome::end("crash", format!("{status}: {}", said(&self.errors)))
        }))
    }
}

impl Calls for Process {
    fn call(&mut self, call: Call) -> anyhow::Result<Answer<Vec<u8>>> {
        super::check_function(&call.function)?;
        let reply = self.ask(&Message::Call(call))?;
        Ok(match reply {
            Ok(reply) => serde_json::from_str::<Reply>(&reply)?.answer(),
            Err(ended) => Err(ended),
        })
    }

    fn threads(&mut self, threads: Threads) -> anyhow::Result<Vec<Vec<Outcome>>> {
        let programs = threads.programs.len();
        self.calls.set_read_timeout(Some(START))?;
        let reply = self.ask(&Message::Threads(threads))?;
        self.calls.set_read_timeout(Some(PATIENCE))?;
        match reply {
            Ok(reply) => {
                let outcomes: Result<_, String> = serde_json::from_str(&reply)?;
                outcomes.map_err(|error| anyhow!(error))
            }
            Err(ended) => Ok(vec![vec![*ended]; programs]),
        }
    }

    fn end(self: Box<Self>) -> anyhow::Result<()> {
        let Self {
            mut child,
            calls,
            replies,
            errors,
        } = *self;
        drop((calls, replies));
        let until = Instant::now() + START;
        while Instant::now() < until {
            if let Some(status) = child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("{status}: {}", said(&errors));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill()?;
        child.wait()?;
        bail!("the module's process does not end");
    }
}

fn accept(listener: &UnixListener, child: &mut Child) -> anyhow::Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let until = Instant::now() + START;
    while Instant::now() < until {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = child.try_wait()? {
            bail!("the module's process ended: {status}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    bail!("the module's process did not ask for calls")
}

/// Returns the process's last words: a panic's message, or the first lines.
fn said(errors: &Path) -> String {
    let text = fs::read(errors).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let panic = lines.iter().position(|line| line.contains("panicked at"));
    let from = panic.unwrap_or_else(|| lines.len().saturating_sub(2));
    let last: Vec<&str> = lines[from..].iter().take(2).copied().collect();
    last.join(" | ")
}

/// Opens a file that a standard stream goes to.
///
/// # Errors
/// If it can't be made.
pub fn stream_to(path: &Path) -> anyhow::Result<OwnedFd> {
    let file = File::create_new(path).with_context(|| path.display().to_string())?;
    Ok(file.into())
}
