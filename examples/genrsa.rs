//! The research poster's program: an RSA key generator that may write one file, and nothing else.
//!
//! ```text
//! cargo run --release --example genrsa
//! ```
//!
//! It makes `keys/key.pem`, lets the host's OpenSSL check the key, and then shows what the kernel refuses:
//! the same attempts, made by the host process itself in the place of a runtime that was taken over, once
//! with the fork's switch on *off* and once as it is by default.
#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use clap::Parser;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;
use wasmer::{Module, Store};
use wasmer_wasix::landlock::{MODE_VARIABLE, WasiState, exit_code, with_causes};

/// Fails to compile if cargo passed over the patch lines: then nothing would be enforced.
const _: &str = wasmer_wasix::landlock::FORK;

/// The guest; its source and how it is built are beside it.
const GENRSA: &[u8] = include_bytes!("guests/genrsa.wasm");
const KEY: &str = "keys/key.pem";
const NEIGHBOUR: &str = "keys/neighbour.pem";
const BESIDE: &str = "keys/new.pem";

/// Generates an RSA key in a module that the kernel lets write one file.
#[derive(Parser)]
struct Arguments {
    /// The compiler of the module.
    #[arg(long, value_name = "cranelift|singlepass", default_value_t)]
    compiler: Compiler,
    /// Prints the whole report.
    #[arg(long)]
    report: bool,
    /// Does the work in this process, and prints one line an attempt.
    #[arg(long, hide = true)]
    child: bool,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    let arguments = Arguments::parse();
    let done = if arguments.child {
        child(&arguments)
    } else {
        parent(&arguments)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("genrsa: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Generates the key under enforcement, then makes the attempts.
fn child(arguments: &Arguments) -> anyhow::Result<()> {
    let engine = engine(arguments.compiler);
    let module = Module::new(&engine, GENRSA)?;
    let mut store = Store::new(engine.clone());

    // The poster's own lines, borrow and all.
    #[allow(clippy::needless_borrows_for_generic_args)]
    let builder = WasiState::new("genrsa-wasi")
        .args(&["genrsa", "-out", "keys/key.pem", "2048"])
        .preopen(|p| p.path("keys/key.pem").read(false).write(true).create(true))?
        .engine(engine);
    let tell_all = arguments.report;
    let builder = builder.on_enforced(move |report| {
        if tell_all {
            eprintln!("{report}");
        }
    });
    let (instance, env) = builder.instantiate(module, &mut store)?;
    let start = instance.exports.get_function("_start")?;
    let ended = start.call(&mut store, &[]);
    env.on_exit(&mut store, None);
    if let Err(error) = ended {
        let error = anyhow::Error::from(wasmer_wasix::WasiRuntimeError::from(error));
        if exit_code(&error) != Some(0) {
            return Err(error).context("the module failed");
        }
    }
    for (name, attempt) in ATTEMPTS {
        match attempt() {
            Ok(()) => println!("{name}\tdone"),
            Err(error) => println!("{name}\trefused: {error}"),
        }
    }
    Ok(())
}

/// Something that nobody granted.
type Attempt = (&'static str, fn() -> io::Result<()>);

const ATTEMPTS: [Attempt; 4] = [
    ("read keys/neighbour.pem", || read(NEIGHBOUR)),
    ("read /etc/passwd", || read("/etc/passwd")),
    ("create keys/new.pem", || {
        fs::File::create_new(BESIDE).map(drop)
    }),
    ("read keys/key.pem, granted for writing only", || read(KEY)),
];

fn read(path: &str) -> io::Result<()> {
    let mut byte = [0];
    fs::File::open(path)?.read(&mut byte).map(drop)
}

/// Runs the child twice, and shows both results side by side.
fn parent(arguments: &Arguments) -> anyhow::Result<()> {
    fs::create_dir_all("keys").context("can't make the directory `keys`")?;
    fs::write(NEIGHBOUR, "somebody else's key\n")?;
    let off = attempts(arguments, "off")?;
    remove_if_there(BESIDE)?;
    remove_if_there(KEY)?;
    let enforced = attempts(arguments, "enforce")?;

    let key = fs::read_to_string(KEY)?;
    println!(
        "{KEY}: {} bytes, {}",
        key.len(),
        key.lines().next().unwrap_or_default()
    );
    check_key()?;

    println!("\nWhat the process itself could do after the module ran:\n");
    println!("{:<46}{:<16}enforced", "", "without");
    let mut leaks = Vec::new();
    for ((name, without), (_, with)) in off.iter().zip(&enforced) {
        println!("{name:<46}{without:<16}{with}");
        if without != "done" {
            bail!(
                "`{name}` fails without enforcement too, so its refusal shows nothing: {without}"
            );
        }
        if !with.starts_with("refused") {
            leaks.push(name.as_str());
        }
    }
    remove_if_there(NEIGHBOUR)?;
    if !leaks.is_empty() {
        bail!("not refused: {}", leaks.join(", "));
    }
    Ok(())
}

fn attempts(arguments: &Arguments, mode: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--child", "--compiler", arguments.compiler.name()])
        .env(MODE_VARIABLE, mode)
        .stderr(std::process::Stdio::inherit());
    if arguments.report && mode == "enforce" {
        command.arg("--report");
    }
    let output = command.output()?;
    if !output.status.success() {
        bail!(
            "the run with {MODE_VARIABLE}={mode} failed: {}",
            output.status
        );
    }
    let lines = String::from_utf8(output.stdout)?;
    let attempts: Vec<_> = lines
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, result)| (name.to_owned(), result.to_owned()))
        .collect();
    if attempts.len() != ATTEMPTS.len() {
        bail!(
            "the run with {MODE_VARIABLE}={mode} made {} attempts",
            attempts.len()
        );
    }
    Ok(attempts)
}

fn check_key() -> anyhow::Result<()> {
    let checked = Command::new("openssl")
        .args(["rsa", "-check", "-noout", "-in", KEY])
        .output();
    match checked {
        Ok(output) if output.status.success() => {
            println!(
                "openssl rsa -check: {}",
                String::from_utf8_lossy(&output.stdout).trim()
            );
            Ok(())
        }
        Ok(output) => bail!(
            "openssl rsa -check: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("openssl rsa -check: not checked, the host has no `openssl`");
            Ok(())
        }
        Err(error) => Err(error).context("can't run openssl"),
    }
}

fn remove_if_there(path: impl AsRef<Path>) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
