//! The differences between the two sides: call by call, and on the disk after each.

use crate::case::Kind;
use crate::disk::DiskDifference;
use crate::outcome::Outcome;

/// A difference between the two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The call and its situation, with what differs: see [`crate::known`].
    pub key: String,
    /// The native side's.
    pub native: String,
    /// The module's.
    pub module: String,
}

/// A compared line: a call, with what it did to the directories.
#[derive(Debug, Clone)]
pub struct Line {
    /// The call's words.
    pub text: String,
    /// The native side's outcome.
    pub native: String,
    /// All differences.
    pub differences: Vec<Difference>,
}

/// All compared lines of a case.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The lines, in order.
    pub lines: Vec<Line>,
    /// The number of calls that were not compared, since the sides had gone apart.
    pub skipped: usize,
}

impl Comparison {
    /// Puts a word before all keys.
    pub fn mark(&mut self, word: &str) {
        for line in &mut self.lines {
            for difference in &mut line.differences {
                difference.key.insert_str(0, word);
            }
        }
    }

    /// All differences.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.lines.iter().flat_map(|line| &line.differences)
    }
}

/// Calls after which descriptors or positions are not the same any more if their outcomes differ.
const MOVING: [&str; 9] = [
    "open", "close", "renumber", "read", "write", "seek", "setflags", "race", "host",
];

pub(crate) fn difference(key: &str, native: &str, module: &str) -> Difference {
    Difference {
        key: key.to_owned(),
        native: native.to_owned(),
        module: module.to_owned(),
    }
}

pub(crate) fn differences(situation: &str, native: &Outcome, module: &Outcome) -> Vec<Difference> {
    if native.result != module.result {
        let key = format!("{situation} {}/{}", native.result, module.result);
        return vec![difference(&key, &native.line(), &module.line())];
    }
    let value = |outcome: &Outcome, field: &str| {
        let mut known = outcome.fields.iter();
        let found = known.find(|(name, _)| name == field);
        found.map_or_else(|| "nothing".to_owned(), |(_, value)| value.clone())
    };
    let names = native.fields.iter().chain(&module.fields);
    let mut fields: Vec<&str> = names.map(|(name, _)| &**name).collect();
    fields.sort_unstable();
    fields.dedup();
    // Of another kind of object, nothing else can be the same.
    if fields.contains(&"type") && value(native, "type") != value(module, "type") {
        fields = vec!["type"];
    }
    fields
        .into_iter()
        .map(|field| (field, value(native, field), value(module, field)))
        .filter(|(_, native, module)| native != module)
        .map(|(field, native, module)| {
            difference(&format!("{situation}.{field}"), &native, &module)
        })
        .collect()
}

/// True if the sides are in different states after this, so that nothing after it can be compared.
pub(crate) fn apart(line: &Line, disk: &[DiskDifference]) -> bool {
    let mut words = line.text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let call = match first == Kind::Apart.name() {
        true => words.nth(1).unwrap_or_default(),
        false => first,
    };
    let ended = |key: &str| {
        let ends = ["/crash", "/hang", "/trap"];
        ends.iter().any(|end| key.ends_with(end))
    };
    let moved = |found: &Difference| {
        let refused = [&found.native, &found.module]
            .iter()
            .all(|line| !is_ok(line) && is_result(found));
        MOVING.contains(&call) && !refused
    };
    let mut found = line.differences.iter();
    found.any(|found| ended(&found.key) || moved(found))
        || disk.iter().any(|difference| !difference.is_metadata())
}

/// True if only one side has done what was asked.
pub(crate) fn explains(found: &Difference) -> bool {
    is_result(found) && (is_ok(&found.native) || is_ok(&found.module))
}

/// True if the results differ, and not what was returned.
fn is_result(found: &Difference) -> bool {
    !found.key.contains(").")
}

/// True if metadata that a call returned differs as it does on the disk, which was reported when it came about.
pub(crate) fn already_on_disk(found: &Difference, disk: &[DiskDifference]) -> bool {
    let field = found.key.rsplit_once(").").map_or("", |(_, field)| field);
    disk.iter()
        .any(|known| known.is_metadata() && known.field == field)
}

fn is_ok(line: &str) -> bool {
    line.split(' ').next() == Some("ok")
}
