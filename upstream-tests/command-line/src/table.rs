//! RESULTS.md.

use crate::cases::{Case, Check, Kernel};
use crate::compare::Row;

const HEAD: &str = "\
# The command line `wasmer`

Written by `cargo run --release -p wasix-landlock-command-line`. The command builds each release of `wasmer-cli` from the
registry twice: as published, and with two lines of configuration that name the forks. It runs each command line with
both builds, in a directory of its own. Standard output, standard error, exit code and the remaining files are the same, unless
a policy from outside is set (`WASIX_LANDLOCK_POLICY`), which only the forks know; a note below says what it changes. In
addition, each thread that prints opens a file that nobody granted; the last two columns have the kernel's answer. The
sentence below the table names the releases.

| case | `wasmer …` | exit code | published: that open | forks: that open |
|---|---|---|---|---|
";

/// The file's text, of the rows of each release.
pub fn text(releases: &[(&str, Vec<(&Case, Row)>)]) -> String {
    let mut text = HEAD.to_owned();
    let Some(((version, rows), others)) = releases.split_first() else {
        return text;
    };
    let mut notes = format!("\nThe table is of `wasmer-cli` {version}.\n");
    for (other, other_rows) in others {
        notes += &difference(other, rows, other_rows);
    }
    for (case, row) in rows {
        let [published, forked] = match case.kernel {
            Kernel::Restricts => ["succeeds", "refused"],
            Kernel::IsNotAsked(_) => ["succeeds", "succeeds"],
            Kernel::NeverSeesIt => ["–", "–"],
        };
        if case.check == Check::Escape {
            let what =
                "the published build changes a file outside; the build with the forks doesn't";
            notes = format!("{notes}\n{}: {what}.\n", case.name);
        }
        if let Kernel::IsNotAsked(why) = case.kernel {
            notes = format!("{notes}\n{}: {why}.\n", case.name);
        }
        let lines = code(case.lines);
        let exit = row
            .code
            .map_or("signal".to_owned(), |code| code.to_string());
        let exit = match &case.outside {
            Some(outside) => {
                let refused: Vec<_> = outside.refused.iter().map(|it| format!("`{it}`")).collect();
                let what = match refused.is_empty() {
                    true => "the module ends at the limit".to_owned(),
                    false => format!("these are refused: {}", refused.join(", ")),
                };
                notes = format!(
                    "{notes}\n{}: with the forks {what}, as the policy `{}` says.\n",
                    case.name,
                    outside.policy.replace("{work}/", "")
                );
                match outside.exit {
                    Some(code) => format!("{exit}, forks {code}"),
                    None => exit,
                }
            }
            None => exit,
        };
        text += &format!(
            "| {} | {lines} | {exit} | {published} | {forked} |\n",
            case.name
        );
    }
    text + &notes
}

/// A sentence on a release whose rows the table doesn't have.
fn difference(version: &str, rows: &[(&Case, Row)], other: &[(&Case, Row)]) -> String {
    let pairs = rows.iter().zip(other);
    let others: Vec<_> = pairs
        .filter(|((_, row), (_, other))| row.code != other.code)
        .map(|(_, (case, other))| {
            let code = other
                .code
                .map_or("a signal".to_owned(), |code| code.to_string());
            format!("{} ends with {code}", case.name)
        })
        .collect();
    let ran = other.len();
    match others.is_empty() {
        true => format!("`wasmer-cli` {version} gives the same table: {ran} cases.\n"),
        false => format!(
            "`wasmer-cli` {version} gives the same table, {ran} cases, except for exit codes: {}.\n",
            others.join("; ")
        ),
    }
}

fn code(lines: &[&str]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| format!("`{line}`")).collect();
    lines.join("<br>")
}
