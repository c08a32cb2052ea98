//! The module that a command is about, on the command line.

use std::path::PathBuf;

use clap::Args;
use wasix_landlock_profile::Compiler;

use crate::grants::Given;

/// A module, with its grants and arguments.
#[derive(Args, Debug, Clone)]
pub struct Program {
    /// The module's grants.
    #[command(flatten)]
    pub given: Given,
    /// The compiler of the module.
    #[arg(long, value_name = "cranelift|singlepass", default_value_t)]
    pub compiler: Compiler,
    /// The module, in binary or text form.
    pub module: PathBuf,
    /// The module's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}
