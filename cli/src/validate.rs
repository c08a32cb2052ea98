//! `validate`: profiles, with the place of an error.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use toml::de::{DeTable, DeValue};
use wasix_landlock_profile::{Ceiling, FileError, HostPreopen, Profile, ProfileError};

use crate::output::print_json;
use crate::yes;

/// Checks profiles, with the files that they extend, or policies from outside. The files of the host that they name
/// aren't looked at.
#[derive(Args)]
#[command(after_help = "\
The exit code is 0 if each file is valid, and 1 if one isn't.

Examples:
  wasix-landlock validate policy.toml
  wasix-landlock validate --outside /etc/wasix-landlock.d
  wasix-landlock validate --json *.toml | jq '.[] | select(.valid | not)'")]
pub struct Validate {
    /// Prints the results as JSON.
    #[arg(long)]
    json: bool,
    /// Checks policies from outside (WASIX_LANDLOCK_POLICY), each a file or a directory of files.
    #[arg(long)]
    outside: bool,
    /// The profiles.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The result for a file, for programs.
#[derive(Serialize)]
struct Validated {
    file: String,
    valid: bool,
    error: Option<Located>,
}

/// An error, and its place in the text.
#[derive(Debug, PartialEq, Serialize)]
struct Located {
    /// The file, which may be one that another file extends.
    file: String,
    /// From 1; none if no line is wrong by itself.
    line: Option<usize>,
    /// From 1, in characters.
    column: Option<usize>,
    message: String,
}

impl Located {
    fn of(file: &Path, error: &FileError) -> Self {
        let whole = |message| Self {
            file: file.display().to_string(),
            line: None,
            column: None,
            message,
        };
        match error {
            FileError::Parse {
                path,
                line,
                column,
                message,
            } => Self {
                file: path.display().to_string(),
                line: Some(*line),
                column: Some(*column),
                message: message.trim().to_owned(),
            },
            other => whole(other.to_string()),
        }
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Validate {
    /// Prints the results.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let mut results = Vec::new();
        for path in &self.files {
            let result = self.validate(path)?;
            if !self.json {
                match &result.error {
                    None => println!("{}: valid", result.file),
                    Some(error) => println!("{error}"),
                }
            }
            results.push(result);
        }
        if self.json {
            print_json(&results)?;
        }
        Ok(yes(results.iter().all(|result| result.valid)))
    }

    fn validate(&self, path: &Path) -> anyhow::Result<Validated> {
        std::fs::metadata(path).with_context(|| format!("can't read {}", path.display()))?;
        let error = if self.outside {
            Ceiling::load(path)
                .err()
                .map(|error| Located::of(path, &error))
        } else {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("can't read the profile {}", path.display()))?;
            Profile::load(path)
                .err()
                .map(|error| located(path, &text, error))
        };
        Ok(Validated {
            file: path.display().to_string(),
            valid: error.is_none(),
            error,
        })
    }
}

fn located(file: &Path, text: &str, error: ProfileError) -> Located {
    let span = match &error {
        ProfileError::File(error) => {
            // The error of a table as a whole has no place of its own.
            let has_no_place = matches!(
                error,
                FileError::Parse { path, line: 1, column: 1, .. } if path == file
            );
            match has_no_place.then(|| wrong_preopen(text)).flatten() {
                Some(span) => Some(span),
                None => return Located::of(file, error),
            }
        }
        error => span_of(text, error),
    };
    let (line, column) = span
        .and_then(|span| text.get(..span.start))
        .map(|before| {
            let line = before.matches('\n').count() + 1;
            let last = before.rsplit('\n').next().unwrap_or_default();
            (line, last.chars().count() + 1)
        })
        .unzip();
    Located {
        file: file.display().to_string(),
        line,
        column,
        message: match &error {
            ProfileError::File(FileError::Parse { message, .. }) => message.trim().to_owned(),
            error => error.to_string(),
        },
    }
}

/// The place of the first preopen that is none.
fn wrong_preopen(text: &str) -> Option<Range<usize>> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let preopens = table.get("preopen")?.as_array()?.iter();
    let mut results = preopens.map(|preopen| preopen.clone().try_into::<HostPreopen>());
    let index = results.position(|result| result.is_err())?;
    match DeTable::parse(text)
        .ok()?
        .get_ref()
        .get("preopen")?
        .get_ref()
    {
        DeValue::Array(preopens) => Some(preopens.get(index)?.span()),
        _ => None,
    }
}

/// The place of the key that an error names, as far as the text has it.
fn span_of(text: &str, error: &ProfileError) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let table = document.get_ref();
    let find = |key: &str| table.get(key);
    match error {
        ProfileError::Argument { index, .. } => {
            let DeValue::Array(arguments) = find("arguments")?.get_ref() else {
                return None;
            };
            Some(arguments.get(*index)?.span())
        }
        ProfileError::Variable { key, name, .. } => {
            let variables = find(key)?;
            match variables.get_ref() {
                DeValue::Table(table) => table
                    .iter()
                    .find(|(known, _)| known.get_ref() == name)
                    .map(|(known, _)| known.span()),
                DeValue::Array(names) => names
                    .iter()
                    .find(
                        |known| matches!(known.get_ref(), DeValue::String(known) if known == name),
                    )
                    .map(|known| known.span()),
                _ => None,
            }
            .or_else(|| Some(variables.span()))
        }
        ProfileError::Preopen { index, source } => {
            let DeValue::Array(preopens) = find("preopen")?.get_ref() else {
                return None;
            };
            let preopen = preopens.get(*index)?;
            let value = match preopen.get_ref() {
                DeValue::Table(table) => table.get(source.key()),
                _ => None,
            };
            Some(value.map_or_else(|| preopen.span(), |value| value.span()))
        }
        ProfileError::Conflict { key, .. } => {
            let (outer, inner) = key.split_once('.')?;
            match find(outer)?.get_ref() {
                DeValue::Table(table) => Some(table.get(inner)?.span()),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn place(text: &str) -> (Option<usize>, Option<usize>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let error = Profile::load(file.path()).unwrap_err();
        let located = located(file.path(), text, error);
        (located.line, located.column)
    }

    #[test]
    fn an_error_has_the_place_of_its_key() {
        for (text, line, column) in [
            ("limit = 1", 1, 1),
            ("[limits]\nthreads = \"two\"", 2, 11),
            ("arguments = [\"a\", \"b\\u0000\"]", 1, 19),
            ("[environment]\nA = \"1\"\n\"B=\" = \"2\"", 3, 1),
            ("environment-from-host = [\"PATH\", \"\"]", 1, 34),
            (
                "[limits]\ninstructions = 5\n[groups]\nprocesses = true",
                2,
                16,
            ),
            ("streams = {", 1, 12),
        ] {
            assert_eq!(place(text), (Some(line), Some(column)), "{text}");
        }
    }

    #[test]
    fn a_preopen_without_rights_is_found() {
        let text = "[[preopen]]\nhost = \"a\"\nkind = \"file\"\nread = true\n[[preopen]]\nhost = \"b\"\nkind = \"file\"\n";
        assert_eq!(place(text).0, Some(5));
    }
}
