//! Load from outside, by the program `wrk`.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::own;

/// The figures of `wrk`.
#[derive(Debug, Deserialize)]
pub struct Load {
    /// Requests with an answer, also one that says that it failed.
    pub requests: u64,
    /// The time in which they were.
    pub microseconds: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Half of the answers took less, in microseconds.
    pub median: f64,
    /// A hundredth of the answers took more.
    pub p99: f64,
    /// A thousandth of the answers took more.
    pub p999: f64,
}

impl Load {
    /// Asks for so many seconds through so many connections, each of which waits for its answer before it asks again.
    ///
    /// # Errors
    /// A server of which no request is answered, and what `wrk` says.
    pub fn put(address: &str, connections: usize, seconds: u64) -> anyhow::Result<Self> {
        let output = Command::new("wrk")
            .args(["--threads", "1", "--timeout", "60s", "--latency"])
            .args(["--connections", &connections.to_string()])
            .args(["--duration", &format!("{seconds}s")])
            .arg("--script")
            .arg(own("all/server/latency.lua"))
            .arg(format!("http://{address}/"))
            .stderr(Stdio::inherit())
            .output()
            .context("can't start wrk")?;
        ensure!(output.status.success(), "wrk: {}", output.status);
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().rfind(|line| line.starts_with('{'));
        let load: Self = serde_json::from_str(line.context("wrk measured nothing")?)?;
        ensure!(
            load.requests > load.failed,
            "all of {} requests failed",
            load.failed
        );
        Ok(load)
    }

    /// Requests in a second.
    pub fn rate(&self) -> f64 {
        (self.requests - self.failed) as f64 / (self.microseconds as f64 / 1e6)
    }
}

/// The reason for which this machine can make no load.
pub fn missing() -> Option<&'static str> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&paths).any(|path: std::path::PathBuf| has_wrk(&path));
    (!there).then_some("wrk isn't installed (`apt-get install wrk`)")
}

fn has_wrk(directory: &Path) -> bool {
    directory.join("wrk").is_file()
}
