//! The cost of enforcing a policy, without any runtime around it.
//!
//! ```text
//! cargo bench -p wasix-landlock
//! cargo bench -p wasix-landlock -- --against OTHER-BUILD-OF-THIS-PROGRAM --samples 500 10/8
//! ```
//!
//! Each sample is a process of its own, as a process can be restricted once. Rows are PREOPENS/THREADS. The
//! modes, and the other build if there is one, are sampled in turns, so that whatever else the machine does falls
//! on all of them.

fn main() {
    #[cfg(target_os = "linux")]
    linux::main();
}

#[cfg(target_os = "linux")]
#[allow(clippy::unwrap_used)]
mod linux {
    use std::{
        env, fs,
        path::{Path, PathBuf},
        process::Command,
        thread,
        time::Instant,
    };

    use wasix_landlock::{Access, HostKind, HostTarget, Mode, Policy, RecordedPreopen};

    const ROWS: [&str; 12] = [
        "1/1", "1/8", "1/64", "1/200", "10/1", "10/8", "10/64", "10/200", "1000/1", "1000/8",
        "1000/64", "1000/200",
    ];

    pub(super) fn main() {
        let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
        let mut samples = 100;
        let mut programs = vec![("this", env::current_exe().unwrap())];
        let mut rows = Vec::new();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--sample" => return sample(&arguments.collect::<Vec<_>>()),
                "--samples" => samples = arguments.next().unwrap().parse().unwrap(),
                "--against" => programs.push(("other", arguments.next().unwrap().into())),
                row => rows.push(row.to_owned()),
            }
        }
        if rows.is_empty() {
            rows.extend(ROWS.map(str::to_owned));
        }
        let work = tempfile::tempdir().unwrap();
        for number in 0..1000 {
            fs::create_dir(directory(work.path(), number)).unwrap();
        }
        println!(
            "prepare() and enforce(), microseconds: median (least to 90th percentile), {samples} samples\n"
        );
        for row in rows {
            let (preopens, threads) = row.split_once('/').unwrap();
            let mut kinds: Vec<(&str, &str, &Path, Vec<f64>)> = Vec::new();
            for (name, program) in &programs {
                for mode in ["off", "enforce", "hardened"] {
                    kinds.push((name, mode, program, Vec::new()));
                }
            }
            for _ in 0..samples {
                for (_, mode, program, times) in &mut kinds {
                    times.push(run(program, preopens, threads, mode, work.path()));
                }
            }
            print!("{preopens:>5} preopens {threads:>4} threads");
            for (name, mode, _, times) in &mut kinds {
                times.sort_by(f64::total_cmp);
                let at = |part: usize| times[(times.len() - 1) * part / 100];
                print!(
                    "   {name} {mode}: {:.0} ({:.0} to {:.0})",
                    at(50),
                    at(0),
                    at(90)
                );
            }
            println!();
        }
    }

    fn run(program: &Path, preopens: &str, threads: &str, mode: &str, work: &Path) -> f64 {
        let output = Command::new(program)
            .args(["--sample", preopens, threads, mode])
            .arg(work)
            .output()
            .unwrap();
        assert!(output.status.success(), "a sample failed: {output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    /// Enforces once, and prints how long that took, in microseconds.
    fn sample(arguments: &[String]) {
        let [preopens, threads, mode, work] = arguments else {
            panic!("four values are needed");
        };
        let access = Access::READ;
        let preopen = |number| RecordedPreopen {
            guest: format!("/d{number}"),
            origin: "preopen_dir",
            access,
            targets: vec![HostTarget {
                path: directory(work.as_ref(), number),
                kind: HostKind::Directory,
                access,
            }],
        };
        let hardened = mode == "hardened";
        let mode = if hardened {
            Mode::Enforce
        } else {
            mode.parse().unwrap()
        };
        let policy = if hardened {
            Policy::default().harden()
        } else {
            Policy::default()
        }
        .mode(mode)
        .preopens((0..preopens.parse().unwrap()).map(preopen));
        for _ in 1..threads.parse().unwrap() {
            thread::spawn(|| {
                loop {
                    thread::park();
                }
            });
        }
        let begun = Instant::now();
        let report = policy.enforce().unwrap();
        let took = begun.elapsed();
        assert_eq!(report.enforced, mode == Mode::Enforce);
        println!("{}", took.as_secs_f64() * 1e6);
    }

    fn directory(work: &Path, number: usize) -> PathBuf {
        work.join(format!("d{number}"))
    }
}
