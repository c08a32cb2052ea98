//! Trying a series on a source that it wasn't made for.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::patch::{FileChange, Hunk, Line, shown};
use crate::{ApplyError, Patch};

/// As many lines on each side of a hunk are compared to tell the places apart where its own would fit: with
/// one line of context, that is often a brace.
const SURROUNDINGS: usize = 10;

/// Fewer equal lines around a hunk are no sign that it is the same place.
const ENOUGH: usize = 2;

/// Two sources: the one that a series is made for, and another one that it is tried on.
#[derive(Debug)]
pub struct Trial {
    fitting: Source,
    other: Source,
}

/// A crate, and what patches made of its files.
#[derive(Debug)]
struct Source {
    root: PathBuf,
    files: BTreeMap<PathBuf, String>,
}

impl Source {
    fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: BTreeMap::new(),
        }
    }

    fn read(&self, file: &Path) -> std::io::Result<String> {
        match self.files.get(file) {
            Some(text) => Ok(text.clone()),
            None => std::fs::read_to_string(self.root.join(file)),
        }
    }
}

/// The fit of a patch on the other source.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The patch's file name.
    pub patch: String,
    /// The hunks whose place is another one.
    pub shifts: Vec<Shift>,
    /// The hunks that have no place. The patch was applied without them.
    pub misfits: Vec<Misfit>,
}

/// A hunk whose lines, and the lines around them, stand elsewhere.
#[derive(Debug, Clone)]
pub struct Shift {
    /// The file, relative to the crate.
    pub file: PathBuf,
    /// Line in the other source where the hunk fits, from 1.
    pub line: usize,
    /// The number of lines further down than the patch says; up if negative.
    pub by: isize,
}

/// A hunk that has no place.
#[derive(Debug, Clone)]
pub struct Misfit {
    /// The file, relative to the crate.
    pub file: PathBuf,
    /// Line in the other source where the hunk should fit and doesn't, from 1.
    pub line: usize,
    /// The problem on that line.
    pub problem: String,
}

impl Trial {
    /// Takes the crate in `fitting`, which the patches fit exactly, and the one in `other`. Nothing is
    /// written to either.
    pub fn new(fitting: &Path, other: &Path) -> Self {
        Self {
            fitting: Source::new(fitting),
            other: Source::new(other),
        }
    }

    /// Applies the next patch to both, to the other one as far as it goes.
    ///
    /// # Errors
    /// [`ApplyError`] if the patch doesn't apply to the source that it is made for, or a file of the other
    /// one is there and can't be read.
    pub fn patch(&mut self, patch: &Patch) -> Result<Outcome, ApplyError> {
        let mut outcome = Outcome {
            patch: patch.name.clone(),
            shifts: Vec::new(),
            misfits: Vec::new(),
        };
        for change in &patch.files {
            let read = |source: &Source| source.read(&change.path);
            let unreadable = |source| ApplyError::Read {
                patch: patch.name.clone(),
                file: change.path.clone(),
                source,
            };
            let fitting = read(&self.fitting).map_err(unreadable)?;
            match read(&self.other) {
                Ok(other) => {
                    let patched = outcome.apply(change, &fitting, &other);
                    self.other.files.insert(change.path.clone(), patched);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    outcome.misfits.push(Misfit {
                        file: change.path.clone(),
                        line: change.hunks.first().map_or(1, |hunk| hunk.old_before + 1),
                        problem: "the file is not there".to_owned(),
                    });
                }
                Err(error) => return Err(unreadable(error)),
            }
        }
        self.leave_out(patch)?;
        Ok(outcome)
    }

    /// Applies the next patch to the source that it is made for only.
    ///
    /// # Errors
    /// [`ApplyError`] if it doesn't apply there.
    pub fn leave_out(&mut self, patch: &Patch) -> Result<(), ApplyError> {
        patch.apply(&mut self.fitting.files, &self.fitting.root)
    }

    /// The files of the other source that were patched, relative to the crate, and what they hold now.
    pub fn patched(&self) -> impl Iterator<Item = (&Path, &str)> {
        let files = self.other.files.iter();
        files.map(|(path, text)| (path.as_path(), text.as_str()))
    }
}

impl Outcome {
    /// True if each hunk has a place, be it another one.
    pub fn applies(&self) -> bool {
        self.misfits.is_empty()
    }

    /// True if the patch applies as it stands.
    pub fn is_exact(&self) -> bool {
        self.applies() && self.shifts.is_empty()
    }

