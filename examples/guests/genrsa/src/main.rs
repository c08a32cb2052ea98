//! An RSA key generator for WASI preview 1, and a probe of what its host refuses.
//!
//! ```text
//! genrsa [-out PATH] [BITS] [-- ATTEMPT]...
//! probe ATTEMPT [-- ATTEMPT]...
//! ```
//!
//! `genrsa` has the command line of `openssl genrsa` and writes the same kind of file: a PKCS#1 key
//! in PEM. It needs one right only, to create and write PATH: the file is opened write-only with
//! create and truncate, and nothing is ever read.
//!
//! `probe`, or what follows `--`, tries one operation after the other and prints a line for each.
//! A refusal is a result, not a failure: the exit code is 0 once every attempt was made.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

use std::env;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::process::ExitCode;

use rsa::RsaPrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey, LineEnding};
use rsa::rand_core::OsRng;

const USAGE: &str = "\
usage: genrsa [-out PATH] [BITS] [-- ATTEMPT]...
       probe ATTEMPT [-- ATTEMPT]...

genrsa writes a PKCS#1 private key in PEM to PATH, or to standard output.
BITS is from 512 to 8192, 2048 if not given.

An ATTEMPT is one of:
  read PATH        open for reading, and read
  write PATH       open an existing file for writing, change nothing
  create PATH      create a file that doesn't exist
  list PATH        read a directory
  remove PATH      remove a file
  rename FROM TO   rename a file or a directory
  truncate PATH    empty an existing file

Each attempt prints one line: the attempt, a tab, then `ok` or `refused: REASON`.
";

const DEFAULT_BITS: usize = 2048;
const MIN_BITS: usize = 512;
const MAX_BITS: usize = 8192;

/// Exit code when the key could not be made or a result could not be printed.
const FAILED: u8 = 1;
/// Exit code when the command line isn't understood; nothing was tried.
const BAD_USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = env::args_os().skip(1).map(|arg| arg.into_string());
    let command = match args.collect::<Result<Vec<_>, _>>() {
        Ok(args) => Command::parse(&args),
        Err(arg) => Err(format!("not UTF-8: {}", arg.display())),
    };
    match command {
        Ok(command) => match command.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("genrsa: {message}");
                ExitCode::from(FAILED)
            }
        },
        Err(message) => {
            eprint!("genrsa: {message}\n\n{USAGE}");
            ExitCode::from(BAD_USAGE)
        }
    }
}

/// A command line that was understood.
#[derive(Debug, PartialEq)]
enum Command {
    Help,
    Run {
        key: Option<KeyRequest>,
        attempts: Vec<Attempt>,
    },
}

/// The key that `genrsa` is asked for.
#[derive(Debug, PartialEq)]
struct KeyRequest {
    /// The output file; standard output if `None`.
    out: Option<String>,
    bits: usize,
}

/// One operation to try, with the paths as given.
#[derive(Debug, PartialEq)]
enum Attempt {
    Read(String),
    Write(String),
    Create(String),
    List(String),
    Remove(String),
    Rename { from: String, to: String },
    Truncate(String),
}

impl Command {
    /// Understands the arguments after the program's name, or says what is wrong with them.
    fn parse(args: &[String]) -> Result<Self, String> {
        let (subcommand, args) = args.split_first().ok_or("no command given")?;
        let mut parts = args.split(|arg| arg == "--");
        let key = match subcommand.as_str() {
            "genrsa" => Some(KeyRequest::parse(parts.next().unwrap_or_default())?),
            "probe" => None,
            "help" | "-help" | "--help" => return Ok(Self::Help),
            other => return Err(format!("unknown command `{other}`")),
        };
        let attempts = parts.map(Attempt::parse).collect::<Result<_, _>>()?;
        Ok(Self::Run { key, attempts })
    }

    fn run(self) -> Result<(), String> {
        let mut stdout = io::stdout().lock();
        let printed = match self {
            Self::Help => stdout.write_all(USAGE.as_bytes()),
            Self::Run { key, attempts } => {
                if let Some(key) = key {
                    key.make(&mut stdout)?;
                }
                attempts
                    .iter()
                    .try_for_each(|attempt| match attempt.make() {
                        Ok(()) => writeln!(stdout, "{attempt}\tok"),
                        Err(error) => writeln!(stdout, "{attempt}\trefused: {error}"),
                    })
            }
        };
        printed
            .and_then(|()| stdout.flush())
            .map_err(|error| format!("can't write to standard output: {error}"))
    }
}

