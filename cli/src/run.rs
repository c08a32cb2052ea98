//! `run`: a module under enforcement.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use wasix_landlock_engine::limited;
use wasix_landlock_profile::Ceiling;
use wasmer_types::ModuleHash;
use wasmer_wasix::landlock::{Report, exit_code};
use wasmer_wasix::runners::wasi::RuntimeOrEngine;

use crate::program::Program;
use crate::{module, runner};

/// Runs a module; the kernel refuses what isn't named.
#[derive(Args)]
#[command(after_help = "\
Names on the host and inside are separated by `::`, and rights follow a `:`. A colon of a name is written `\\:`, a
backslash `\\\\`: `--dir 'e\\:\\:f:ro'` grants the directory `e::f` for reading.

Examples:
  wasix-landlock run --file keys/key.pem:create openssl.wasm genrsa -out keys/key.pem 2048
  wasix-landlock run --dir /srv/data::data:ro --connect 443 --limit wall-clock-ms=10000 fetch.wasm
  wasix-landlock run --profile policy.toml service.wasm -- --verbose")]
pub struct Run {
    /// The module, with its grants.
    #[command(flatten)]
    program: Program,
    /// Prints what was granted and enforced, to standard error, before the module runs.
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    report: Option<Form>,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For programs, in one line.
    Json,
}

impl Form {
    fn print(self, report: &Report) {
        match self {
            Self::Text => eprintln!("{report}"),
            Self::Json => match serde_json::to_string(report) {
                Ok(text) => eprintln!("{text}"),
                Err(error) => eprintln!("wasix-landlock: the report has no form in JSON: {error}"),
            },
        }
    }
}

impl Run {
    /// Runs the module, and returns its exit code.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let Program {
            given,
            compiler,
            module: path,
            arguments,
        } = &self.program;
        let bytes = module::read(path)?;
        let profile = given.profile(arguments)?;
        let limits = Ceiling::limits_from_env(&profile.limits)?;
        let engine = limited(*compiler, &limits);
        let module = module::compile(&engine, path, &bytes)?;
        let mut runner = runner::runner(&profile)?;
        if let Some(form) = self.report {
            runner.with_on_enforced(move |report| form.print(report));
        }
        let tokio = tokio::runtime::Runtime::new()?;
        let _entered = tokio.enter();
        let runtime = runner::runtime(&profile.network, &engine, tokio.handle().clone());
        runner::watch(&limits)?;
        let name = path.file_stem().unwrap_or_default();
        let ended = runner.run_wasm(
            RuntimeOrEngine::Runtime(runtime),
            &name.to_string_lossy(),
            module,
            ModuleHash::new(&bytes),
        );
        match ended {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) => match exit_code(&error) {
                // A process has eight bits for it, as the shell's `$?` shows.
                Some(code) => Ok(ExitCode::from(code as u8)),
                None => Err(error),
            },
        }
    }
}
