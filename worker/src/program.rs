//! The worker itself.

mod artifact;
mod bounds;
mod copies;
mod restrict;

use std::{
    fs, io,
    io::Write as _,
    os::{
        fd::{AsFd, RawFd},
        unix::{net::UnixStream, process::parent_id},
    },
    process::{self, ExitCode},
    thread,
};

use anyhow::{Context, bail, ensure};
use virtual_fs::Pipe;
use wasix_landlock_engine::{headless, limited};
use wasix_landlock_profile::{Ceiling, Limits, Stream};
use wasmer::{Engine, Module};
use wasmer_wasix::{
    WasiRuntimeError,
    landlock::{InstanceRuntime, with_causes},
};

use crate::{
    Report, Request,
    frame::{self, kind},
    hear::LARGEST_REPORT,
    request::Source,
    word::{Word, shortened},
};

/// Does a worker's work: takes a request from standard input, which is a socket that a
/// [`Launcher`](crate::Launcher) has made, restricts this process, runs the module, and says how it ended.
///
/// A program that calls this first thing can be its own worker. It must not have started a thread or opened a
/// file before.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     if std::env::args().nth(1).as_deref() == Some("worker") {
///         return wasix_landlock_worker::serve();
///     }
///     // … the program itself, which starts workers …
///     ExitCode::SUCCESS
/// }
/// ```
#[must_use]
pub fn serve() -> ExitCode {
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasix-landlock-worker: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Runs what is asked for, and says how that went.
fn answer() -> anyhow::Result<()> {
    bounds::die_with_parent()?;
    close_inherited()?;
    let mut control = control()?;
    let host = parent_id();
    let mut first = frame::read(&mut control, frame::LARGEST);
    if let Ok(Some((kind::COPIES, asked))) = &first {
        let server = process::id();
        bounds::check_parent(u32::from_le_bytes(asked.as_slice().try_into()?), host)?;
        if copies::serve(control)? == copies::Side::Server {
            return Ok(());
        }
        // The host is the parent's parent, and this process ends with both.
        bounds::check_parent(server, parent_id())?;
        close_inherited()?;
        control = self::control()?;
        first = frame::read(&mut control, frame::LARGEST);
    }
    let ended = first
        .map_err(anyhow::Error::from)
        .and_then(|first| run(&mut control, first, host));
    let end = match ended {
        Ok(end) => end,
        Err(error) => Word::Failed(shortened(with_causes(error.as_ref()))),
    };
    // What the module has written must be out before the host hears of its end.
    io::stdout().flush()?;
    frame::write(&mut control, kind::END, &serde_json::to_vec(&end)?)
        .context("the host has ended")?;
    // Threads of the module may still run.
    std::process::exit(0);
}

/// Closes what the host had open and let be inherited: it would be the module's, should it take this process over.
fn close_inherited() -> anyhow::Result<()> {
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd").context("the worker needs /proc; mount it")? {
        let number: RawFd = entry?.file_name().to_string_lossy().parse()?;
        if number > 2 {
            open.push(number);
        }
    }
    for number in open {
        match nix::unistd::close(number) {
            // The listing's own, which is closed by now.
            Ok(()) | Err(nix::errno::Errno::EBADF) => {}
            Err(error) => bail!("descriptor {number} can't be closed: {error}"),
        }
    }
    Ok(())
}

/// A worker's end of its socket, which is its standard input.
fn control() -> io::Result<UnixStream> {
    let control = io::stdin().as_fd().try_clone_to_owned()?;
    Ok(UnixStream::from(control))
}

