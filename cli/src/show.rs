//! `show`: the restriction, without a run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::{Compiler, Profile};
use wasmer_wasix::landlock::Report;
use wasmer_wasix::runners::wasi::RuntimeOrEngine;

use crate::grants::Given;
use crate::output::print_json;
use crate::runner;

/// Shows what `run` with the same options would grant and enforce. Makes no file.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wasix-landlock show --profile policy.toml
  wasix-landlock show --dir /srv/data::data:ro --json | jq '.preopens'")]
pub struct Show {
    /// The module's grants.
    #[command(flatten)]
    given: Given,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    /// The module, which isn't needed: the options of a `run` can be shown as they are.
    module: Option<PathBuf>,
    /// The module's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Show {
    /// Prints the report.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let report = report(&self.given.profile(&self.arguments)?)?;
        match self.json {
            true => print_json(&report)?,
            false => print!("{report}"),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The report of what a profile would have the kernel enforce.
///
/// # Errors
/// A grant that can't be enforced, such as one of a missing directory.
pub fn report(profile: &Profile) -> anyhow::Result<Report> {
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let engine = engine(Compiler::default());
    let runtime = runner::runtime(&profile.network, &engine, tokio.handle().clone());
    runner::runner(profile)?.landlock_show(RuntimeOrEngine::Runtime(runtime))
}
