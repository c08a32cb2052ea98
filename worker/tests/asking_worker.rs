//! A worker that, as soon as it is restricted, tries to open what its arguments name, in the place of a module
//! that has taken it over. It says on standard error what the kernel answered.
#![forbid(unsafe_code)]

use std::{env, fs, os::unix::fs::MetadataExt, process::ExitCode, thread, time::Duration};

use wasix_landlock_testing::ask;

fn main() -> ExitCode {
    let paths: Vec<String> = env::args().skip(1).collect();
    let off = env::var("WASIX_LANDLOCK").as_deref() == Ok("off");
    // There before the restriction, so that it is swept.
    thread::spawn(move || {
        while !(wasix_landlock::current().is_some() || off && has_begun()) {
            thread::sleep(Duration::from_millis(1));
        }
        for path in paths {
            eprintln!("asked {path}\t{:?}", ask::open_read(&path));
        }
        eprintln!("asked everything");
    });
    wasix_landlock_worker::serve()
}

/// Whether there are more threads than this program's two. Opening anything before would be taken for something
/// inherited.
fn has_begun() -> bool {
    fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() > 4)
}
