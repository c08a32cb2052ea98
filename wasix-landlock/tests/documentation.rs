//! The house rule about documentation, for every crate of the repository: a summary opens with a noun phrase or a verb.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Words that open a clause where a reader looks for the thing itself.
const NOT_FIRST: [&str; 19] = [
    "How", "It", "Its", "That", "These", "They", "This", "Those", "What", "Whatever", "When",
    "Where", "Whether", "Which", "Who", "Whoever", "Whom", "Whose", "Why",
];

/// Folders without source of this repository's own.
const NOT_OURS: [&str; 2] = ["target", "node_modules"];

#[test]
fn a_summary_opens_with_a_noun_phrase_or_a_verb() {
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut files = Vec::new();
    sources(repository, &mut files);
    assert!(files.len() > 100, "{} files only", files.len());
    let found: Vec<String> = files.iter().flat_map(|file| against_rule(file)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_rule_is_about_first_words_and_whole_words() {
    let found = |text: &str| openings(text).any(|(_, text)| opens_badly(text));
    assert!(found("    /// Whether it is open.\n    open: bool,\n"));
    assert!(found("//! What is open.\n"));
    assert!(found("/// This opens a file.\n"));
    // A determiner with its noun is a noun phrase.
    assert!(!found("/// This machine.\n"));
    assert!(!found("/// Whole files.\n"));
    assert!(!found(
        "/// True if a file is open.\n/// What is open stays so.\n"
    ));
    assert!(!found("// What follows is no documentation.\n"));
}

#[test]
fn the_walk_names_files_and_functions_that_exist() {
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let text = fs::read_to_string(repository.join("ARCHITECTURE.md")).expect("it is there");
    let walk = text.split("\n## ").find(|part| part.starts_with("A walk"));
    let steps = walk.into_iter().flat_map(str::lines).filter_map(step);
    let steps: Vec<_> = steps.collect();
    assert!(steps.len() > 20, "{} steps only", steps.len());
    for (file, function) in steps {
        let folder = match file.split('/').next() {
            Some("landlock" | "host_files") => "patches/wasmer-wasix/src",
            Some("linux") => "wasix-landlock/src",
            Some("threads") => "wasix-landlock",
            _ => "",
        };
        let source = fs::read_to_string(repository.join(folder).join(file)).unwrap_or_default();
        let calls = ["(", "<"].map(|end| format!("fn {function}{end}"));
        let is_there = calls.iter().any(|call| source.contains(call));
        assert!(
            is_there,
            "ARCHITECTURE.md: {file} has no function {function}"
        );
    }
}

/// The file and the function of a row of the walk.
fn step(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| `")?.split("` | `");
    let file = cells.next()?;
    let function = cells.next()?.split('`').next()?;
    Some((file, function))
}

/// Adds the Rust files below a folder.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type().ok();
        if kind.is_some_and(|kind| kind.is_dir()) {
            if !name.starts_with('.') && !NOT_OURS.contains(&name.as_ref()) {
                sources(&path, files);
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

fn against_rule(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    openings(&text)
        .filter(|(_, text)| opens_badly(text))
        .map(|(line, text)| format!("{}:{line}: {text}", file.display()))
        .collect()
}

/// The first line of each documentation comment, with its number.
fn openings(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let line = line.trim_start();
        let comment = line.strip_prefix("///").or(line.strip_prefix("//!"));
        let opens = comment.filter(|_| !inside);
        inside = comment.is_some();
        Some((number + 1, opens?.trim()))
    })
}

fn opens_badly(text: &str) -> bool {
    let mut words = text.split(|letter: char| !letter.is_alphanumeric());
    let (first, second) = (words.next(), words.next().unwrap_or_default());
    match first {
        Some("This" | "That" | "These" | "Those") => !NOUNS.contains(&second),
        Some(first) => NOT_FIRST.contains(&first),
        None => false,
    }
}

/// Nouns that a summary may name by a determiner.
const NOUNS: [&str; 6] = ["crate", "kernel", "machine", "process", "thread", "user"];