    /// `other` with those hunks of `change` that have a place in it.
    fn apply(&mut self, change: &FileChange, fitting: &str, other: &str) -> String {
        let fitting: Vec<&str> = fitting.split_inclusive('\n').collect();
        let other: Vec<&str> = other.split_inclusive('\n').collect();
        let mut patched: Vec<&str> = Vec::with_capacity(other.len());
        let (mut done, mut offset) = (0, 0);
        for hunk in &change.hunks {
            match place(hunk, &fitting, &other, done, offset) {
                Ok(place) => {
                    offset = distance(hunk.old_before, place);
                    if offset != 0 {
                        self.shifts.push(Shift {
                            file: change.path.clone(),
                            line: place + 1,
                            by: offset,
                        });
                    }
                    patched.extend(&other[done..place]);
                    patched.extend(hunk.lines.iter().filter_map(|line| match line {
                        Line::Context(line) | Line::Add(line) => Some(line.as_str()),
                        Line::Remove(_) => None,
                    }));
                    done = place + old_lines(hunk).count();
                }
                Err((line, problem)) => self.misfits.push(Misfit {
                    file: change.path.clone(),
                    line: line + 1,
                    problem,
                }),
            }
        }
        patched.extend(&other[done..]);
        patched.concat()
    }
}

/// Finds the place in `other`, from line `from` on, where the hunk fits: its own lines, between those that
/// stand around them in `fitting`. If there is no such place, a line and what is wrong there; `offset` is
/// how far the hunk before it was shifted.
fn place(
    hunk: &Hunk,
    fitting: &[&str],
    other: &[&str],
    from: usize,
    offset: isize,
) -> Result<usize, (usize, String)> {
    let own: Vec<&str> = old_lines(hunk).collect();
    let fits: Vec<(usize, usize)> = (from..=other.len())
        .filter(|at| other[*at..].starts_with(&own))
        .map(|at| (alike_around(hunk, own.len(), fitting, other, at), at))
        .collect();
    let best = fits.iter().map(|(alike, _)| *alike).max();
    let mut best = fits.iter().filter(|(alike, _)| Some(*alike) == best);
    let expected = hunk.old_before.saturating_add_signed(offset);
    match (best.next(), best.next()) {
        (Some((alike, at)), None) if *alike >= ENOUGH => Ok(*at),
        (Some((_, at)), None) => Err((
            *at,
            "the changed lines are here, but the lines around them differ".to_owned(),
        )),
        (Some((alike, at)), Some(_)) => {
            let others = best.count();
            match fits.iter().find(|fit| **fit == (*alike, expected)) {
                Some((_, at)) if *alike >= ENOUGH => Ok(*at),
                _ => Err((
                    *at,
                    format!("it fits here and at {} more places", others + 1),
                )),
            }
        }
        (None, _) => {
            let differs = |(at, line): &(usize, &&str)| other.get(expected + at) != Some(*line);
            let (at, line) = own.iter().enumerate().find(differs).unwrap_or((0, &""));
            let found = other.get(expected + at);
            let found = found.map_or_else(|| "the end of the file".to_owned(), |line| shown(line));
            let problem = format!("expected {}, found {found}", shown(line));
            Err((expected + at, problem))
        }
    }
}

/// Counts the lines before and after the hunk that are the same in `fitting`, and in `other` if the hunk starts at
/// `at` there, without a gap. Where both files end, they go on being the same.
fn alike_around(hunk: &Hunk, own: usize, fitting: &[&str], other: &[&str], at: usize) -> usize {
    let alike = |back: bool| {
        let next = |file: &[&str], start: usize, step: usize| {
            let index = if back {
                start.checked_sub(step + 1)
            } else {
                Some(start + own + step)
            };
            index.and_then(|index| file.get(index).copied().map(str::to_owned))
        };
        (0..SURROUNDINGS)
            .take_while(|step| next(fitting, hunk.old_before, *step) == next(other, at, *step))
            .count()
    };
    alike(true) + alike(false)
}

/// The lines of the old file that the hunk covers.
fn old_lines(hunk: &Hunk) -> impl Iterator<Item = &str> {
    hunk.lines.iter().filter_map(|line| match line {
        Line::Context(line) | Line::Remove(line) => Some(line.as_str()),
        Line::Add(_) => None,
    })
}

fn distance(from: usize, to: usize) -> isize {
    // Line counts of files in memory.
    to as isize - from as isize
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.patch)?;
        if self.is_exact() {
            return write!(f, "applies exactly");
        }
        if !self.applies() {
            write!(f, "fails")?;
            for misfit in &self.misfits {
                let Misfit {
                    file,
                    line,
                    problem,
                } = misfit;
                write!(f, "\n  {}, line {line}: {problem}", file.display())?;
            }
            return Ok(());
        }
        write!(f, "applies shifted")?;
        let mut file = None;
        let mut by = 0;
        for shift in &self.shifts {
            if file != Some(&shift.file) {
                write!(f, "\n  {}: {:+}", shift.file.display(), shift.by)?;
            } else if by != shift.by {
                write!(f, ", {:+}", shift.by)?;
            }
            (file, by) = (Some(&shift.file), shift.by);
        }
        Ok(())
    }
}
