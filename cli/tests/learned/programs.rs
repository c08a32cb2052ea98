//! The programs of the table, each with the least that it needs by hand.

use std::fs;
use std::path::{Path, PathBuf};

use wasix_landlock_programs::packages::{CPYTHON, OPENSSL};

/// A program, and what it does. It can do so again where it has done so before.
pub struct Program {
    /// The name, for the table.
    pub name: &'static str,
    /// Gets the module, unless it can't be had here.
    pub module: fn() -> Option<PathBuf>,
    /// The arguments.
    pub arguments: &'static [&'static str],
    /// The least that it needs, as options of `run`.
    pub by_hand: &'static str,
    /// Makes the files that it starts with.
    pub prepare: fn(&Path),
}

/// The text above the table.
pub const TEXT: &str = "\
# Learned and by hand

`wasix-landlock learn` on ten programs, each in a directory with files that it doesn't need as well, beside a profile
that a person wrote. *Runs* counts all of them, with the last one that leaves only what was used. *Too many* and
*missing* are the rights of the learned profile beside those by hand. Made by
`cargo test --release -p wasix-landlock-cli --test learned -- --write`; the tests compare.

| program | runs | by hand | too many | missing |
|---|--:|---|---|---|
";

/// All programs.
pub const PROGRAMS: [Program; 10] = [
    Program {
        name: "RSA key generator (Rust)",
        module: || {
            Some(PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../examples/guests/genrsa.wasm"
            )))
        },
        arguments: &["genrsa", "-out", "keys/key.pem", "512"],
        by_hand: "--file keys/key.pem:create",
        prepare: files,
    },
    Program {
        name: "OpenSSL: make a key",
        module: || OPENSSL.get().ok(),
        arguments: &["genrsa", "-out", "keys/key.pem", "1024"],
        by_hand: "--file keys/key.pem:create",
        prepare: files,
    },
    Program {
        name: "OpenSSL: digest a file",
        module: || OPENSSL.get().ok(),
        arguments: &["dgst", "-sha256", "input/one"],
        by_hand: "--file input/one",
        prepare: files,
    },
    Program {
        name: "OpenSSL: encode a file",
        module: || OPENSSL.get().ok(),
        arguments: &[
            "enc",
            "-base64",
            "-in",
            "input/one",
            "-out",
            "output/one.b64",
        ],
        by_hand: "--file input/one --file output/one.b64:create",
        prepare: files,
    },
    Program {
        name: "CPython: a report of a directory",
        module: || CPYTHON.get().ok(),
        arguments: &["-I", "scripts/report.py"],
        by_hand: "--file scripts/report.py --file settings.json --dir input:ro --file output/report.txt:create",
        prepare: files,
    },
    Program {
        name: "CPython: an archive",
        module: || CPYTHON.get().ok(),
        arguments: &["-I", "scripts/archive.py"],
        by_hand: "--file scripts/archive.py --dir input:ro --file output/archive.zip:rwc",
        prepare: files,
    },
    Program {
        name: "CPython: a log that grows",
        module: || CPYTHON.get().ok(),
        arguments: &["-I", "scripts/log.py"],
        by_hand: "--file scripts/log.py --file output/old.log:rw",
        prepare: files,
    },
    Program {
        name: "CPython: a database",
        module: || CPYTHON.get().ok(),
        arguments: &["-I", "scripts/database.py"],
        by_hand: "--file scripts/database.py --dir output",
        prepare: files,
    },
    Program {
        name: "CPython: a file that is replaced",
        module: || CPYTHON.get().ok(),
        arguments: &["-I", "scripts/replace.py"],
        by_hand: "--file scripts/replace.py --dir output",
        prepare: files,
    },
    Program {
        name: "CPython: a tree",
        module: || CPYTHON.get().ok(),
        arguments: &["-I", "scripts/tree.py"],
        by_hand: "--file scripts/tree.py --dir input:ro",
        prepare: files,
    },
];

const SCRIPTS: [(&str, &str); 6] = [
    (
        "report.py",
        "import json, os
title = json.load(open('settings.json'))['title']
with open('output/report.txt', 'w') as report:
    for name in sorted(os.listdir('input')):
        path = os.path.join('input', name)
        if os.path.isfile(path):
            report.write(f'{title} {name} {len(open(path).read())}\\n')
",
    ),
    (
        "archive.py",
        "import os, zipfile
with zipfile.ZipFile('output/archive.zip', 'w') as archive:
    for directory, _, names in os.walk('input'):
        for name in names:
            archive.write(os.path.join(directory, name))
assert len(zipfile.ZipFile('output/archive.zip').namelist()) == 3
",
    ),
    (
        "log.py",
        "with open('output/old.log', 'a') as log:
    log.write('more\\n')
assert open('output/old.log').read()[-5:] == 'more\\n'
",
    ),
    (
        "database.py",
        "import sqlite3
database = sqlite3.connect('output/data.db')
database.execute('create table if not exists t (n)')
database.execute('delete from t')
database.executemany('insert into t values (?)', [(n,) for n in range(100)])
database.commit()
assert database.execute('select sum(n) from t').fetchone() == (4950,)
",
    ),
    (
        "replace.py",
        "import os
with open('output/new', 'w') as new:
    new.write('new')
os.replace('output/new', 'output/old.log')
assert open('output/old.log').read() == 'new'
",
    ),
    (
        "tree.py",
        "import os
total = 0
for directory, _, names in os.walk('input'):
    for name in names:
        total += len(open(os.path.join(directory, name)).read())
assert total == 11, total
",
    ),
];

fn files(work: &Path) {
    for directory in ["keys", "input/sub", "output", "scripts", "other"] {
        fs::create_dir_all(work.join(directory)).expect("a new directory");
    }
    for (name, text) in [
        ("settings.json", "{\"title\": \"size\"}"),
        ("input/one", "1"),
        ("input/two", "22"),
        ("input/sub/three", "33333333"),
        ("output/old.log", "old\n"),
        ("other/file", "not needed"),
        ("unused", "not needed"),
    ] {
        fs::write(work.join(name), text).expect("a new file");
    }
    for (name, text) in SCRIPTS {
        fs::write(work.join("scripts").join(name), text).expect("a new file");
    }
}
