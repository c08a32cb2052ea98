//! The rules for threads that have names, files and descriptors in common: what has to come of their calls in whatever
//! order the kernel makes them.
//!
//! | | |
//! |---|---|
//! | errors | none that the kernel can't give there |
//! | names | one that is made exclusively, by `mkdir`, `link`, `symlink`, `rename` and `O_EXCL`, has one winner |
//! | `log`, `offset` | what was appended, and what was written at a common offset, is there once |
//! | `regions` | a thread reads what it wrote last |
//! | listings | have what is there all the time, once |
//!
//! Only the errors are checked of threads that close each other's descriptors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::case::Kind;
use crate::outcome::{Outcome, show};

/// The directory of the side that the threads have in common.
pub const DIRECTORY: &str = "p/s";
/// The files to which each line is written once, with the descriptor that writes at a common offset or appends.
const LINES: [(&str, &str); 2] = [("log", "f3"), ("offset", "f2")];
/// The name of the file that is there all the time.
const STABLE: &str = "stable";

/// The calls of each thread with their outcomes.
pub type Made<'m> = [(&'m Vec<String>, &'m Outcome)];

/// The names in the common directory.
///
/// # Errors
/// If it can't be listed.
pub fn names(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(DIRECTORY))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// The rules that were broken: by a key, with what happened.
///
/// # Errors
/// If the directory can't be read.
pub fn broken(
    kind: Kind,
    root: &Path,
    before: &[String],
    threads: &[Vec<(&Vec<String>, &Outcome)>],
) -> anyhow::Result<Vec<(String, String)>> {
    let mut broken = Vec::new();
    for made in threads {
        errors(kind, made, &mut broken);
    }
    if kind == Kind::Chaos {
        return Ok(broken);
    }
    let all: Vec<_> = threads.iter().flatten().copied().collect();
    winners(&all, before, &names(root)?, &mut broken);
    for (file, slot) in LINES {
        let path = root.join(DIRECTORY).join(file);
        lines(&all, file, slot, &fs::read_to_string(path)?, &mut broken);
    }
    for made in threads {
        regions(made, &mut broken);
    }
    stable(&all, &mut broken);
    Ok(broken)
}

fn text(words: &[String]) -> String {
    words.join(" ")
}

/// The errors that the kernel can give.
fn possible(kind: Kind, words: &[String]) -> &'static [&'static str] {
    let chaos = kind == Kind::Chaos;
    match words[0].as_str() {
        "mkdir" => &["exist"],
        "try" | "symlink" => &["exist"],
        // The file that is opened may be gone by then.
        "open" => &["noent", "loop", "isdir"],
        "link" => &["exist", "noent"],
        "rmdir" | "rename" => &["noent"],
        "unlink" if chaos => &["noent", "badf", "notdir", "inval"],
        "unlink" | "stat" | "lstat" if words.iter().any(|word| word == "s/stable") => &[],
        "unlink" | "stat" | "lstat" => &["noent"],
        // What they open for themselves has a number that another thread may close or replace.
        "get" | "add" | "ls" if chaos => &["badf", "notdir", "isdir", "inval"],
        "get" | "add" | "ls" => &[],
        _ if chaos => &["badf", "isdir", "notdir", "inval", "noent", "notsup"],
        _ => &[],
    }
}

fn errors(kind: Kind, made: &Made<'_>, broken: &mut Vec<(String, String)>) {
    for (words, outcome) in made {
        let result = outcome.result.as_str();
        if result != "ok" && !possible(kind, words).contains(&result) {
            let key = format!("{}({}) {result}", kind.name(), words[0]);
            broken.push((key, format!("{}: {}", text(words), outcome.line())));
        }
    }
}

/// The name that a call gives or takes, with what it adds to the number of entries of that name.
fn changes(words: &[String]) -> Vec<(&str, i64)> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        ["mkdir", _, name] | ["try", _, name, "wcx"] | ["symlink", _, _, name] => vec![(name, 1)],
        ["link", _, _, _, name] => vec![(name, 1)],
        ["rmdir" | "unlink", _, name] => vec![(name, -1)],
        ["rename", _, from, _, to] => vec![(from, -1), (to, 1)],
        _ => Vec::new(),
    }
}

fn winners(
    made: &Made<'_>,
    before: &[String],
    after: &[String],
    broken: &mut Vec<(String, String)>,
) {
    let mut expected: BTreeMap<&str, i64> = before.iter().map(|name| (name.as_str(), 1)).collect();
    for (words, _) in made.iter().filter(|(_, outcome)| outcome.is_ok()) {
        for (path, change) in changes(words) {
            let name = path.strip_prefix("s/").unwrap_or(path);
            *expected.entry(name).or_default() += change;
        }
    }
    for name in after {
        expected.entry(name).or_default();
    }
    for (name, count) in expected {
        let there = i64::from(after.iter().any(|known| known == name));
        if count != there {
            let detail = format!("{name}: {count} by what succeeded, {there} on the disk");
            broken.push(("shared().winners".to_owned(), detail));
        }
    }
}

fn lines(
    made: &Made<'_>,
    file: &str,
    slot: &str,
    content: &str,
    broken: &mut Vec<(String, String)>,
) {
    let mut written: Vec<&str> = Vec::new();
    for (words, _) in made.iter().filter(|(_, outcome)| outcome.is_ok()) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match *words {
            ["write", to, line] if to == slot => written.push(line),
            ["add", _, path, line] if path.strip_prefix("s/") == Some(file) => written.push(line),
            _ => {}
        }
    }
    let mut found: Vec<&str> = content.split_inclusive(';').collect();
    written.sort_unstable();
    found.sort_unstable();
    if written != found {
        let detail = format!(
            "{} lines written, {} found: {}",
            written.len(),
            found.len(),
            show(content.as_bytes())
        );
        broken.push((format!("shared().{file}"), detail));
    }
}

fn regions(made: &Made<'_>, broken: &mut Vec<(String, String)>) {
    let mut last = None;
    for (words, outcome) in made {
        match words[0].as_str() {
            "pwrite" => last = Some(show(words[2].as_bytes())),
            "pread"
                if last
                    .as_ref()
                    .is_some_and(|last| !has(outcome, "data", last)) =>
            {
                broken.push(("shared().regions".to_owned(), text(words) + &outcome.line()));
            }
            _ => {}
        }
    }
}

fn has(outcome: &Outcome, name: &str, value: &str) -> bool {
    let mut fields = outcome.fields.iter();
    fields.any(|(field, is)| field == name && is == value)
}

fn stable(made: &Made<'_>, broken: &mut Vec<(String, String)>) {
    for (words, outcome) in made.iter().filter(|(_, outcome)| outcome.is_ok()) {
        let holds = match words[0].as_str() {
            "get" => has(outcome, "data", "[stays]"),
            // A descriptor that threads have in common has one position, by which they list on this side.
            "ls" => {
                let mut names: Vec<&String> = outcome.inodes.iter().map(|(name, _)| name).collect();
                let count = names.len();
                names.dedup();
                names.len() == count && names.iter().any(|name| *name == STABLE)
            }
            "stat" if words[2] == "s/stable" => has(outcome, "size", "5"),
            _ => true,
        };
        if !holds {
            let key = format!("shared({}).stable", words[0]);
            broken.push((key, format!("{}: {}", text(words), outcome.line())));
        }
    }
}
