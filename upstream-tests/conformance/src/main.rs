//! Runs WebAssembly/wasi-testsuite's preview 1 modules on the fork, under enforcement, and prints or checks
//! the table of results.
#![forbid(unsafe_code)]

mod suite;
mod table;

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, ensure};
use suite::{Directory, Interface, Suite, run_all};
use wasix_landlock_profile::Compiler;
use wasmer_wasix::WasiEnvBuilder;

const USAGE: &str = "\
usage: wasix-landlock-conformance            run all modules, print the results, write RESULTS.md
       wasix-landlock-conformance --check    run all modules, and fail if RESULTS.md says something else
       wasix-landlock-conformance NAME...    run the modules whose name contains one of these";

fn main() -> ExitCode {
    if let Some(code) = suite::child(grant) {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder with the suite's pin and the table. A package for another version of Wasmer compiles this file too.
const FOLDER: &str = match option_env!("WASIX_LANDLOCK_CONFORMANCE") {
    Some(folder) => folder,
    None => env!("CARGO_MANIFEST_DIR"),
};

/// The interfaces and compilers that are tried, and the heads of their columns.
const COLUMNS: [(Interface, Compiler, &str); 4] = [
    (Interface::Mapped, Compiler::Cranelift, "fork, same program"),
    (
        Interface::Confined,
        Compiler::Cranelift,
        "fork, without virtual root",
    ),
    (Interface::Preopen, Compiler::Cranelift, "fork, cranelift"),
    (Interface::Preopen, Compiler::Singlepass, "fork, singlepass"),
];

/// Preopens with all rights, as the suite's own runner does.
fn preopen(
    mut builder: WasiEnvBuilder,
    directories: &[Directory<'_>],
) -> anyhow::Result<WasiEnvBuilder> {
    // As preview 1 has it: nothing but the preopens.
    builder.set_virtual_root(false);
    for Directory { host, guest } in directories {
        builder.add_preopen(|p| {
            p.directory(host)
                .alias(guest)
                .read(true)
                .write(true)
                .create(true)
        })?;
    }
    Ok(builder)
}

/// Hands the directories over, and sees to it that the kernel enforces them.
fn grant(
    interface: Interface,
    mut builder: WasiEnvBuilder,
    directories: &[Directory<'_>],
    outside: &Path,
) -> anyhow::Result<WasiEnvBuilder> {
    let builder = match interface {
        Interface::Mapped => suite::map(builder, directories)?,
        Interface::Confined => {
            builder.set_virtual_root(false);
            suite::map(builder, directories)?
        }
        Interface::Preopen => preopen(builder, directories)?,
    };
    let outside = outside.to_owned();
    ensure!(
        File::open(&outside).is_ok(),
        "the module's file can't be read, so its refusal shows nothing"
    );
    // A module that enforcement would have stopped must not pass because there was none.
    let refused = move || {
        File::open(&outside).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    Ok(builder.on_enforced(move |report| {
        if !report.enforced || !refused() {
            eprintln!("nothing is enforced: {report}");
            std::process::exit(126);
        }
    }))
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (check, names) = match arguments {
        [] => (false, arguments),
        [option] if option == "--check" => (true, &arguments[1..]),
        [option, ..] if option.starts_with('-') => bail!(USAGE),
        _ => (false, arguments),
    };
    let folder = Path::new(FOLDER);
    let suite = Suite::unpack(folder)?;
    let mut cases = suite.cases.clone();
    cases.retain(|case| names.is_empty() || names.iter().any(|name| case.name.contains(name)));
    let program = std::env::current_exe()?;
    let mut columns = Vec::new();
    for (interface, compiler, head) in COLUMNS {
        let results = run_all(&cases, &program, interface, compiler);
        let mut passed = Vec::new();
        for (case, result) in cases.iter().zip(results) {
            if let Err(error) = &result {
                println!("{}, {head}: {error:#}", case.name);
            }
            passed.push(result.is_ok());
        }
        let count = passed.iter().filter(|passed| **passed).count();
        println!("{head}: {count} of {} pass", cases.len());
        columns.push((head, passed));
    }
    if !names.is_empty() {
        ensure!(!cases.is_empty(), "no module has such a name");
        let failed = columns.iter().any(|(_, passed)| passed.contains(&false));
        ensure!(!failed, "not all of them pass");
        return Ok(());
    }
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    table::update(folder, &names, &columns, check)
}
