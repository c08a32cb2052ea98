//! The table of results: made from a run, and compared with the one that is committed.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};

/// Known failures on Linux of wasmtime's own test run at this version, in `tests/wasi.rs` of the
/// crate that the suite comes from.
const WASMTIME_FAILS: [&str; 1] = ["rust/remove_directory_trailing_slashes"];

/// Modules that the virtual root alone prevents from passing, which is there unless a program turns it off.
const VIRTUAL_ROOT: &str = "
## Failures because of the virtual root

Upstream gives each module a virtual root as descriptor 3, which contains the mapped directories. Both modules below
pass if the program turns it off with `WasiEnvBuilder::set_virtual_root(false)`.

| module | expects | with the virtual root |
|---|---|---|
| c/sock_shutdown-invalid_fd | EBADF: no descriptor 3 | ENOTSOCK: descriptor 3 is the root |
| rust/interesting_paths | ENOTCAPABLE for an absolute path | ENOENT: the path is looked up from the root |
";

const HEAD: &str = "\
# WebAssembly/wasi-testsuite, preview 1

Written by `cargo run --release -p wasix-landlock-conformance`, checked with `-- --check`. The modules come from
the crate wasmtime-cli 41.0.3. Enforcement is on in each column of the fork.

| column | |
|---|---|
| upstream | Wasmer as published, through `.fs(host file system)` and `map_dir`, with Cranelift (`upstream-tests/baseline`) |
| fork, same program | the same program, with the forks |
| fork, without virtual root | the same, and `WasiEnvBuilder::set_virtual_root(false)` |
| fork, cranelift and fork, singlepass | `WasiEnvBuilder::preopen`, also without a virtual root, with each compiler |
| wasmtime | the results that wasmtime 41.0.3 expects of itself |

";

/// Writes the table of `columns`, each with its head, into `folder`, or compares it with what is there.
pub fn update(
    folder: &Path,
    names: &[&str],
    columns: &[(&str, Vec<bool>)],
    check: bool,
) -> anyhow::Result<()> {
    let upstream = upstream(folder, names)?;
    let wasmtime: Vec<bool> = names
        .iter()
        .map(|name| !WASMTIME_FAILS.contains(name))
        .collect();
    let columns: Vec<(&str, &[bool])> = [("upstream", &upstream[..])]
        .into_iter()
        .chain(columns.iter().map(|(head, passed)| (*head, &passed[..])))
        .chain([("wasmtime", &wasmtime[..])])
        .collect();
    let mut text = String::from(HEAD);
    text.push_str("| module |");
    for (head, _) in &columns {
        write!(text, " {head} |")?;
    }
    writeln!(text, "\n|{}", "---|".repeat(columns.len() + 1))?;
    for (row, name) in names.iter().enumerate() {
        write!(text, "| {name} |")?;
        for (_, column) in &columns {
            text.push_str(if column[row] {
                " passes |"
            } else {
                " **fails** |"
            });
        }
        text.push('\n');
    }
    write!(text, "| of {} |", names.len())?;
    for (_, column) in &columns {
        write!(
            text,
            " {} |",
            column.iter().filter(|passed| **passed).count()
        )?;
    }
    text.push('\n');
    text.push_str(VIRTUAL_ROOT);
    let path = folder.join("RESULTS.md");
    if !check {
        return fs::write(&path, text).with_context(|| format!("{}", path.display()));
    }
    let committed = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    if committed != text {
        bail!(
            "RESULTS.md is not what this run gave: run without `--check`, and look at the difference"
        );
    }
    Ok(())
}

/// Reads the baseline's output: a line for each module, `passes` or `fails`, a space, its name.
fn upstream(folder: &Path, names: &[&str]) -> anyhow::Result<Vec<bool>> {
    let path = folder.join("../baseline/results.txt");
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let results: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let known: Vec<&str> = results.iter().map(|(_, name)| *name).collect();
    ensure!(
        known == names,
        "{} is about other modules: run the baseline again",
        path.display()
    );
    Ok(results
        .iter()
        .map(|(result, _)| *result == "passes")
        .collect())
}
