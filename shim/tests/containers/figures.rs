//! Figures: time to the first output, and memory, of several containers at once.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    daemon::name,
    results,
    suite::{Runtime, Suite, text},
    variants,
};

const HEAD: &str = "\
Written by `cargo test --release --test containers -- --figures`, in `shim/`. The program prints a line and waits: a module \
for this shim and for the same shim on Wasmer as published, a native static program for runc. The builds take turns.

- **First output** is the time from the start of `ctr run` to the line, the median of all containers; **all** is the time to
  the last one's line, the median of all rounds. `ctr`, containerd and the snapshot of the image are in both.
- **Memory** is the proportional set size (PSS) of a container's processes and of its shim's, divided by the number of
  containers, once all of them wait. What several processes share counts once. The snapshotter is `native`, which copies the
  image, so that containers of runc share no page of the program.

On a machine that does other work, ratios of times differ by up to 0.2 between two runs; those of memory don't.

";

/// Containers at once, and rounds.
const ROUNDS: [(usize, usize); 3] = [(1, 9), (10, 5), (50, 3)];
const BUILDS: [Runtime; 3] = [Runtime::Shim, Runtime::Unpatched, Runtime::Runc];

/// Takes all figures, and writes the tables.
pub(crate) fn write(programs: &Path) -> ExitCode {
    match try_write(programs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn try_write(programs: &Path) -> Result<(), String> {
    if cfg!(debug_assertions) {
        return Err("figures need `--release`".to_owned());
    }
    variants::build_unpatched(programs.parent().ok_or("the shim is in no directory")?)?;
    let suite = Suite::start(programs, &[])?;
    suite.native.clone()?;
    let made_on = results::made_on();
    // Not counted: everything is read from the disk for the first time.
    for by in BUILDS {
        round(&suite, by, 1)?;
    }
    let mut table = HEAD.to_owned() + &made_on;
    table += "\n\n| at once | | this shim | unpatched | runc | this shim / unpatched | this shim / runc |\n";
    table += "|--:|---|--:|--:|--:|--:|--:|\n";
    for (at_once, rounds) in ROUNDS {
        let mut taken: [Vec<Round>; 3] = Default::default();
        for _ in 0..rounds {
            for (by, taken) in BUILDS.into_iter().zip(&mut taken) {
                taken.push(round(&suite, by, at_once)?);
            }
        }
        let each = |of: fn(&Round) -> Vec<f64>| {
            taken
                .each_ref()
                .map(|rounds| median(rounds.iter().flat_map(of).collect()))
        };
        add_row(
            &mut table,
            at_once,
            "first output, ms",
            each(|round| round.first.clone()),
        );
        add_row(
            &mut table,
            at_once,
            "all, ms",
            each(|round| vec![round.first.iter().copied().fold(0.0, f64::max)]),
        );
        add_row(
            &mut table,
            at_once,
            "memory of a container's process, MiB",
            each(|round| vec![round.container]),
        );
        add_row(
            &mut table,
            at_once,
            "memory of its shim, MiB",
            each(|round| vec![round.shim]),
        );
    }
    results::write("Figures", &table).map_err(|error| error.to_string())?;
    print!("{table}");
    Ok(())
}

fn add_row(table: &mut String, at_once: usize, what: &str, [shim, unpatched, runc]: [f64; 3]) {
    let _ = writeln!(
        table,
        "| {at_once} | {what} | {shim:.1} | {unpatched:.1} | {runc:.1} | {:.2} | {:.2} |",
        shim / unpatched,
        shim / runc
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Containers that were started at once.
struct Round {
    /// Milliseconds to the first output, of each container.
    first: Vec<f64>,
    /// MiB for each container.
    container: f64,
    shim: f64,
}

fn round(suite: &Suite, by: Runtime, at_once: usize) -> Result<Round, String> {
    let program: &[&str] = match by {
        Runtime::Runc => &["/native", "ready"],
        _ => &["/ready.wasm"],
    };
    let started = thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once)
            .map(|_| scope.spawn(|| start(suite, by, program)))
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    // Until freed memory is given back.
    thread::sleep(Duration::from_millis(500));
    let ids: Vec<&str> = started.iter().map(|started| started.id.as_str()).collect();
    let (container, shim) = memory(suite, &ids);
    let first = started
        .iter()
        .map(|started| started.first.as_secs_f64() * 1000.0)
        .collect();
    for started in started {
        started.end(suite);
    }
    if container == 0.0 || shim == 0.0 {
        return Err(format!("the processes of {by:?} weren't found"));
    }
    let of_each = |kib: f64| kib / 1024.0 / at_once as f64;
    Ok(Round {
        first,
        container: of_each(container),
        shim: of_each(shim),
    })
}

struct Started {
    id: String,
    child: Child,
    first: Duration,
}

fn start(suite: &Suite, by: Runtime, program: &[&str]) -> Result<Started, String> {
    let id = name();
    let mut command = suite.command_by(by, &[], &id, program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let begin = Instant::now();
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        let read = BufReader::new(output).read_line(&mut line);
        read.map_err(|error| error.to_string())?;
    }
    let first = begin.elapsed();
    match line.as_str() {
        "ready\n" => Ok(Started { id, child, first }),
        _ => Err(format!("a container of {by:?} printed `{line}`")),
    }
}

impl Started {
    fn end(mut self, suite: &Suite) {
        suite
            .daemon
            .ctr(["task", "kill", "--signal", "KILL", &self.id]);
        let _ = self.child.wait();
    }
}

/// The KiB of the containers' processes, and of their shims.
fn memory(suite: &Suite, ids: &[&str]) -> (f64, f64) {
    let socket = suite.daemon.socket();
    let socket = socket.to_str().expect("the path is UTF-8");
    let (mut containers, mut shims) = (0.0, 0.0);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let read = |name: &str| text(&fs::read(entry.path().join(name)).unwrap_or_default());
        let Some(size) = proportional(&read("smaps_rollup")) else {
            continue;
        };
        let group = read("cgroup");
        let of = |id: &&str| group.lines().any(|line| line.ends_with(&format!("/{id}")));
        let line = read("cmdline");
        if ids.iter().any(of) {
            containers += size;
        } else if line.contains("containerd-shim") && line.contains(socket) {
            shims += size;
        }
    }
    (containers, shims)
}

/// The proportional set size.
fn proportional(sizes: &str) -> Option<f64> {
    let line = sizes.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
