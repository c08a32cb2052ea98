//! The patch series: reading it, and applying it exactly or not at all.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use crate::ManifestError;
use crate::source::SOURCE_FOLDERS;

/// An error of reading a series or a patch.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PatchError {
    /// A file of the series can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The series or the patch.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A patch file is not a unified diff with a header, or reaches outside the crate.
    #[error("{patch}, line {line}: {problem}")]
    Syntax {
        /// The patch's file name.
        patch: String,
        /// Line in the patch file, from 1.
        line: usize,
        /// The problem on that line.
        problem: String,
    },
    /// The fork's manifest can't be read, which says whether the fork has a base.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The series and the folder don't name the same patches.
    #[error("{problem}: {patch}")]
    Series {
        /// The patch's file name.
        patch: String,
        /// The problem.
        problem: &'static str,
    },
}

/// An error of applying a series. Nothing was written, but for [`ApplyError::Write`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The file that the patch changes is not there.
    #[error("{patch} changes {}, which can't be read: {source}", file.display())]
    Read {
        /// The patch's file name.
        patch: String,
        /// The file, relative to the crate.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A hunk's lines are not, to the letter, at the place that it names.
    #[error("{patch} does not apply to {}, line {line}: expected {expected}, found {found}", file.display())]
    Mismatch {
        /// The patch's file name.
        patch: String,
        /// The file, relative to the crate.
        file: PathBuf,
        /// Line in the file, from 1.
        line: usize,
        /// The line that the patch wants to see there, quoted, or a word for the end of the file.
        expected: String,
        /// The line that is there, quoted, or a word for the end of the file.
        found: String,
    },
    /// The patched file can't be written.
    #[error("can't write {}: {source}", file.display())]
    Write {
        /// The file, relative to the crate.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// The header field with the fork's own modules that a patch calls.
pub(crate) const CALLS: &str = "Calls";

/// One patch: a header and, per file, the hunks.
#[derive(Debug, Clone)]
pub struct Patch {
    /// The patch's file name.
    pub name: String,
    /// Everything before the first diff line, without the closing `---`.
    pub header: String,
    pub(crate) files: Vec<FileChange>,
}

#[derive(Debug, Clone)]
pub(crate) struct FileChange {
    pub(crate) path: PathBuf,
    pub(crate) hunks: Vec<Hunk>,
}

#[derive(Debug, Clone)]
pub(crate) struct Hunk {
    /// Lines of the old file before the hunk.
    pub(crate) old_before: usize,
    pub(crate) lines: Vec<Line>,
}

/// A line with its line break, if it has one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    Context(String),
    Remove(String),
    Add(String),
}

impl Patch {
    /// Reads one patch.
    ///
    /// # Errors
    /// [`PatchError::Read`] and [`PatchError::Syntax`].
    pub fn load(path: &Path) -> Result<Self, PatchError> {
        let text = std::fs::read_to_string(path).map_err(|source| PatchError::Read {
            path: path.to_owned(),
            source,
        })?;
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy();
        Self::parse(&name, &text)
    }

    /// Reads one patch from its text. `name` is for messages.
    ///
    /// # Errors
    /// [`PatchError::Syntax`].
    pub fn parse(name: &str, text: &str) -> Result<Self, PatchError> {
        let Some(whole_lines) = text.strip_suffix('\n') else {
            return Err(PatchError::Syntax {
                patch: name.to_owned(),
                line: text.lines().count(),
                problem: "the last line has no line break: the patch may be cut off".to_owned(),
            });
        };
        Parser {
            name,
            // Not `lines()`: a carriage return belongs to the line.
            lines: whole_lines.split('\n').enumerate().peekable(),
        }
        .patch()
    }

    /// The files that the patch changes, relative to the crate.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// The value of a header field such as `Subject`, without its continuation lines.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.header
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }

    /// The whole value of a header field such as `Description`, with its line breaks.
    pub fn whole_field(&self, name: &str) -> Option<String> {
        let mut lines = self.header.lines();
        let first = lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?
            .trim();
        let more = lines
            .map_while(|line| line.strip_prefix(' '))
            .map(str::trim);
        Some(
            std::iter::once(first)
                .chain(more)
                .collect::<Vec<_>>()
                .join("\n"),
        )
    }

    /// The fork's own modules that the patch calls, as its header names them.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        let named = self.field(CALLS).unwrap_or_default().split(',');
        named.map(str::trim).filter(|name| !name.is_empty())
    }

    /// True if the patch is never to be sent upstream: it is of use in the fork only.
    pub fn is_fork_only(&self) -> bool {
        self.field("Forwarded") == Some("not-needed")
    }

    /// The lines that the patch adds, with their line breaks.
    pub fn added_lines(&self) -> impl Iterator<Item = &str> {
        let hunks = self.files.iter().flat_map(|file| &file.hunks);
        hunks
            .flat_map(|hunk| &hunk.lines)
            .filter_map(|line| match line {
                Line::Add(line) => Some(line.as_str()),
                Line::Context(_) | Line::Remove(_) => None,
            })
    }

    /// Added and removed lines.
    pub fn changed_lines(&self) -> (usize, usize) {
        let lines = || {
            self.files
                .iter()
                .flat_map(|file| &file.hunks)
                .flat_map(|hunk| &hunk.lines)
        };
        (
            lines().filter(|l| matches!(l, Line::Add(_))).count(),
            lines().filter(|l| matches!(l, Line::Remove(_))).count(),
        )
    }

    /// The most lines of context that a change has on one side. A run of context between two changes of a
    /// hunk serves both, so that each has half of it.
    pub fn widest_context(&self) -> usize {
        let mut widest = 0;
        for hunk in self.files.iter().flat_map(|file| &file.hunks) {
            let runs: Vec<&[Line]> = hunk
                .lines
                .split(|line| !matches!(line, Line::Context(_)))
                .collect();
            for (number, run) in runs.iter().enumerate() {
                let outer = number == 0 || number + 1 == runs.len();
                widest = widest.max(if outer {
                    run.len()
                } else {
                    run.len().div_ceil(2)
                });
            }
        }
        widest
    }

    /// True if the other patch makes the same changes with the same header, be it at other lines.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let changes = |patch: &Self| -> Vec<(PathBuf, Vec<Vec<Line>>)> {
            let lines =
                |change: &FileChange| change.hunks.iter().map(|h| h.lines.clone()).collect();
            let files = patch.files.iter();
            files
                .map(|change| (change.path.clone(), lines(change)))
                .collect()
        };
        self.header == other.header && changes(self) == changes(other)
    }

    /// Applies the patch to `files`, which hold what was changed of the crate in `root` before.
    pub(crate) fn apply(
        &self,
        files: &mut BTreeMap<PathBuf, String>,
        root: &Path,
    ) -> Result<(), ApplyError> {
        for change in &self.files {
            let text = match files.remove(&change.path) {
                Some(text) => text,
                None => std::fs::read_to_string(root.join(&change.path)).map_err(|source| {
                    ApplyError::Read {
                        patch: self.name.clone(),
                        file: change.path.clone(),
                        source,
                    }
                })?,
            };
            let patched = self.apply_to(change, &text)?;
            files.insert(change.path.clone(), patched);
        }
        Ok(())
    }

    fn apply_to(&self, change: &FileChange, text: &str) -> Result<String, ApplyError> {
        // With their line ends: a carriage return, or a missing line break at the end, is part of the line.
        let old: Vec<&str> = text.split_inclusive('\n').collect();
        let mut new: Vec<&str> = Vec::with_capacity(old.len());
        let mut at = 0;
        for hunk in &change.hunks {
            let Some(untouched) = old.get(at..hunk.old_before) else {
                return Err(self.mismatch(change, old.len(), "more lines", None));
            };
            new.extend(untouched);
            at = hunk.old_before;
            for line in &hunk.lines {
                match line {
                    Line::Add(line) => new.push(line),
                    Line::Context(expected) | Line::Remove(expected) => {
                        let found = old.get(at).copied();
                        if found != Some(expected) {
                            return Err(self.mismatch(change, at, &shown(expected), found));
                        }
                        if matches!(line, Line::Context(_)) {
                            new.push(expected);
                        }
                        at += 1;
                    }
                }
            }
        }
        new.extend(&old[at..]);
        // Only a file's last line can be without a line break; another one would run into the next.
        if let Some(end) = new.iter().position(|line| !line.ends_with('\n'))
            && let Some(more) = new.get(end + 1).copied()
        {
            return Err(self.mismatch(change, end + 1, "the end of the file", Some(more)));
        }
        Ok(new.concat())
    }

    fn mismatch(
        &self,
        change: &FileChange,
        at: usize,
        expected: &str,
        found: Option<&str>,
    ) -> ApplyError {
        ApplyError::Mismatch {
            patch: self.name.clone(),
            file: change.path.clone(),
            line: at + 1,
            expected: expected.to_owned(),
            found: found.map_or_else(|| "the end of the file".to_owned(), shown),
        }
    }
}

