//! A container as containerd sees it: created, started, signalled, deleted.

use std::{
    cell::RefCell,
    os::fd::OwnedFd,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use containerd_shim::monitor::{Subject, Subscription, Topic, monitor_subscribe};
use containerd_shimkit::{
    sandbox::{Error, Instance, InstanceConfig, Result, sync::WaitableCell},
    set_logger_kv,
    zygote::{WireFd, Zygote},
};
use libcontainer::{
    container::{Container as Youki, builder::ContainerBuilder},
    signal::Signal,
    syscall::syscall::SyscallType,
};
use oci_spec::runtime::Spec;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    NAME,
    artifact::{self, Module},
    executor::Executor,
    settings::Settings,
    streams::{Console, Streams, wait_for_client},
};

thread_local! {
    /// The container of a process that was started for it: `libcontainer` has to be used from one thread only, and
    /// the shim has several.
    static YOUKI: RefCell<Option<Youki>> = const { RefCell::new(None) };
}

/// A result as it passes from one process to another.
type Answer<T> = std::result::Result<T, String>;

/// The exit code of a container whose end was not seen.
const UNKNOWN: u32 = 137;

/// The time in which a container that has ended is deleted.
const DELETION: Duration = Duration::from_secs(10);

/// The time in which `containerd-shimkit` unlocks a container's state after a call.
const UNLOCKING: Duration = Duration::from_millis(1);

/// A container that runs a module.
pub struct Container {
    id: String,
    process: Zygote,
    streams: Streams,
    exit: WaitableCell<(u32, DateTime<Utc>)>,
    /// The ends of the shim's child processes, from before the container was made.
    ends: Mutex<Option<Subscription>>,
    /// Held during a start and a kill.
    changing: Arc<Mutex<()>>,
}

impl Instance for Container {
    async fn new(id: String, config: &InstanceConfig) -> Result<Self> {
        let module = artifact::find(&id, config).await;
        let module = module.map_err(|error| failed(&error))?;
        let ends = monitor_subscribe(Topic::Pid)?;
        let process = Zygote::global().spawn();
        let held = wait_for_client(config).await;
        let made = call(&process, create, (id.clone(), config.clone(), module));
        let streams = made.and_then(|terminal| {
            let terminal = terminal.map(WireFd::into_inner);
            Streams::of(config, terminal).map_err(|error| failed(&error))
        });
        drop(held);
        let streams = streams.inspect_err(|_| {
            // Its first process would wait for a start that never comes. There may be no container yet.
            let _nothing_to_delete = call(&process, delete, ());
        })?;
        Ok(Self {
            id,
            process,
            streams,
            exit: WaitableCell::new(),
            ends: Mutex::new(Some(ends)),
            changing: Arc::default(),
        })
    }

    async fn start(&self) -> Result<u32> {
        let ends = self.ends.lock().ok().and_then(|mut ends| ends.take());
        let ends = ends.ok_or_else(|| started(&self.id))?;
        let pid = call(&self.process, pid, ())?;
        // Whatever becomes of the thread below, whoever waits gets an answer.
        let guard = self.exit.clone().set_guard_with(|| (UNKNOWN, Utc::now()));
        let changing = Arc::clone(&self.changing);
        let _changing = self.changing.lock();
        call(&self.process, start, ())?;
        let exit = self.exit.clone();
        tokio::task::spawn_blocking(move || {
            let _guard = guard;
            while let Ok(event) = ends.rx.recv() {
                if matches!(event.subject, Subject::Pid(ended) if ended == pid) {
                    let ended = (event.exit_code.unsigned_abs(), Utc::now());
                    // `containerd-shimkit` locks the container's state during a start and a kill. Whoever waits for the
                    // end would queue for the lock, and while one is left in the queue, the crate says that the task
                    // runs: containerd, which has its answer, can't delete it then.
                    drop(changing.lock());
                    thread::sleep(UNLOCKING);
                    let _ = exit.set(ended);
                    return;
                }
            }
        });
        Ok(pid.unsigned_abs())
    }

    async fn kill(&self, signal: u32) -> Result<()> {
        let _changing = self.changing.lock();
        call(&self.process, kill, signal)
    }

    async fn delete(&self) -> Result<()> {
        call(&self.process, delete, ())
    }

    async fn wait(&self) -> (u32, DateTime<Utc>) {
        *self.exit.wait().await
    }

    fn has_terminals() -> bool {
        true
    }

    fn resize_terminal(&self, width: u16, height: u16) -> Result<()> {
        Ok(self.streams.resize(width, height)?)
    }

    fn close_stdin(&self) -> Result<()> {
        self.streams.close_stdin();
        Ok(())
    }
}

fn failed(error: &anyhow::Error) -> Error {
    Error::Others(format!("{error:#}"))
}

fn started(id: &str) -> Error {
    Error::FailedPrecondition(format!("the container {id} was started before"))
}

/// Calls a function in the process of a container. A panic there is an error here.
fn call<A, T>(process: &Zygote, function: fn(A) -> Answer<T>, argument: A) -> Result<T>
where
    A: Serialize + DeserializeOwned + 'static,
    T: Serialize + DeserializeOwned + 'static,
{
    let answer = process.try_run(function, argument);
    let answer = answer.map_err(|error| Error::Others(error.to_string()))?;
    answer.map_err(Error::Others)
}

/// Makes the container, up to the point where its first process waits for the start. Returns its terminal, if it has one.
fn create(
    (id, config, module): (String, InstanceConfig, Module),
) -> Answer<Option<WireFd<OwnedFd>>> {
    answer(|| {
        set_logger_kv([("instance", id.as_str())]);
        let spec = Spec::load(config.bundle.join("config.json"))?;
        let settings = Settings::read(&spec, &config.bundle, module)?;
        let builder = ContainerBuilder::new(id, SyscallType::Linux)
            .with_executor(Executor::new(settings))
            .with_root_path(config.determine_rootdir(NAME)?)?;
        let (builder, console) = Console::add(builder, &config)?;
        let youki = builder
            .as_init(&config.bundle)
            .as_sibling(true)
            .with_systemd(config.config.systemd_cgroup)
            .build()?;
        YOUKI.set(Some(youki));
        let terminal = console.map(|console| console.receive(&config.bundle));
        Ok(terminal.transpose()?.map(WireFd::new))
    })
}

fn pid((): ()) -> Answer<i32> {
    with(|youki| {
        Ok(youki
            .pid()
            .context("the container has no process")?
            .as_raw())
    })
}

fn start((): ()) -> Answer<()> {
    with(|youki| Ok(youki.start()?))
}

fn kill(signal: u32) -> Answer<()> {
    with(|youki| {
        let signal = Signal::try_from(i32::try_from(signal)?);
        let signal = signal.context("there is no such signal")?;
        Ok(youki.kill(signal, true)?)
    })
}

/// Deletes the container. On a busy machine, the kernel lets go of a control group later than `libcontainer` waits for it.
fn delete((): ()) -> Answer<()> {
    with(|youki| {
        let until = Instant::now() + DELETION;
        while let Err(error) = youki.delete(true) {
            if Instant::now() > until {
                return Err(error.into());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    })
}

fn with<T>(use_it: impl FnOnce(&mut Youki) -> anyhow::Result<T>) -> Answer<T> {
    answer(|| {
        YOUKI.with_borrow_mut(|youki| {
            let youki = youki.as_mut().context("the container was not created")?;
            use_it(youki)
        })
    })
}

fn answer<T>(give: impl FnOnce() -> anyhow::Result<T>) -> Answer<T> {
    give().map_err(|error| format!("{error:#}"))
}
