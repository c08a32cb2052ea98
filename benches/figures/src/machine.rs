//! The machine that a run was taken on.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The machine that a run was taken on, and what ran there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// The day, in UTC.
    pub taken: String,
    /// As `uname -r` has it.
    pub kernel: String,
    /// The processor's name.
    pub processor: String,
    /// The number of processors.
    pub processors: usize,
    /// GiB.
    pub memory: f64,
    /// The file system that the files were on.
    pub file_system: String,
    /// Programs and their versions.
    pub versions: Vec<String>,
    /// The time of the whole run, in seconds, if it is known.
    pub took: Option<f64>,
    /// Few samples of few things: to see that it works, not what it gives.
    pub short: bool,
    /// Processes that were ready to run when it began, beside it: others' work. Missing in figures from before
    /// it was looked at.
    pub load: Option<f64>,
}

impl Machine {
    /// This machine, with the files in `directory`.
    pub fn here(directory: &Path, versions: Vec<String>, short: bool) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
        };
        let kilobytes = field(&read("/proc/meminfo"), "MemTotal")
            .and_then(|value| value.split(' ').next()?.parse::<f64>().ok());
        let load = read("/proc/loadavg");
        Self {
            taken: output("date", &["--utc", "+%Y-%m-%d"]),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory: kilobytes.unwrap_or_default() / f64::from(1 << 20),
            file_system: file_system(directory),
            versions,
            took: None,
            short,
            load: load.split(' ').next().and_then(|load| load.parse().ok()),
        }
    }

    /// In words.
    pub fn describe(&self) -> String {
        let mut text = format!(
            "Taken on {} with Linux {}, {} processors of an {}, {:.0} GiB, files on {}; {}.",
            self.taken,
            self.kernel,
            self.processors,
            self.processor,
            self.memory,
            self.file_system,
            self.versions.join(", "),
        );
        if let Some(took) = self.took {
            text += &format!(" It took {:.0} minutes.", took / 60.0);
        }
        if let Some(load) = self.load {
            text += &format!(" The load was {load:.1} when it began.");
        }
        if self.short {
            text += " **A short run, with few samples: its figures say little.**";
        }
        text
    }
}

/// A directory in memory if there is one, so that a disk doesn't hide what is measured; else the system's for
/// temporary files.
pub fn fastest_file_system() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    if tempfile::tempdir_in(memory).is_ok() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// The kind of the file system that a directory is on, as `stat` names it.
pub fn file_system(directory: &Path) -> String {
    let directory = directory.display().to_string();
    // `stat` has one name for ext2, ext3 and ext4.
    let table = output("df", &["--output=fstype", &directory]);
    table.lines().last().unwrap_or_default().to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}
