//! The memory of processes.

use std::fs::File;
use std::io::Read as _;

use anyhow::Context as _;

/// The memory of a process that is its own, in MiB: what it shares with others counts by their number.
pub struct Memory(File);

impl Memory {
    /// Of this process (`self`), or of another one. Opened before anything is restricted.
    ///
    /// # Errors
    /// A process that isn't there.
    pub fn of(process: &str) -> anyhow::Result<Self> {
        Ok(Self(File::open(format!("/proc/{process}/smaps_rollup"))?))
    }

    /// Now; can be asked once.
    ///
    /// # Errors
    /// An entry that `/proc` lacks.
    pub fn read(mut self) -> anyhow::Result<f64> {
        let mut text = String::new();
        self.0.read_to_string(&mut text)?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        let kilobytes: f64 = kilobytes.context("no Pss")?.parse()?;
        Ok(kilobytes / 1024.0)
    }
}