impl KeyRequest {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut out = None;
        let mut bits = None;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "-out" {
                let path = args.next().ok_or("`-out` needs a path")?;
                if out.replace(path.clone()).is_some() {
                    return Err("`-out` given twice".to_owned());
                }
            } else if arg.starts_with('-') {
                return Err(format!("unknown option `{arg}`"));
            } else {
                let number = arg
                    .parse()
                    .ok()
                    .filter(|bits| (MIN_BITS..=MAX_BITS).contains(bits))
                    .ok_or_else(|| {
                        format!("BITS must be from {MIN_BITS} to {MAX_BITS}, not `{arg}`")
                    })?;
                if bits.replace(number).is_some() {
                    return Err(format!("unexpected argument `{arg}`"));
                }
            }
        }
        Ok(Self {
            out,
            bits: bits.unwrap_or(DEFAULT_BITS),
        })
    }

    /// Makes the key and writes it. The file is opened first: a refusal comes before the long work.
    fn make(&self, stdout: &mut impl Write) -> Result<(), String> {
        let mut file = match &self.out {
            Some(path) => {
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(true);
                let file = options
                    .open(path)
                    .map_err(|error| format!("can't open `{path}` for writing: {error}"))?;
                Some(file)
            }
            None => None,
        };
        let key = RsaPrivateKey::new(&mut OsRng, self.bits)
            .map_err(|error| format!("can't make a key: {error}"))?;
        let pem = key
            .to_pkcs1_pem(LineEnding::LF)
            .map_err(|error| format!("can't encode the key: {error}"))?;
        let written = match &mut file {
            Some(file) => file.write_all(pem.as_bytes()),
            None => stdout.write_all(pem.as_bytes()),
        };
        written.map_err(|error| format!("can't write the key: {error}"))
    }
}

impl Attempt {
    fn parse(args: &[String]) -> Result<Self, String> {
        let (operation, paths) = args
            .split_first()
            .ok_or("an attempt is missing: give an operation and its path")?;
        let one = |attempt: fn(String) -> Self| match paths {
            [path] => Ok(attempt(path.clone())),
            _ => Err(format!("`{operation}` needs one path, not {}", paths.len())),
        };
        match operation.as_str() {
            "read" => one(Self::Read),
            "write" => one(Self::Write),
            "create" => one(Self::Create),
            "list" => one(Self::List),
            "remove" => one(Self::Remove),
            "truncate" => one(Self::Truncate),
            "rename" => match paths {
                [from, to] => Ok(Self::Rename {
                    from: from.clone(),
                    to: to.clone(),
                }),
                _ => Err(format!("`rename` needs two paths, not {}", paths.len())),
            },
            other => Err(format!("unknown attempt `{other}`")),
        }
    }

    /// Tries it. What it did when it succeeds stays done: a created file is left behind.
    fn make(&self) -> io::Result<()> {
        match self {
            Self::Read(path) => File::open(path)?.read(&mut [0; 512]).map(drop),
            Self::Write(path) => OpenOptions::new().write(true).open(path).map(drop),
            Self::Create(path) => File::create_new(path).map(drop),
            Self::List(path) => fs::read_dir(path)?.try_for_each(|entry| entry.map(drop)),
            Self::Remove(path) => fs::remove_file(path),
            Self::Rename { from, to } => fs::rename(from, to),
            Self::Truncate(path) => {
                let mut options = OpenOptions::new();
                options.write(true).truncate(true).open(path).map(drop)
            }
        }
    }
}

/// The attempt as it was given, on one line and without a tab: control characters are escaped.
impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path) => write!(f, "read {}", OneLine(path)),
            Self::Write(path) => write!(f, "write {}", OneLine(path)),
            Self::Create(path) => write!(f, "create {}", OneLine(path)),
            Self::List(path) => write!(f, "list {}", OneLine(path)),
            Self::Remove(path) => write!(f, "remove {}", OneLine(path)),
            Self::Rename { from, to } => write!(f, "rename {} {}", OneLine(from), OneLine(to)),
            Self::Truncate(path) => write!(f, "truncate {}", OneLine(path)),
        }
    }
}

/// A string whose control characters are printed as escapes.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if c.is_control() {
                write!(f, "{}", c.escape_default())
            } else {
                write!(f, "{c}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        let args: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Command::parse(&args)
    }

    fn key(out: Option<&str>, bits: usize, attempts: Vec<Attempt>) -> Result<Command, String> {
        let out = out.map(str::to_owned);
        let key = Some(KeyRequest { out, bits });
        Ok(Command::Run { key, attempts })
    }

    #[test]
    fn the_command_line_of_openssl_genrsa_is_understood() {
        let line = "genrsa -out keys/key.pem 4096";
        assert_eq!(parse(line), key(Some("keys/key.pem"), 4096, vec![]));
        assert_eq!(parse("genrsa -out k"), key(Some("k"), 2048, vec![]));
        assert_eq!(parse("genrsa"), key(None, 2048, vec![]));
    }

    #[test]
    fn attempts_follow_a_key_or_stand_alone() {
        let attempts = || {
            vec![
                Attempt::Read("/etc/passwd".to_owned()),
                Attempt::Rename {
                    from: "a".to_owned(),
                    to: "b".to_owned(),
                },
            ]
        };
        assert_eq!(
            parse("genrsa -out k -- read /etc/passwd -- rename a b"),
            key(Some("k"), 2048, attempts())
        );
        assert_eq!(
            parse("probe read /etc/passwd -- rename a b"),
            Ok(Command::Run {
                key: None,
                attempts: attempts(),
            })
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_before_anything_is_tried() {
        for line in [
            "",
            "rsa",
            "genrsa -out",
            "genrsa -out a -out b",
            "genrsa -in a",
            "genrsa 511",
            "genrsa 8193",
            "genrsa many",
            "genrsa 2048 2048",
            "genrsa 2048 --",
            "probe",
            "probe read",
            "probe read a b",
            "probe rename a",
            "probe link a",
            "probe read a --",
            "probe -- read a",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_path_cannot_break_the_line_of_its_attempt() {
        let attempt = Attempt::Read("a\tb\nc é".to_owned());
        assert_eq!(attempt.to_string(), "read a\\tb\\nc é");
    }
}
