//! `imports`: the functions that a module can call, and the groups that its profile has to allow.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::{Compiler, Group, Groups};
use wasmer_wasix::profile::{self, Import, ImportTable};

use crate::module;
use crate::output::print_json;

/// Lists what a module imports, by group. A module can call nothing else; it need not call all of them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wasix-landlock imports module.wasm
  wasix-landlock imports --json module.wasm | jq '.needs'")]
pub struct Imports {
    /// Prints the imports as JSON.
    #[arg(long)]
    json: bool,
    /// The module, in binary or text form.
    module: PathBuf,
}

/// The imports of a module, for programs.
#[derive(Serialize)]
struct Listed<'a> {
    imports: Vec<Imported<'a>>,
    /// The groups that the module imports from.
    needs: Vec<&'static str>,
    /// The groups that a profile has to allow, since they are off unless it does.
    to_allow: Vec<&'static str>,
}

#[derive(Serialize)]
struct Imported<'a> {
    module: &'a str,
    name: &'a str,
    is_wasi: bool,
    group: Option<&'static str>,
}

impl Imports {
    /// Prints the imports.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let bytes = module::read(&self.module)?;
        // The one that compiles faster: nothing is run.
        let module = module::compile(&engine(Compiler::Singlepass), &self.module, &bytes)?;
        let imports = profile::imports(&module);
        let to_allow = names(to_allow(&imports, &Groups::default()));
        if self.json {
            let listed = Listed {
                imports: imports.iter().map(Imported::from).collect(),
                needs: names(groups(&imports)),
                to_allow,
            };
            print_json(&listed)?;
        } else {
            print!("{}", ImportTable::of(&module));
            match &to_allow[..] {
                [] => println!("a profile has to allow: nothing"),
                groups => println!(
                    "a profile has to allow: {} (--allow GROUP)",
                    groups.join(", ")
                ),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl<'a> From<&'a Import> for Imported<'a> {
    fn from(import: &'a Import) -> Self {
        Self {
            module: &import.module,
            name: &import.name,
            is_wasi: import.is_wasi,
            group: import.group.map(Group::name),
        }
    }
}

fn groups(imports: &[Import]) -> BTreeSet<Group> {
    imports.iter().filter_map(|import| import.group).collect()
}

/// The groups that are imported from and not allowed.
pub fn to_allow(imports: &[Import], allowed: &Groups) -> BTreeSet<Group> {
    let mut groups = groups(imports);
    groups.retain(|group| !allowed.allows(*group));
    groups
}

fn names(groups: BTreeSet<Group>) -> Vec<&'static str> {
    groups.into_iter().map(Group::name).collect()
}
