//! The process of a server, seen from outside.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::memory::Memory;

/// The kernel's unit of processor time in `/proc`, which is the same on all architectures that this runs on.
const TICKS_IN_A_SECOND: f64 = 100.0;

/// A server that runs until this is dropped.
pub struct Server {
    child: Child,
    /// The address that the server listens on.
    pub address: String,
}

/// The resources that a server holds at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Proportional set size, in MiB.
    pub memory: f64,
    /// Threads.
    pub threads: usize,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Server {
    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// A server that ends before it does.
    pub fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("can't start {command:?}"))?;
        let output = child.stdout.take().context("no pipe")?;
        let mut server = Self {
            child,
            address: String::new(),
        };
        BufReader::new(output).read_line(&mut server.address)?;
        server.address.truncate(server.address.trim_end().len());
        ensure!(!server.address.is_empty(), "{command:?} didn't listen");
        Ok(server)
    }

    /// The processor time that it and its ended children have used, in seconds.
    ///
    /// # Errors
    /// An entry that `/proc` lacks.
    pub fn processor_time(&self) -> anyhow::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in brackets, may have spaces; `utime` is the twelfth field after it.
        let (_, fields) = text.rsplit_once(')').context("no name")?;
        let ticks = fields.split_whitespace().skip(11).take(4);
        let ticks: Result<Vec<f64>, _> = ticks.map(str::parse).collect();
        Ok(ticks?.iter().sum::<f64>() / TICKS_IN_A_SECOND)
    }

    /// Returns the resources that the server holds now.
    ///
    /// # Errors
    /// An entry that `/proc` lacks.
    pub fn held(&self) -> anyhow::Result<Held> {
        let id = self.child.id().to_string();
        let count =
            |what| Ok::<_, anyhow::Error>(fs::read_dir(format!("/proc/{id}/{what}"))?.count());
        Ok(Held {
            memory: Memory::of(&id)?.read()?,
            threads: count("task")?,
            descriptors: count("fd")?,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