/// Runs the request, which is the first frame of the host's.
fn run(control: &mut UnixStream, first: Option<(u8, Vec<u8>)>, host: u32) -> anyhow::Result<Word> {
    let request: Request = match first {
        Some((kind::REQUEST, bytes)) => serde_json::from_slice(&bytes)?,
        _ => bail!("the host sent no request; start the worker with `Launcher`"),
    };
    bounds::check_parent(request.host, host)?;
    let bytes = match &request.source {
        Source::File(path) => {
            fs::read(path).with_context(|| format!("can't read {}", path.display()))?
        }
        Source::Follows => match frame::read(control, frame::LARGEST)? {
            Some((kind::MODULE, bytes)) => bytes,
            _ => bail!("the host sent no module"),
        },
    };
    // So that the kernel, when it runs out of memory, takes a worker before the host.
    if let Err(error) = fs::write("/proc/self/oom_score_adj", "1000") {
        eprintln!(
            "wasix-landlock-worker: can't set oom_score_adj, so the kernel may end another \
             process first when memory runs out: {error}"
        );
    }
    bounds::limit(&request.limits)?;
    // Files can't be read later.
    let limits = Ceiling::limits_from_env(&request.profile.limits)?;
    let inside = restrict::enforce(&request)?;
    send_report(control, &restrict::bound(&inside)?)?;

    let input = listen(control, request.input)?;
    // Everything that depends on the module comes after.
    let engine = engine(&request, &limits);
    let module = if request.artifact {
        artifact::load(&engine, bytes)?
    } else {
        inside
            .compile(&engine, bytes)
            .context("the module can't be compiled")?
    };
    if request.give_artifact {
        let artifact = module
            .serialize()
            .context("the compiled module can't be serialized")?;
        ensure!(
            artifact.len() as u64 <= request.largest_artifact,
            "the artifact has {} bytes, but the host accepts {}: raise `Request::largest_artifact`",
            artifact.len(),
            request.largest_artifact
        );
        frame::write(control, kind::ARTIFACT, &artifact)?;
    }
    Ok(start(&inside, &request, module, &engine, input))
}

fn send_report(control: &mut UnixStream, report: &Report) -> anyhow::Result<()> {
    let report = serde_json::to_vec(report)?;
    ensure!(
        report.len() as u64 <= LARGEST_REPORT,
        "the report has {} bytes, but the host accepts {LARGEST_REPORT}: request fewer preopens",
        report.len()
    );
    frame::write(control, kind::REPORT, &report).context("the host has ended")
}

fn engine(request: &Request, limits: &Limits) -> Engine {
    if request.artifact {
        headless(limits)
    } else {
        limited(request.compiler, limits)
    }
}

/// Passes on what the module is to read, and ends this process when the host is gone, whatever the module does.
fn listen(control: &UnixStream, input: bool) -> anyhow::Result<Option<Pipe>> {
    let mut control = control.try_clone()?;
    let (mut sender, receiver) = Pipe::channel();
    thread::Builder::new()
        .name("from the host".to_owned())
        .spawn(move || {
            while let Ok(Some((kind::INPUT, bytes))) = frame::read(&mut control, frame::LARGEST) {
                if bytes.is_empty() {
                    sender.close();
                } else {
                    // A module that has closed its input reads no more of it.
                    let _closed = sender.write_all(&bytes);
                }
            }
            std::process::exit(1);
        })?;
    Ok(input.then_some(receiver))
}

fn start(
    inside: &InstanceRuntime,
    request: &Request,
    module: Module,
    engine: &Engine,
    input: Option<Pipe>,
) -> Word {
    let ran = inside.run(&request.program, module, engine, |runner| {
        // The worker's own standard input is the socket.
        if request.profile.streams.stdin == Stream::Inherit {
            runner.with_stdin(match input {
                Some(input) => Box::new(input),
                None => Box::new(virtual_fs::NullFile::default()),
            });
        }
    });
    match ran {
        Ok(code) => Word::Exited(code),
        Err(error) => {
            let why = shortened(with_causes(error.as_ref()));
            if trapped(&error) {
                Word::Trapped(why)
            } else {
                Word::Failed(why)
            }
        }
    }
}

fn trapped(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<wasmer::RuntimeError>()
            || matches!(cause.downcast_ref(), Some(WasiRuntimeError::Runtime(_)))
    })
}
