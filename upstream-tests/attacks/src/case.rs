//! Cases, as text: what is granted, and then one line for each thing that the module or the host does.
//!
//! ```text
//! case NAME: what is reached where nothing stops it
//! grant data granted rwc
//! host symlink $T/outside/file granted/sub/link
//! put data evil
//! rename data evil data sub/link
//! ```
//!
//! `$T` is the temporary directory on the host, `$UP` the way up, `$TOP` the host's root. A line may end
//! in `=` and what it has to come to: `ok`, the name of an error number, or `refused`, any of those that a
//! refusal can have.

use std::fmt;

use anyhow::{Context, bail};

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The name.
    pub name: String,
    /// The effect where nothing stops the attack, in one line.
    pub effect: String,
    /// Names inside, directories, and the rights as letters: `r`ead, `w`rite, `c`reate.
    pub grants: Vec<(String, String, String)>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// The error numbers that say that something is not allowed, or that it isn't there.
const REFUSED: [&str; 9] = [
    "acces",
    "badf",
    "busy",
    "inval",
    "noent",
    "notcapable",
    "perm",
    "rofs",
    "xdev",
];

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The subject and the action, in words.
    pub words: Vec<String>,
    /// The results that are expected; empty if they don't matter.
    pub expected: Vec<String>,
}

impl Case {
    /// Reads cases.
    ///
    /// # Errors
    /// If a line isn't as above.
    pub fn parse_all(text: &str) -> anyhow::Result<Vec<Self>> {
        let mut cases: Vec<Self> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(head) = line.strip_prefix("case ") {
                let (name, effect) = head
                    .split_once(": ")
                    .with_context(|| format!("`{line}` has no effect"))?;
                if cases.iter().any(|case| case.name == name) {
                    bail!("two cases are called {name}");
                }
                cases.push(Self {
                    name: name.to_owned(),
                    effect: effect.to_owned(),
                    grants: Vec::new(),
                    steps: Vec::new(),
                });
                continue;
            }
            let case = cases
                .last_mut()
                .with_context(|| format!("`{line}` is in no case"))?;
            let (words, expected) = line.rsplit_once(" = ").unwrap_or((line, ""));
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            match words.as_slice() {
                [first, name, place, rights] if first == "grant" => {
                    case.grants
                        .push((name.clone(), place.clone(), rights.clone()));
                }
                _ => case.steps.push(Step {
                    words,
                    expected: expected.split_whitespace().map(str::to_owned).collect(),
                }),
            }
        }
        Ok(cases)
    }

    /// True if a runner's mapping says the same: it records no rights.
    #[must_use]
    pub fn grants_everything(&self) -> bool {
        self.grants.iter().all(|(_, _, rights)| rights == "rwc")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "case {}: {}", self.name, self.effect)?;
        for (name, place, rights) in &self.grants {
            writeln!(f, "grant {name} {place} {rights}")?;
        }
        for step in &self.steps {
            writeln!(f, "{}", step.words.join(" "))?;
        }
        Ok(())
    }
}

impl Step {
    /// True if the case may come to this.
    #[must_use]
    pub fn expects(&self, came_to: &str) -> bool {
        self.expected.is_empty()
            || self
                .expected
                .iter()
                .any(|expected| match expected.as_str() {
                    "refused" => REFUSED.contains(&came_to),
                    expected => expected == came_to,
                })
    }
}