/// A line for a message, so that a difference in the line end can be seen.
pub(crate) fn shown(line: &str) -> String {
    match line.strip_suffix('\n') {
        Some(line) => format!("`{}`", line.replace('\r', "\\r")),
        None => format!("`{line}` without a line break"),
    }
}

struct Parser<'a> {
    name: &'a str,
    lines: std::iter::Peekable<std::iter::Enumerate<std::str::Split<'a, char>>>,
}

impl Parser<'_> {
    fn error(&self, line: usize, problem: impl Into<String>) -> PatchError {
        PatchError::Syntax {
            patch: self.name.to_owned(),
            line: line + 1,
            problem: problem.into(),
        }
    }

    fn patch(mut self) -> Result<Patch, PatchError> {
        let mut header = Vec::new();
        loop {
            match self.lines.next() {
                Some((_, "---")) => break,
                Some((at, line)) if line.ends_with('\r') => {
                    return Err(self.error(
                        at,
                        "the line ends in a carriage return: something converted the patch's line ends; \
                         check it out without (git: core.autocrlf=false)",
                    ));
                }
                Some((_, line)) => header.push(line),
                None => return Err(self.error(header.len(), "no line `---` ends the header")),
            }
        }
        let mut files: Vec<FileChange> = Vec::new();
        while let Some((at, line)) = self.lines.next() {
            if line.starts_with("diff --git ") {
                continue;
            }
            let Some(old) = line.strip_prefix("--- a/") else {
                return Err(self.error(
                    at,
                    format!(
                        "expected `--- a/FILE` or the next hunk, found `{line}`; a patch changes \
                         existing files only: a new file belongs in the fork's `src`"
                    ),
                ));
            };
            let path = PathBuf::from(old);
            if !path.components().all(|c| matches!(c, Component::Normal(_))) {
                return Err(self.error(at, "the path reaches outside the crate"));
            }
            if !SOURCE_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
                return Err(self.error(
                    at,
                    "the path is not below `src` or `tests`, and nothing else is checked and the same in \
                     every copy of the crate",
                ));
            }
            match self.lines.next() {
                Some((_, line)) if line.strip_prefix("+++ b/") == Some(old) => {}
                _ => return Err(self.error(at + 1, format!("expected `+++ b/{old}`"))),
            }
            if files.iter().any(|file| file.path == path) {
                return Err(self.error(at, "the file was changed above: use one section per file"));
            }
            let hunks = self.hunks()?;
            if hunks.is_empty() {
                return Err(self.error(at, "no hunk follows"));
            }
            files.push(FileChange { path, hunks });
        }
        if files.is_empty() {
            return Err(self.error(header.len(), "the patch changes nothing"));
        }
        Ok(Patch {
            name: self.name.to_owned(),
            header: header.join("\n"),
            files,
        })
    }

    /// The hunks of one file. Their line numbers must agree with each other, in the old file and in the
    /// new one: a hunk has one place only.
    fn hunks(&mut self) -> Result<Vec<Hunk>, PatchError> {
        let mut hunks = Vec::new();
        let (mut old_end, mut new_end) = (0, 0);
        while let Some((at, line)) = self.lines.next_if(|(_, line)| line.starts_with("@@ ")) {
            let ranges = line
                .strip_prefix("@@ -")
                .and_then(|rest| rest.strip_suffix(" @@"))
                .and_then(|rest| rest.split_once(" +"))
                .and_then(|(old, new)| Some((Range::parse(old)?, Range::parse(new)?)));
            let Some((old, new)) = ranges else {
                return Err(self.error(at, "expected `@@ -LINE,COUNT +LINE,COUNT @@`"));
            };
            if old.before < old_end {
                return Err(self.error(at, "the hunk starts before the end of the one above"));
            }
            if old.before - old_end != new.before.wrapping_sub(new_end) {
                return Err(self.error(
                    at,
                    "the new file's line number disagrees with the hunks above",
                ));
            }
            (old_end, new_end) = (old.before + old.count, new.before + new.count);
            hunks.push(Hunk {
                old_before: old.before,
                lines: self.hunk_lines(at, old.count, new.count)?,
            });
        }
        Ok(hunks)
    }

    fn hunk_lines(
        &mut self,
        head: usize,
        mut old: usize,
        mut new: usize,
    ) -> Result<Vec<Line>, PatchError> {
        let mut lines = Vec::new();
        while old > 0 || new > 0 {
            let Some((at, line)) = self.lines.next() else {
                return Err(self.error(head, "the hunk is shorter than it says"));
            };
            let kind = match line.get(..1) {
                Some(" ") => Line::Context,
                Some("-") => Line::Remove,
                Some("+") => Line::Add,
                _ => return Err(self.error(at, "a hunk line starts with ` `, `-` or `+`")),
            };
            // Git's mark for a file whose last line has no line break.
            let end = match self.lines.next_if(|(_, line)| line.starts_with("\\ ")) {
                Some(_) => "",
                None => "\n",
            };
            let line = kind(format!("{}{end}", &line[1..]));
            let too_long = || self.error(at, "the hunk is longer than it says");
            let (takes_old, takes_new) = match line {
                Line::Context(_) => (1, 1),
                Line::Remove(_) => (1, 0),
                Line::Add(_) => (0, 1),
            };
            old = old.checked_sub(takes_old).ok_or_else(too_long)?;
            new = new.checked_sub(takes_new).ok_or_else(too_long)?;
            lines.push(line);
        }
        if lines.iter().all(|line| matches!(line, Line::Context(_))) {
            return Err(self.error(head, "the hunk changes nothing"));
        }
        Ok(lines)
    }
}

/// One side of a hunk's head.
struct Range {
    /// Lines of the file before the hunk.
    before: usize,
    count: usize,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (start, count) = text.split_once(',').unwrap_or((text, "1"));
        let (start, count) = (start.parse::<u32>().ok()?, count.parse::<u32>().ok()?);
        // Lines count from 1; but a hunk without lines on this side names the line before it.
        let before = if count == 0 {
            start
        } else {
            start.checked_sub(1)?
        };
        Some(Self {
            before: before as usize,
            count: count as usize,
        })
    }
}

/// The paths of the patches in a folder, listed in its series or not.
///
/// # Errors
/// If the folder can't be read.
pub fn patch_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".patch") {
            found.push(entry.path());
        }
    }
    Ok(found)
}
