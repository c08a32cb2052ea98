//! The list of known differences, `known-differences.txt`.
//!
//! ```text
//! known: preview 1 asks for rights before the kernel is asked
//!   read(file.w*) badf/notcapable
//! open: mkdir of a name that exists succeeds
//!   mkdir(file) exist/ok @ preopen fs
//! ```
//!
//! `known` is a difference with a reason, `open` a fault that is to be fixed. Below stand the keys, in which `*` stands
//! for anything:
//!
//! | | |
//! |---|---|
//! | `CALL(SITUATION) NATIVE/MODULE` | the results differ |
//! | `CALL(SITUATION).FIELD` | both succeeded and returned something else |
//! | `CALL(SITUATION).disk.FIELD` | the directories differ after the call |
//!
//! A key begins with `hardened` where every protection was asked for, and is matched without this word too.
//! [`crate::situation`] has the situations. Behind `@` are the ways in that have the difference, all of them by default;
//! `privileged`, where only root sees it, by mounting; `unprivileged`, where root doesn't; and `rare`, where a run may
//! not show it. Each other key has to occur in the kept cases, through each of its ways in. One that doesn't is to be
//! removed, which `cases --prune` does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, bail, ensure};

use crate::way::Way;

/// The beginning of keys where every protection was asked for.
pub const HARDENED: &str = "hardened ";

/// The standing of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// With a reason.
    Known,
    /// A fault that is to be fixed.
    Open,
}

/// A pattern of keys.
#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    ways: Vec<Way>,
    privileged: bool,
    unprivileged: bool,
    rare: bool,
}

/// A reason or a fault, with its keys.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The standing.
    pub standing: Standing,
    /// The reason, or the fault's description.
    pub reason: String,
    patterns: Vec<Pattern>,
}

/// The list, with the number of differences that were matched by each key through each way in.
#[derive(Debug, Default, Clone)]
pub struct List {
    head: String,
    entries: Vec<Entry>,
    met: BTreeMap<(usize, usize, Way), u64>,
}

impl List {
    /// Reads a list.
    ///
    /// # Errors
    /// If a line isn't as above.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut list = Self::default();
        for line in text.lines() {
            if line.starts_with('#') || line.trim().is_empty() {
                if list.entries.is_empty() {
                    list.head += line;
                    list.head.push('\n');
                }
                continue;
            }
            if line.starts_with(' ') {
                let entry = list.entries.last_mut().context("a key below nothing")?;
                let pattern = Pattern::parse(line.trim()).with_context(|| line.to_owned())?;
                entry.patterns.push(pattern);
                continue;
            }
            let (standing, reason) = line.split_once(": ").with_context(|| line.to_owned())?;
            let standing = match standing {
                "known" => Standing::Known,
                "open" => Standing::Open,
                _ => bail!("`{line}` is neither known nor open"),
            };
            list.entries.push(Entry {
                standing,
                reason: reason.to_owned(),
                patterns: Vec::new(),
            });
        }
        Ok(list)
    }

    /// The entry that a difference is matched by, if any, which counts it.
    pub fn meet(&mut self, key: &str, way: Way) -> Option<&Entry> {
        let (entry, pattern) = self.find(key, way)?;
        *self.met.entry((entry, pattern, way)).or_default() += 1;
        self.entries.get(entry)
    }

    /// The entry that a difference is matched by, if any.
    #[must_use]
    pub fn get(&self, key: &str, way: Way) -> Option<&Entry> {
        self.find(key, way)
            .and_then(|(entry, _)| self.entries.get(entry))
    }

    fn find(&self, key: &str, way: Way) -> Option<(usize, usize)> {
        let mut entries = self.entries.iter().enumerate();
        entries.find_map(|(index, entry)| {
            let mut patterns = entry.patterns.iter();
            let plain = key.strip_prefix(HARDENED).unwrap_or(key);
            let fits = |text: &str| glob(text, key) || glob(text, plain);
            let at =
                patterns.position(|pattern| pattern.ways.contains(&way) && fits(&pattern.text));
            at.map(|at| (index, at))
        })
    }

    /// The faults that are open and the reasons that are known, with the number of differences through each way.
    #[must_use]
    pub fn counts(&self) -> Vec<(&Entry, [u64; 4])> {
        let mut counts = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let of = |way| {
                let met = self.met.iter();
                met.filter(|((at, _, by), _)| (*at, *by) == (index, way))
                    .map(|(_, count)| count)
                    .sum()
            };
            counts.push((entry, Way::ALL.map(of)));
        }
        counts
    }

    fn is_stale(&self, at: (usize, usize), pattern: &Pattern, way: Way, privileged: bool) -> bool {
        let unseen = match privileged {
            true => pattern.unprivileged,
            false => pattern.privileged,
        };
        let needed = !pattern.rare && !unseen;
        needed && !self.met.contains_key(&(at.0, at.1, way))
    }

    /// Keys that were not met through a way in that they name.
    #[must_use]
    pub fn stale(&self, privileged: bool) -> Vec<String> {
        let mut stale = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            for (at, pattern) in entry.patterns.iter().enumerate() {
                for way in &pattern.ways {
                    if self.is_stale((index, at), pattern, *way, privileged) {
                        let text = &pattern.text;
                        stale.push(format!("{text} @ {} ({})", way.name(), entry.reason));
                    }
                }
            }
        }
        stale
    }

    /// The list without what was not met.
    #[must_use]
    pub fn pruned(&self, privileged: bool) -> String {
        let mut text = self.head.clone();
        for (index, entry) in self.entries.iter().enumerate() {
            let mut lines = String::new();
            for (at, pattern) in entry.patterns.iter().enumerate() {
                let mut kept = pattern.clone();
                kept.ways
                    .retain(|way| !self.is_stale((index, at), pattern, *way, privileged));
                if !kept.ways.is_empty() {
                    lines += &kept.line();
                }
            }
            if !lines.is_empty() {
                // A `String` takes all.
                let _ = write!(text, "{}: {}\n{lines}", entry.standing.name(), entry.reason);
            }
        }
        text
    }
}

