//! A fork of another version: the series of a base, at the lines where it fits there.
//!
//! Such a fork has no series of its own. Its manifest names the base, and says which lines of the base's published
//! files stand elsewhere. A patch that differs is in its folder, under the name that it has in the base but for the
//! number.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::patch::{FileChange, Hunk, Line};
use crate::{Manifest, Patch, PatchError, patch_files};

/// Lines of the base's published file that stand elsewhere in this version's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Moved {
    /// The file, relative to the crate.
    pub file: PathBuf,
    /// The last line of the base's file that stays; those after it move.
    pub after: usize,
    /// The number of lines further down; up if negative.
    pub by: isize,
}

/// The patches of a fork that has a base with these patches.
pub(crate) fn patches(
    fork: &Path,
    manifest: &Manifest,
    base: &[Patch],
) -> Result<Vec<Patch>, PatchError> {
    let mut differing = differing(fork)?;
    let problem = |patch: &str, problem| PatchError::Series {
        patch: patch.to_owned(),
        problem,
    };
    let mut without: Vec<&str> = manifest.without.iter().map(String::as_str).collect();
    let mut places = Places::new(&manifest.moved);
    let mut patches = Vec::new();
    for patch in base {
        let slug = slug(&patch.name);
        if let Some(at) = without.iter().position(|name| *name == slug) {
            without.swap_remove(at);
            places.pass(patch, None)?;
            continue;
        }
        let own = differing.remove(slug);
        patches.push(match &own {
            Some(own) => own.clone(),
            None => places.patch(patch),
        });
        places.pass(patch, Some(own.as_ref().unwrap_or(patch)))?;
    }
    if let Some(name) = without.first() {
        return Err(problem(
            name,
            "left out by `without`, but the base has no such patch",
        ));
    }
    if let Some(patch) = differing.values().next() {
        return Err(problem(
            &patch.name,
            "the base has no patch of that name, so that this one would never be applied",
        ));
    }
    Ok(patches)
}

/// A patch's name without its number in the series.
pub fn slug(name: &str) -> &str {
    let name = name.strip_suffix(".patch").unwrap_or(name);
    match name.split_once('-') {
        Some((number, slug)) if number.bytes().all(|c| c.is_ascii_digit()) => slug,
        _ => name,
    }
}

/// The patches in the folder, by their names without a number.
fn differing(fork: &Path) -> Result<BTreeMap<String, Patch>, PatchError> {
    let read = |source| PatchError::Read {
        path: fork.to_owned(),
        source,
    };
    let mut found = BTreeMap::new();
    for path in patch_files(fork).map_err(read)? {
        let patch = Patch::load(&path)?;
        found.insert(slug(&patch.name).to_owned(), patch);
    }
    Ok(found)
}

/// The lines of each file from which on this version's stand elsewhere than the base's, as far as the series has been
/// applied to both.
struct Places(BTreeMap<PathBuf, Vec<(usize, isize)>>);

impl Places {
    fn new(moved: &[Moved]) -> Self {
        let mut places: BTreeMap<PathBuf, Vec<(usize, isize)>> = BTreeMap::new();
        for Moved { file, after, by } in moved {
            places.entry(file.clone()).or_default().push((*after, *by));
        }
        Self(places)
    }

    /// The base's patch, at this version's lines. If those can't be, it doesn't apply there.
    fn patch(&self, patch: &Patch) -> Patch {
        let mut here = patch.clone();
        for change in &mut here.files {
            let points = self.0.get(&change.path).map_or(&[][..], Vec::as_slice);
            for hunk in &mut change.hunks {
                let before = points.iter().filter(|(after, _)| *after <= hunk.old_before);
                let by = before.map(|(_, by)| by).sum();
                hunk.old_before = hunk.old_before.saturating_add_signed(by);
            }
        }
        here
    }

    /// Goes on behind the base's patch, in whose place `here` (or nothing) is applied in this version.
    fn pass(&mut self, base: &Patch, here: Option<&Patch>) -> Result<(), PatchError> {
        let hunks_here = |path: &Path| -> &[Hunk] {
            let change =
                here.and_then(|patch| patch.files.iter().find(|change| change.path == path));
            change.map_or(&[], |change| &change.hunks)
        };
        if let Some(patch) = here
            && let Some(strange) = patch.files.iter().find(|change| {
                !base.files.iter().any(|of_base| of_base.path == change.path)
                    && growth(&change.hunks) != 0
            })
        {
            return Err(PatchError::Syntax {
                patch: patch.name.clone(),
                line: 1,
                problem: format!(
                    "it makes {} longer or shorter, which the base's patch doesn't change",
                    strange.path.display()
                ),
            });
        }
        for change in &base.files {
            let differences = differences(change, hunks_here(&change.path));
            let points = self.0.entry(change.path.clone()).or_default();
            for (after, _) in points.iter_mut() {
                let grown = change.hunks.iter().filter(|hunk| hunk.old_before < *after);
                *after = after.saturating_add_signed(grown.map(growth_of).sum());
            }
            points.extend(differences);
        }
        Ok(())
    }
}

/// The ends of the base's hunks in its patched file, with the lines that this version's has more there.
fn differences(base: &FileChange, here: &[Hunk]) -> Vec<(usize, isize)> {
    let paired = base.hunks.len() == here.len();
    let (mut grown, mut found) = (0, Vec::new());
    for (at, hunk) in base.hunks.iter().enumerate() {
        grown += growth_of(hunk);
        let end = (hunk.old_before + old_lines(hunk)).saturating_add_signed(grown);
        let more = match here.get(at) {
            Some(here) if paired => growth_of(here) - growth_of(hunk),
            _ if here.is_empty() => -growth_of(hunk),
            // Hunks that were joined or divided: from the last one on.
            _ if at + 1 == base.hunks.len() => growth(here) - growth(&base.hunks),
            _ => 0,
        };
        if more != 0 {
            found.push((end, more));
        }
    }
    found
}

fn growth(hunks: &[Hunk]) -> isize {
    hunks.iter().map(growth_of).sum()
}

/// The lines that a hunk adds, less those that it removes.
fn growth_of(hunk: &Hunk) -> isize {
    let lines = hunk.lines.iter().map(|line| match line {
        Line::Add(_) => 1,
        Line::Remove(_) => -1,
        Line::Context(_) => 0,
    });
    lines.sum()
}

fn old_lines(hunk: &Hunk) -> usize {
    let lines = hunk.lines.iter();
    lines.filter(|line| !matches!(line, Line::Add(_))).count()
}
