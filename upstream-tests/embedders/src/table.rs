//! RESULTS.md.

use crate::cases::{Case, Embedder, Lines};

const HEAD: &str = "\
# Programs that embed Wasmer

Written by `cargo run --release -p wasix-landlock-embedders`. The command builds the crate `wasmer-c-api` 7.4.2 from the
registry twice: as published, and with two lines of configuration that name the forks. The programs
[embedder.c](embedder.c) and [embedder.py](embedder.py) know nothing of the forks. They have OpenSSL 1.1.1d, compiled to
WASI by others, make a key in a directory that they map, and then open natively a file that nobody granted. Error 13 is
`EACCES`.

[youki](https://crates.io/crates/youki) 0.7.0 runs containers, and its handler of WebAssembly embeds the crate `wasmer`. Its
version lines of Wasmer are raised from 7.0.1 to 7.4.2. With nothing else changed, the handler panics on the published crates
and on the forks: Wasmer 7.4.2 needs the engine of the module and a Tokio runtime. Three lines give it both. A preloaded
library opens the file that nobody granted, in the container, each time that the module prints.

| case | program | published | with the forks |
|---|---|---|---|
";

const NOTES: &str = "
Capturing gives nothing with either library: upstream's C interface reads from the end of a pipe that is only written to.

Without the operator's setting, a second environment with another directory is an error that names the setting: the process
is restricted to what the first one was granted. `WASIX_LANDLOCK_RESERVE` grants the directory to the whole process from the
first environment on. `WASIX_LANDLOCK_SCOPE=instance` is no way for these programs: they call the module on their own
threads.
";

/// The file's text.
pub fn text(rows: &[&Case]) -> String {
    let mut text = HEAD.to_owned();
    for case in rows {
        let language = match case.embedder {
            Embedder::C => "C",
            Embedder::Python => "Python",
            Embedder::Youki => "youki",
        };
        let setting = match case.reserves_other {
            true => ", `WASIX_LANDLOCK_RESERVE` names it",
            false => "",
        };
        text += &format!(
            "| {}{setting} | {language} | {} | {} |\n",
            case.name,
            shown(&case.published),
            shown(&case.forked)
        );
    }
    text + NOTES
}

fn shown(lines: &Lines) -> String {
    let line = |line: &&str| match *line {
        "environment: " => "environment: an error".to_owned(),
        line => line.to_owned(),
    };
    lines.0.iter().map(line).collect::<Vec<_>>().join("<br>")
}
