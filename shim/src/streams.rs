//! The streams of a container: the pipes that containerd has made for it, or a terminal that is copied from and to them.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::OwnedFd,
        unix::{fs::OpenOptionsExt as _, net::UnixListener},
    },
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use containerd_shimkit::sandbox::InstanceConfig;
use libcontainer::container::builder::ContainerBuilder;
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
    termios::{Winsize, tcsetwinsize},
};
use tokio::{io::copy, net::unix::pipe, time::sleep};

/// The name of the socket in the bundle on which `libcontainer` hands over the terminal that it has made.
const CONSOLE: &str = "console.sock";

/// The time that the client gets to open the container's output.
const OPENING: Duration = Duration::from_secs(10);

/// Waits until the client has opened the container's output, and returns ends that keep the client from reading the end
/// before the container has its own.
///
/// The kernel drops what is in a pipe that nobody has open, so the output of a container that ends before its client comes
/// would be lost.
pub(crate) async fn wait_for_client(config: &InstanceConfig) -> Vec<File> {
    let until = Instant::now() + OPENING;
    let mut opened = Vec::new();
    for output in [&config.stdout, &config.stderr] {
        loop {
            match to_write(output) {
                Ok(file) => opened.extend(file),
                // Nobody reads yet.
                Err(error)
                    if error.raw_os_error() == Some(libc::ENXIO) && Instant::now() < until =>
                {
                    sleep(Duration::from_millis(1)).await;
                    continue;
                }
                // The container's own open has the same error, or needs no reader.
                Err(_) => {}
            }
            break;
        }
    }
    opened
}

/// The shim's part of a container's streams.
pub(crate) enum Streams {
    /// Standard input is a pipe. The shim keeps it open until the client has written everything: the module would read
    /// the end before a client comes.
    Pipes(Mutex<Option<File>>),
    /// All three streams are this terminal.
    Terminal(File),
}

impl Streams {
    /// Takes the shim's part of the streams of a container that is made.
    ///
    /// # Errors
    /// A pipe that can't be opened.
    pub(crate) fn of(config: &InstanceConfig, terminal: Option<OwnedFd>) -> anyhow::Result<Self> {
        match terminal {
            Some(terminal) => Self::copy(config, terminal.into()),
            None => {
                let kept = to_write(&config.stdin);
                let kept = kept.with_context(|| cannot_open("input", &config.stdin))?;
                Ok(Self::Pipes(Mutex::new(kept)))
            }
        }
    }

    /// Copies between a terminal and the pipes until the container has closed the terminal.
    fn copy(config: &InstanceConfig, terminal: File) -> anyhow::Result<Self> {
        // For reading and writing, so that no open waits for the client, and no client's end ends the container.
        let mut pipe = pipe::OpenOptions::new();
        pipe.read_write(true);
        let is_there = |path: &Path| !path.as_os_str().is_empty();
        let input = is_there(&config.stdin)
            .then(|| pipe.open_receiver(&config.stdin))
            .transpose()
            .with_context(|| cannot_open("input", &config.stdin))?;
        let output = is_there(&config.stdout)
            .then(|| pipe.open_sender(&config.stdout))
            .transpose()
            .with_context(|| cannot_open("output", &config.stdout))?;
        let ours = || terminal.try_clone().map(tokio::fs::File::from_std);
        let (mut reads, mut writes) = (ours()?, ours()?);
        tokio::spawn(async move {
            let typed = async {
                if let Some(mut input) = input {
                    let _ = copy(&mut input, &mut writes).await;
                }
                std::future::pending::<()>().await;
            };
            // An error is how the kernel says that everything is read, and nobody has the terminal any more.
            let shown = async {
                let _ = match output {
                    Some(mut output) => copy(&mut reads, &mut output).await,
                    None => copy(&mut reads, &mut tokio::io::sink()).await,
                };
            };
            tokio::select! { () = typed => {}, () = shown => {} }
        });
        Ok(Self::Terminal(terminal))
    }

    /// Closes standard input, once the client has written everything. A terminal stays open: its user types the end.
    pub(crate) fn close_stdin(&self) {
        if let Self::Pipes(stdin) = self
            && let Ok(mut stdin) = stdin.lock()
        {
            *stdin = None;
        }
    }

