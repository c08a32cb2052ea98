//! A worker that, as soon as it is restricted, tries what its arguments name, in the place of a module that has taken
//! it over. It says on standard error what the kernel answered.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{self, ExitCode},
    thread,
    time::Duration,
};

use nix::{
    sys::{
        prctl::{set_dumpable, set_pdeathsig},
        resource::{Resource, getrlimit, setrlimit},
        signal::kill,
    },
    unistd::getppid,
};
use wasix_landlock_testing::{
    alone,
    ask::{self, Answer},
    in_forked_children,
    takeover::{self, Outcome, Targets, Victim},
};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(120);
/// Among the arguments, it has each copy of this process ask instead of this process.
const COPIES: &str = "copies";
/// The answer of a call that can't be tried on this machine.
const UNAVAILABLE: Answer = Err(-1);

fn main() -> ExitCode {
    if env::args().any(|argument| argument == COPIES) {
        in_forked_children(ask_in_copy);
    } else {
        ask();
    }
    wasix_landlock_worker::serve()
}

extern "C" fn ask_in_copy() {
    ask();
}

/// Starts a thread that asks once this process is restricted.
fn ask() {
    let mut questions: Vec<String> = env::args().skip(1).filter(|it| it != COPIES).collect();
    let mut take = |name: &str| {
        let at = questions.iter().position(|it| it.starts_with(name))?;
        Some(questions.remove(at).split_off(name.len()))
    };
    let (victim, when) = (take("victim="), take("when="));
    let targets = victim.map(|directory| make_victim(&directory));
    let off = env::var("WASIX_LANDLOCK").as_deref() == Ok("off");
    // There before the restriction, so that it is swept.
    thread::spawn(move || {
        // Metadata is what a restricted process can still see.
        while !match &when {
            Some(path) => fs::metadata(path).is_ok(),
            None => wasix_landlock::current().is_some() || off && has_begun(),
        } {
            thread::sleep(Duration::from_millis(1));
        }
        for question in questions {
            eprintln!(
                "asked {question}\t{:?}",
                answer(&question, targets.as_ref())
            );
        }
        eprintln!("asked everything");
    });
}

/// True if there are more threads than this program's two. Opening anything before would be taken for something
/// inherited.
fn has_begun() -> bool {
    fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() > 4)
}

fn answer(question: &str, targets: Option<&Targets>) -> Answer {
    let of = |result: nix::Result<()>| result.map_err(|errno| errno as i32);
    match question.split_once('=') {
        Some(("call", name)) => match takeover::run(name, targets.unwrap()).unwrap() {
            Outcome::Done => Ok(()),
            Outcome::Refused(errno) => Err(errno),
            Outcome::Unavailable(_) => UNAVAILABLE,
        },
        Some(("connect", port)) => ask::connect_tcp(port.parse().unwrap()),
        Some(("send", port)) => ask::send_udp(port.parse().unwrap()),
        Some(("threads", count)) => start_threads(count.parse().unwrap()),
        None if question == "dump" => of(set_dumpable(true)),
        None if question == "parent" => of(kill(getppid(), None)),
        None if question == "outlive" => of(set_pdeathsig(None)),
        None if question == "limit" => of(getrlimit(Resource::RLIMIT_NOFILE)
            .and_then(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, soft, hard))),
        _ => ask::open_read(question),
    }
}

fn start_threads(count: usize) -> Answer {
    for _ in 0..count {
        let thread = thread::Builder::new().stack_size(64 << 10);
        let started = thread.spawn(|| thread::sleep(LONG));
        started.map_err(|error| error.raw_os_error().unwrap_or(0))?;
    }
    Ok(())
}

/// Makes a victim, and a process that is never restricted and keeps what the victim owns.
fn make_victim(directory: &str) -> Targets<'static> {
    let directory = Path::new(directory).to_owned();
    let victim: &'static Victim =
        Box::leak(Box::new(Victim::new(&directory).unwrap().without_ring()));
    let noted = directory.join("noted");
    let its = noted.clone();
    // A child's child, since who attaches to a child waits for it, as `alone` does.
    let stay = move || {
        let half = its.with_extension("half");
        fs::write(&half, process::id().to_string()).unwrap();
        fs::rename(half, its).unwrap();
        thread::sleep(LONG);
    };
    thread::spawn(move || alone(|| alone(stay)));
    loop {
        if let Ok(process) = fs::read_to_string(&noted) {
            return victim.targets(process.parse().unwrap());
        }
        thread::sleep(Duration::from_millis(1));
    }
}
