//! A program in which a policy is enforced. It says what the library said, and then each thread tries to open a
//! secret and a file that is granted, and keeps open what it got, for somebody outside to see.

#![forbid(unsafe_code)]

mod special;
mod workers;

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fs::{File, OpenOptions},
    io::{self, BufRead, Write},
    mem, process,
    sync::{Arc, mpsc},
    time::Duration,
};

use special::Special;
use wasix_landlock::{
    Access, HostKind, HostTarget, Inherited, Policy, Protection, RecordedPreopen,
};
use wasix_landlock_foreign::{Answer, Claim, Settings, Tried};
use wasix_landlock_testing::ask;
use workers::Crew;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Protections that a policy requires by default and older kernels lack, with the ABI from which on they are there. Those
/// kernels are to show everything else.
const YOUNG: [(Protection, u32); 2] = [(Protection::Truncate, 3), (Protection::IoctlDevice, 5)];
/// The time for the attempts of all threads.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    if let Err(error) = run() {
        eprintln!("the subject can't go on: {error}");
        process::exit(1);
    }
    // The other threads are still there.
    process::exit(0);
}

fn run() -> Result<(), Box<dyn Error>> {
    let settings = env::args().nth(1).ok_or("no settings are given")?;
    let settings: Arc<Settings> = Arc::new(serde_json::from_str(&settings)?);
    let (sender, attempts) = mpsc::channel();
    // A daemon forks while it has one thread.
    let mut special = Special::start(&settings, &sender)?;
    let crew = Crew::start(&settings, &sender)?;
    special.settle();
    say(&Answer::Ready(process::id()))?;
    listen()?;

    special.before()?;
    let claim = enforce(&settings);
    special.after()?;
    say(&Answer::Claimed(claim))?;
    listen()?;

    crew.release()?;
    special.release(&sender)?;
    workers::attempt_and_pass_on(0, "the main thread", &settings, &sender);
    let mut tried = Vec::new();
    while tried.len() < settings.attempts() {
        tried.push(attempts.recv_timeout(PATIENCE)?);
    }
    say(&Answer::Tried(tried))?;
    listen()?;
    Ok(())
}

fn enforce(settings: &Settings) -> Claim {
    if !settings.enforce {
        return Claim::Control;
    }
    let mut policy = Policy::default().preopen(RecordedPreopen {
        guest: "/granted".to_owned(),
        origin: "preopen_dir",
        access: Access::READ,
        targets: vec![HostTarget {
            path: settings.granted.clone(),
            kind: HostKind::Directory,
            access: Access::READ,
        }],
    });
    let abi = ask::landlock_abi();
    for (protection, since) in YOUNG {
        if abi < since {
            policy = policy.optional(protection);
        }
    }
    if settings.harden {
        policy = policy.harden();
    }
    if settings.refuse {
        policy = policy.inherited(Inherited::Refuse {
            allowed: BTreeSet::new(),
        });
    }
    match policy.enforce() {
        // The mode says more than `Ok` does.
        Ok(report) if report.enforced => Claim::Enforced,
        Ok(report) => Claim::Refused {
            text: format!(
                "no error, and nothing is enforced: {}",
                report.not_enforced.join(", ")
            ),
            must_end: false,
        },
        Err(error) => Claim::Refused {
            must_end: match &error {
                wasix_landlock::Error::Enforce(error) => error.process_must_end(),
                _ => false,
            },
            text: error.to_string(),
        },
    }
}

/// Opens the file inside and the secret, and keeps both open.
fn attempt(index: usize, who: &str, settings: &Settings) -> Tried {
    let mut secret = OpenOptions::new();
    secret.read(!settings.write).write(settings.write);
    Tried {
        index,
        who: who.to_owned(),
        inside: keep(File::open(settings.inside.join(index.to_string()))),
        secret: keep(secret.open(settings.secrets.join(index.to_string()))),
    }
}

/// Leaves a file open, or returns the error number.
fn keep(opened: io::Result<File>) -> Option<i32> {
    match opened {
        Ok(file) => {
            mem::forget(file);
            None
        }
        Err(error) => Some(error.raw_os_error().unwrap_or(0)),
    }
}

/// Writes a line at once.
fn say(answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_string(answer)?;
    line.push('\n');
    io::stdout().write_all(line.as_bytes())?;
    io::stdout().flush()
}

/// Waits for the driver. When the driver is gone, this process ends as well.
fn listen() -> io::Result<()> {
    if io::stdin().lock().read_line(&mut String::new())? == 0 {
        process::exit(0);
    }
    Ok(())
}