    /// Sets the size of the terminal, in characters.
    ///
    /// # Errors
    /// No terminal, or the kernel's error.
    pub(crate) fn resize(&self, width: u16, height: u16) -> io::Result<()> {
        let Self::Terminal(terminal) = self else {
            return Err(io::Error::other("the container has no terminal"));
        };
        let size = Winsize {
            ws_row: height,
            ws_col: width,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(tcsetwinsize(terminal, size)?)
    }
}

/// The socket for the terminal of a container that is not made yet.
pub(crate) struct Console(UnixListener);

impl Console {
    /// Gives a container its streams: a terminal, for which a socket is returned, or the pipes. To be called in the process
    /// that makes the container.
    ///
    /// # Errors
    /// A stream that can't be opened.
    pub(crate) fn add(
        builder: ContainerBuilder,
        config: &InstanceConfig,
    ) -> anyhow::Result<(ContainerBuilder, Option<Self>)> {
        if !config.terminal {
            let builder = builder
                .with_stdin(input(&config.stdin)?)
                .with_stdout(output("output", &config.stdout)?)
                .with_stderr(output("error", &config.stderr)?);
            return Ok((builder, None));
        }
        // By its name alone: the path of a bundle can be longer than the address of a socket may be. The process is the
        // container's own, and so is its current directory.
        let bound = env::set_current_dir(&config.bundle).and_then(|()| UnixListener::bind(CONSOLE));
        let socket = bound.context("can't make the socket for the terminal in the bundle")?;
        let builder = builder.with_console_socket(Some(config.bundle.join(CONSOLE)));
        Ok((builder, Some(Self(socket))))
    }

    /// Receives the terminal of a container that is made.
    ///
    /// # Errors
    /// No terminal, or the kernel's error.
    pub(crate) fn receive(self, bundle: &Path) -> anyhow::Result<OwnedFd> {
        let socket: PathBuf = bundle.join(CONSOLE);
        fs::remove_file(&socket).with_context(|| format!("can't remove {}", socket.display()))?;
        // `libcontainer` has sent the terminal by now, or never does.
        self.0.set_nonblocking(true)?;
        let (sender, _) = self.0.accept().context("the container sent no terminal")?;
        let mut name = [0; 64];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let read = &mut [IoSliceMut::new(&mut name)];
        recvmsg(&sender, read, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut received = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        received.next().context("the container sent no terminal")
    }
}

/// The container's end of its standard input. Not for writing: a module that has both ends never reads the end.
fn input(path: &Path) -> anyhow::Result<File> {
    let open = || {
        let stdin = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(or_null(path))?;
        fcntl_setfl(&stdin, fcntl_getfl(&stdin)? - OFlags::NONBLOCK)?;
        io::Result::Ok(stdin)
    };
    open().with_context(|| cannot_open("input", path))
}

/// The container's end of its standard output or standard error. A pipe is opened for reading as well: no write fails while
/// containerd starts again.
fn output(which: &str, path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    let opened = match path.strip_prefix("file:") {
        // As `ctr` and others write a file's address: with two slashes before the path.
        Ok(file) => options
            .create(true)
            .append(true)
            .open(Path::new("/").join(file)),
        Err(_) => options.read(true).write(true).open(or_null(path)),
    };
    opened.with_context(|| cannot_open(which, path))
}

/// Opens a pipe for writing, if there is one, and doesn't wait for somebody who reads.
fn to_write(path: &Path) -> io::Result<Option<File>> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NONBLOCK);
    options.open(path).map(Some)
}

fn or_null(path: &Path) -> &Path {
    match path.as_os_str().is_empty() {
        true => Path::new("/dev/null"),
        false => path,
    }
}

fn cannot_open(which: &str, path: &Path) -> String {
    format!(
        "can't open {} for the container's standard {which}; the shim takes pipes and files",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        sync::mpsc,
        thread,
    };

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_client_that_comes_late_reads_what_a_container_says_before_it_ends() {
        let directory = tempfile::tempdir().expect("a directory");
        let pipe = directory.path().join("stdout");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
        let config = InstanceConfig {
            stdout: pipe.clone(),
            ..InstanceConfig::default()
        };
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            let mut text = String::new();
            // Waits for somebody who writes, and would do so forever after the container's end.
            let read = File::open(pipe).and_then(|mut pipe| pipe.read_to_string(&mut text));
            tell.send(read.map(|_| text)).expect("the test waits");
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let held = runtime
            .expect("a runtime")
            .block_on(wait_for_client(&config));
        let mut container = output("output", &config.stdout).expect("an output");
        drop(held);
        container.write_all(b"said").expect("room in the pipe");
        drop(container);
        let read = told.recv_timeout(Duration::from_secs(20));
        assert_eq!(
            read.expect("the client ends").expect("the pipe is read"),
            "said"
        );
    }
}
