//! The cost of `build()` with more and more preopens, and in processes with more and more threads.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wasix_landlock_benches::{Column, Samples, Table};
use wasix_landlock_examples::offline_runtime;
use wasmer_wasix::WasiEnv;

use super::{About, most_descriptors, sample, table};
use crate::context::Context;
use crate::memory::Memory;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;

const PREOPENS: [usize; 5] = [1, 10, 100, 1000, 10_000];
/// Threads of the process, with the one that builds.
const THREADS: [usize; 4] = [1, 8, 64, 200];

/// The time for which threads that end by themselves are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The descriptors of a sample that are no preopen's.
const OTHERS: usize = 64;

/// Takes all samples.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Vec<Table>> {
    let most = if context.short { 100 } else { 10_000 };
    let mut preopens = PREOPENS.to_vec();
    preopens.retain(|count| *count <= most);
    make(context, most)?;
    if let Some(limit) = most_descriptors() {
        for count in &preopens {
            if count + OTHERS > limit {
                let reason =
                    format!("the hard limit of open files is {limit}, and each preopen is one");
                context.skip(&format!("scale, {count} preopens"), &reason);
            }
        }
        preopens.retain(|count| count + OTHERS <= limit);
    }
    let (mut by_preopens, mut by_threads) = (Samples::default(), Samples::default());
    for round in 0..context.samples {
        let rows = preopens.iter().map(|count| (*count, 1, true));
        let rows = rows.chain(THREADS.iter().map(|count| (10, *count, false)));
        for (preopens, threads, is_preopens) in rows {
            context.say(&format!(
                "scale: round {} of {}: {preopens} preopens, {threads} threads",
                round + 1,
                context.samples
            ));
            let arguments = [preopens.to_string(), threads.to_string()];
            let (samples, row) = if is_preopens {
                (&mut by_preopens, &arguments[0])
            } else {
                (&mut by_threads, &arguments[1])
            };
            for (time, memory, enforced) in [
                ("fork", "fork: memory", false),
                ("enforced", "enforced: memory", true),
            ] {
                let (took, mebibytes) = self::sample(context, "preopens", enforced, &arguments)?;
                samples.add(row, time, took);
                samples.add(row, memory, mebibytes);
            }
        }
    }
    let columns = [
        Column::new("fork", "ms"),
        Column::new("enforced", "ms"),
        Column::new("fork: memory", "MiB"),
        Column::new("enforced: memory", "MiB"),
    ];
    let drawn: &[&str] = &["fork", "enforced"];
    let preopens_about = About {
        id: "preopens",
        title: "Preopens",
        text: "`build()` with so many preopened directories, in a process of one thread; and the process's memory \
               after it.",
        head: "preopens",
        drawn: ("Time of `build()` by preopens (both logarithmic)", drawn),
    };
    let threads_about = About {
        id: "threads",
        title: "Threads",
        text: "`build()` with ten preopens in a process with so many threads: each is visited, restricts itself and \
               proves it (before Linux 7.0).",
        head: "threads",
        drawn: ("Time of `build()` by threads (both logarithmic)", drawn),
    };
    Ok(vec![
        table(&preopens_about, &preopens, &columns, &by_preopens),
        table(&threads_about, &THREADS, &columns, &by_threads),
    ])
}

/// Makes the directories of so many preopens.
///
/// # Errors
/// An error of the file system.
pub fn make(context: &Context, count: usize) -> anyhow::Result<()> {
    let files = context.work.join("preopens");
    for number in 0..count {
        std::fs::create_dir_all(directory(&files, number))?;
    }
    Ok(())
}

/// Builds once.
///
/// # Errors
/// What `build()` says.
pub fn take_sample(preopens: usize, threads: usize, work: &Path) -> anyhow::Result<()> {
    // No thread but those that are asked for.
    let tokio = tokio::runtime::Builder::new_current_thread().build()?;
    let _entered = tokio.enter();
    let memory = Memory::of("self")?;
    let engine = engine(Compiler::Singlepass);
    let mut builder =
        WasiEnv::builder("sample").runtime(offline_runtime(&engine, tokio.handle().clone()));
    for number in 0..preopens {
        let host = directory(&work.join("preopens"), number);
        builder.add_preopen(|p| p.directory(host).alias(&format!("d{number}")).read(true))?;
    }
    let already = wait_for_ends()?;
    for _ in already..threads {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
    let begun = Instant::now();
    let env = builder.build()?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    println!("[{took}, {}]", memory.read()?);
    drop(env);
    Ok(())
}

/// Waits until the threads have ended that making the engine and its runtime has started, and returns how many are left.
fn wait_for_ends() -> std::io::Result<usize> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let threads = std::fs::read_dir("/proc/self/task")?.count();
        if threads == 1 || Instant::now() > deadline {
            return Ok(threads);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn directory(files: &Path, number: usize) -> PathBuf {
    files.join(format!("d{number}"))
}
