//! RESULTS.md.

use std::fs;
use std::path::Path;

use anyhow::ensure;

use crate::cases::{Case, Check, Kernel};
use crate::compare::Row;

const HEAD: &str = "\
# The command line `wasmer`

Made by `cargo run --release -p wasix-landlock-command-line`, which builds `wasmer-cli` 7.4.2 from the registry twice,
as published and with the two lines of configuration that name the forks, and nothing else changed. Each line runs
with both, in a directory of its own. Standard output, standard error, exit code, and the files that are left are
the same. Whenever the program prints, the thread that does so opens a file that nobody granted: the last two columns
say what the kernel answered.

| | `wasmer …` | exit code | published: the open | forks: the open |
|---|---|---|---|---|
";

/// The file's text.
pub fn text(rows: &[(&Case, Row)]) -> String {
    let mut text = HEAD.to_owned();
    let mut notes = String::new();
    for (case, row) in rows {
        let [published, forked] = match case.kernel {
            Kernel::Restricts => ["succeeds", "refused"],
            Kernel::IsNotAsked(_) => ["succeeds", "succeeds"],
            Kernel::NeverSeesIt => ["–", "–"],
        };
        if case.check == Check::Escape {
            let what =
                "the published one changes a file outside, with the forks it stays as it was";
            notes = format!("{notes}\n{}: {what}.\n", case.name);
        }
        if let Kernel::IsNotAsked(why) = case.kernel {
            notes = format!("{notes}\n{}: {why}.\n", case.name);
        }
        let lines = code(case.lines);
        let exit = row
            .code
            .map_or("signal".to_owned(), |code| code.to_string());
        text += &format!(
            "| {} | {lines} | {exit} | {published} | {forked} |\n",
            case.name
        );
    }
    text + &notes
}

fn code(lines: &[&str]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| format!("`{line}`")).collect();
    lines.join("<br>")
}

/// Writes it, or compares.
pub fn update(path: &Path, text: &str, check: bool) -> anyhow::Result<()> {
    if check {
        let committed = fs::read_to_string(path)?;
        ensure!(
            committed == text,
            "RESULTS.md is not what this run gave:\n{text}"
        );
        return Ok(());
    }
    Ok(fs::write(path, text)?)
}
