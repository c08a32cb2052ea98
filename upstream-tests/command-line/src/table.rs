//! RESULTS.md.

use crate::cases::{Case, Check, Kernel};
use crate::compare::Row;

const HEAD: &str = "\
# The command line `wasmer`

Written by `cargo run --release -p wasix-landlock-command-line`. The command builds `wasmer-cli` 7.4.2 from the registry
twice: as published, and with two lines of configuration that name the forks. It runs each command line with both
builds, in a directory of its own. Standard output, standard error, exit code and the remaining files are the same, unless
a policy from outside is set (`WASIX_LANDLOCK_POLICY`), which only the forks know; a note below says what it changes. In
addition, each thread that prints opens a file that nobody granted; the last two columns have the kernel's answer.

| case | `wasmer …` | exit code | published: that open | forks: that open |
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

fn code(lines: &[&str]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| format!("`{line}`")).collect();
    lines.join("<br>")
}
