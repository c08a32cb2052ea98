//! `explain`: the reason why a path is allowed or refused.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use wasmer_wasix::landlock::{Access, Explanation, Verdict};

use crate::grants::Given;
use crate::output::print_json;
use crate::{show, yes};

/// Explains why paths of the host would be allowed or refused under these grants. Opens and changes nothing.
#[derive(Args)]
#[command(after_help = "\
The exit code is 0 if every access is granted, and 1 if one is refused.

Examples:
  wasix-landlock explain --profile policy.toml /etc/passwd
  wasix-landlock explain --dir data:ro data/report.txt --access write")]
pub struct Explain {
    /// The module's grants.
    #[command(flatten)]
    given: Given,
    /// The accesses that are asked for; without, each of them.
    #[arg(long, value_enum, value_name = "ACCESS")]
    access: Vec<Asked>,
    /// Prints the explanations as JSON.
    #[arg(long)]
    json: bool,
    /// Paths of the host.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// An access to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asked {
    /// Read the file, or list the directory.
    Read,
    /// Change or remove the file, or entries of the directory.
    Write,
    /// Make the file, or entries of the directory.
    Create,
}

impl From<Asked> for Access {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Read => Self::READ,
            Asked::Write => Self::WRITE,
            Asked::Create => Self::CREATE,
        }
    }
}

/// An explanation, for programs.
#[derive(Serialize)]
struct Explained {
    path: String,
    resolved: String,
    access: String,
    allowed: bool,
    /// The grant that allows it, or that comes nearest.
    grant: Option<String>,
    missing: Vec<String>,
    text: String,
}

impl From<&Explanation> for Explained {
    fn from(explanation: &Explanation) -> Self {
        let (grant, missing) = match &explanation.verdict {
            Verdict::Granted { by } => (Some(by.to_string()), &[][..]),
            Verdict::Replaced { was, missing } => (Some(was.to_string()), &missing[..]),
            Verdict::NotGranted {
                nearest, missing, ..
            } => (nearest.as_ref().map(ToString::to_string), &missing[..]),
            _ => (None, &[][..]),
        };
        Self {
            path: explanation.path.to_string_lossy().into_owned(),
            resolved: explanation.resolved.to_string_lossy().into_owned(),
            access: explanation.access.to_string(),
            allowed: !explanation.is_denied(),
            grant,
            missing: missing
                .iter()
                .map(|right| right.name().to_owned())
                .collect(),
            text: explanation.to_string(),
        }
    }
}

impl Explain {
    /// Prints the explanations.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let report = show::report(&self.given.profile(&[])?)?;
        let asked = match &self.access[..] {
            [] => Asked::value_variants(),
            asked => asked,
        };
        let mut explanations: Vec<Explanation> = Vec::new();
        for path in &self.paths {
            let explain = |access: &Asked| report.explain(path, Access::from(*access));
            explanations.extend(asked.iter().map(explain));
        }
        if self.json {
            let explained: Vec<Explained> = explanations.iter().map(Explained::from).collect();
            print_json(&explained)?;
        } else {
            for explanation in &explanations {
                println!("{explanation}");
            }
        }
        Ok(yes(!explanations.iter().any(Explanation::is_denied)))
    }
}
