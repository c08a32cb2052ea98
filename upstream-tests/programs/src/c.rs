//! Programs in C from the sources of published crates, compiled for WASI and for this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use crate::packages::{Crate, Unavailable, folder, lock, own, python_package};

/// The target of a compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// WASI preview 1.
    Wasi,
    /// This machine.
    Native,
}

/// The compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CCompiler {
    /// Zig's, from the Python registry: the same one for both targets.
    Zig,
    /// The system's: Debian's `clang-19` with `wasi-libc` for WASI, `cc` for this machine.
    System,
}

/// A program in C.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The name of the program.
    pub name: &'static str,
    /// The crate with the sources.
    pub package: Crate,
    /// The folder of the files in the package.
    pub below: &'static str,
    /// The files there.
    pub files: &'static [&'static str],
    /// Files of the repository, by their paths in it.
    pub own: &'static [&'static str],
    /// The flags of the compiler.
    pub flags: &'static [&'static str],
}

/// The parts of POSIX that WASI lacks and its C library emulates.
const EMULATED: [&str; 4] = ["signal", "process-clocks", "getpid", "mman"];

/// The calls of Unix programs that WASI has no word for.
const HEADER: &str = "guests/wasi.h";
/// The part that the programs on SQLite share.
const SQL: &str = "guests/sql.h";

impl Source {
    /// Compiles it, if that wasn't done before, and returns where it is.
    ///
    /// # Errors
    /// Without the crate or the compiler, and what the compiler says.
    pub fn build(&self, target: Target, compiler: CCompiler) -> anyhow::Result<PathBuf> {
        let with = format!("{target:?}-{compiler:?}").to_lowercase();
        let place = folder()?.join("c").join(with);
        fs::create_dir_all(&place)?;
        let program = place.join(match target {
            Target::Wasi => format!("{}.wasm", self.name),
            Target::Native => self.name.to_owned(),
        });
        let marker = program.with_extension("recipe");
        let recipe = self.recipe()?;
        let zig = match compiler {
            CCompiler::Zig => Some(python_package("ziglang")?),
            CCompiler::System => None,
        };
        let _lock = lock()?;
        if program.exists() && fs::read_to_string(&marker).is_ok_and(|had| had == recipe) {
            return Ok(program);
        }
        eprintln!("compiling {}", program.display());
        let work = tempfile::tempdir_in(&place)?;
        let unpacked = self.package.unpack(work.path())?.join(self.below);
        let mut command = match zig {
            Some(zig) => zig_cc(&zig, target)?,
            None => system_cc(target),
        };
        command.args(["-O2", "-s"]);
        if target == Target::Wasi {
            command
                .arg("-include")
                .arg(own(HEADER))
                .args(EMULATED.map(|name| {
                    format!("-D_WASI_EMULATED_{}", name.replace('-', "_").to_uppercase())
                }))
                .args(EMULATED.map(|name| format!("-lwasi-emulated-{name}")));
        }
        command
            .args(self.flags)
            .arg("-I")
            .arg(&unpacked)
            .arg("-I")
            .arg(own("guests"))
            .arg("-o")
            .arg(work.path().join("program"))
            .args(self.own.iter().map(|path| in_repository(path)))
            .args(self.files.iter().map(|name| unpacked.join(name)));
        let output = command.output().map_err(|error| {
            let compiler = command.get_program().to_string_lossy();
            Unavailable(format!(
                "`{compiler}` is needed, with a C library for {target:?}: {error}"
            ))
        })?;
        ensure!(
            output.status.success(),
            "can't compile {}: {}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        fs::rename(work.path().join("program"), &program)?;
        fs::write(marker, recipe)?;
        Ok(program)
    }

    /// All that decides what the program is.
    fn recipe(&self) -> anyhow::Result<String> {
        let mut recipe = format!("{self:?}");
        recipe += &fs::read_to_string(own("requirements.txt"))?;
        for path in [HEADER, SQL] {
            recipe += &fs::read_to_string(own(path))?;
        }
        for path in self.own {
            recipe += &fs::read_to_string(in_repository(path))?;
        }
        Ok(recipe)
    }
}

/// SQLite's amalgamation, with nothing of its own.
///
/// On WASI its temporary files would call `fchmod`, which it leaves out there: they are in memory.
pub const SQLITE: Source = Source {
    name: "sqlite",
    package: Crate {
        name: "libsqlite3-sys",
        version: "0.35.0",
        sha256: "133c182a6a2c87864fe97778797e46c7e999672690dc9fa3ee8e241aa4a9c13f",
    },
    below: "sqlite3",
    files: &["sqlite3.c"],
    own: &[],
    flags: &[
        "-DSQLITE_THREADSAFE=0",
        "-DSQLITE_OMIT_LOAD_EXTENSION",
        "-DSQLITE_TEMP_STORE=3",
    ],
};

fn in_repository(path: &str) -> PathBuf {
    own("../..").join(path)
}

fn zig_cc(zig: &Path, target: Target) -> anyhow::Result<Command> {
    let mut command = Command::new("python3");
    command
        .args(["-m", "ziglang", "cc", "-target"])
        .env("PYTHONPATH", zig)
        .env("ZIG_GLOBAL_CACHE_DIR", folder()?.join("zig"))
        .env("ZIG_LOCAL_CACHE_DIR", folder()?.join("zig"))
        .arg(match target {
            Target::Wasi => "wasm32-wasi".to_owned(),
            Target::Native => format!("{}-linux-gnu", std::env::consts::ARCH),
        });
    Ok(command)
}

fn system_cc(target: Target) -> Command {
    match target {
        Target::Wasi => {
            let mut command = Command::new("clang-19");
            command.arg("--target=wasm32-wasi");
            command
        }
        Target::Native => Command::new("cc"),
    }
}
