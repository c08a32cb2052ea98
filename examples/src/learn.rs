//! The options of `run` besides running: showing the restriction, and learning the needs of a program.

use anyhow::Result;
use clap::Args;
use wasmer_wasix::landlock::Learning;
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};

/// Instead of enforcing.
#[derive(Debug, Clone, Copy, Args)]
pub struct Instead {
    /// Shows what would be enforced, instead of running the module. Makes no file.
    #[arg(long, conflicts_with = "learn")]
    show: bool,
    /// Runs a module that is trusted WITHOUT ENFORCEMENT, and prints to standard error the least that it needs.
    /// It may use what is named by `dir` and `file`, or else the current directory; what it looks for elsewhere is told,
    /// to be named the next time.
    #[arg(long)]
    learn: bool,
}

impl Instead {
    /// Shows what a runner would enforce, if that is asked for. Whether it was.
    pub fn shown(self, runner: &WasiRunner, runtime: RuntimeOrEngine) -> Result<bool> {
        if self.show {
            print!("{}", runner.landlock_show(runtime)?);
        }
        Ok(self.show)
    }

    /// Has the runner learn, if that is asked for; `narrow` says that something is preopened already.
    pub fn learn(self, runner: &mut WasiRunner, narrow: bool) -> Result<Option<Learning>> {
        if !self.learn {
            return Ok(None);
        }
        if !narrow {
            runner.with_preopen(|p| p.directory(".").alias(".").read(true).create(true))?;
        }
        let learning = Learning::new();
        runner.with_learning(&learning);
        Ok(Some(learning))
    }
}