impl Pattern {
    fn parse(line: &str) -> anyhow::Result<Self> {
        let (text, words) = line.split_once(" @ ").unwrap_or((line, ""));
        let mut pattern = Self {
            text: text.to_owned(),
            ways: Vec::new(),
            privileged: false,
            unprivileged: false,
            rare: false,
        };
        for word in words.split_whitespace() {
            match word {
                "privileged" => pattern.privileged = true,
                "unprivileged" => pattern.unprivileged = true,
                "rare" => pattern.rare = true,
                way => pattern.ways.push(Way::parse(way)?),
            }
        }
        if pattern.ways.is_empty() {
            pattern.ways = Way::ALL.to_vec();
        }
        ensure!(!text.is_empty(), "no key");
        Ok(pattern)
    }

    fn line(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        if self.ways != Way::ALL {
            words.extend(self.ways.iter().map(|way| way.name()));
        }
        words.extend(self.privileged.then_some("privileged"));
        words.extend(self.unprivileged.then_some("unprivileged"));
        words.extend(self.rare.then_some("rare"));
        if words.is_empty() {
            return format!("  {}\n", self.text);
        }
        format!("  {} @ {}\n", self.text, words.join(" "))
    }
}

impl Standing {
    /// The word in the list.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Open => "open",
        }
    }
}

/// True if a text is as a pattern, in which `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, behind)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|at| rest.is_char_boundary(*at))
                .any(|at| glob(behind, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# head\n\nknown: a reason\n  read(file.w*) badf/notcapable\nopen: a fault\n  mkdir(*) exist/ok @ fs mount\n  race(*).grown @ rare\n";

    #[test]
    fn a_key_is_matched_by_its_pattern_through_its_ways_only() -> anyhow::Result<()> {
        let list = List::parse(TEXT)?;
        let standing = |key, way| list.get(key, way).map(|entry| entry.standing);
        assert_eq!(
            standing("read(file.wa.moved) badf/notcapable", Way::Fs),
            Some(Standing::Known)
        );
        assert_eq!(
            standing("mkdir(dir) exist/ok", Way::Fs),
            Some(Standing::Open)
        );
        assert_eq!(standing("mkdir(dir) exist/ok", Way::Preopen), None);
        assert_eq!(standing("mkdir(dir) exist/noent", Way::Fs), None);
        Ok(())
    }

    #[test]
    fn what_is_not_met_is_stale_and_pruned() -> anyhow::Result<()> {
        let mut list = List::parse(TEXT)?;
        assert!(list.meet("mkdir(dir) exist/ok", Way::Fs).is_some());
        assert_eq!(list.stale(true).len(), 5);
        assert_eq!(
            list.pruned(true),
            "# head\n\nopen: a fault\n  mkdir(*) exist/ok @ fs\n  race(*).grown @ rare\n"
        );
        Ok(())
    }
}
