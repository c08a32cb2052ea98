//! Cases as text: one line for each call of the program, or for each change by the host.
//!
//! ```text
//! case NAME: description
//! ways fs mount                 only these ways in (all by default)
//! needs mount                   skipped, with the reason, where this can't be had
//! harden                        every protection is asked for
//! stdin pipe                    standard input: `null` (the default), `file`, `pipe`
//! host write p/f text           before the first call: made before the program starts
//! open p f rw as f0
//! host append p/f more
//! read f0 100
//! ```
//!
//! Lines that begin with `thread N`, or with `shared N` or `chaos N`, are the calls of that thread; those that follow
//! each other are made at the same time.
//!
//! `p` and `q` are directories that the program gets, `r` the root of the module's tree, in memory. `{x*300}` in a
//! word stands for 300 times `x`, `''` for the empty word. [`crate::native`] has the calls, [`crate::host`] what the
//! host can do.

use std::fmt;

use anyhow::{Context, bail, ensure};

use crate::way::Way;

/// The program's standard input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Input {
    /// `/dev/null`.
    #[default]
    Null,
    /// A file with a few bytes.
    File,
    /// A pipe that is open on the other side and has nothing in it.
    Pipe,
}

/// One sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The name, without spaces.
    pub name: String,
    /// One line about what the sequence shows.
    pub description: String,
    /// The ways in that it is run through.
    pub ways: Vec<Way>,
    /// True if file systems are mounted for it, which needs privileges.
    pub mounts: bool,
    /// Standard input.
    pub input: Input,
    /// True if every protection is asked for.
    pub harden: bool,
    /// The calls and the host's changes, in words.
    pub steps: Vec<Step>,
}

/// The way in which threads make calls at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Each in directories of its own, so that each call is compared.
    Apart,
    /// In one directory, where what has to hold is checked: see [`crate::shared`].
    Shared,
    /// In one directory, with descriptors that others close meanwhile.
    Chaos,
}

impl Kind {
    /// True if the threads begin with the program's descriptors.
    #[must_use]
    pub fn shares(self) -> bool {
        self != Self::Apart
    }

    /// The word before the thread's number.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apart => "thread",
            Self::Shared => "shared",
            Self::Chaos => "chaos",
        }
    }
}

/// One call, or one change by the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step(pub Vec<String>);

impl Step {
    /// Splits a line into words.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        Self(line.split_whitespace().map(str::to_owned).collect())
    }

    /// True if the host does it.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.0[0] == "host"
    }

    /// The thread that makes the call, if the program has several at that time.
    #[must_use]
    pub fn thread(&self) -> Option<(Kind, &str)> {
        let kinds = [Kind::Apart, Kind::Shared, Kind::Chaos];
        let kind = kinds.into_iter().find(|kind| kind.name() == self.0[0])?;
        Some((kind, self.0.get(1)?))
    }

    /// The words, with what is written in short made long.
    ///
    /// # Errors
    /// If a repetition isn't one.
    pub fn words(&self) -> anyhow::Result<Vec<String>> {
        self.0.iter().map(|word| expand(word)).collect()
    }
}

fn expand(word: &str) -> anyhow::Result<String> {
    if word == "''" {
        return Ok(String::new());
    }
    let mut out = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('{') {
        let (inner, behind) = after.split_once('}').context("`{` without `}`")?;
        let (text, count) = inner.rsplit_once('*').context("`{}` without `*`")?;
        out += before;
        out += &text.repeat(count.parse()?);
        rest = behind;
    }
    Ok(out + rest)
}

impl Case {
    /// A case without steps.
    #[must_use]
    pub fn new(name: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            ways: Way::ALL.to_vec(),
            mounts: false,
            input: Input::default(),
            harden: false,
            steps: Vec::new(),
        }
    }

    /// The number of threads that the module has at most.
    #[must_use]
    pub fn threads(&self) -> u32 {
        let numbers = self.steps.iter().filter_map(Step::thread);
        let numbers = numbers.filter_map(|(_, number)| number.parse().ok());
        numbers.max().unwrap_or_default()
    }

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
                let (name, description) = head
                    .split_once(": ")
                    .with_context(|| format!("`{line}` has no description"))?;
                ensure!(
                    cases.iter().all(|case| case.name != name),
                    "two cases are called {name}"
                );
                cases.push(Self::new(name, description));
                continue;
            }
            let case = cases
                .last_mut()
                .with_context(|| format!("`{line}` is in no case"))?;
            case.line(line).with_context(|| format!("`{line}`"))?;
        }
        Ok(cases)
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        let step = Step::parse(line);
        let words: Vec<&str> = step.0.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["ways", names @ ..] => {
                self.ways = names
                    .iter()
                    .map(|name| Way::parse(name))
                    .collect::<Result<_, _>>()?;
            }
            ["needs", "mount"] => self.mounts = true,
            ["harden"] => self.harden = true,
            ["stdin", "null"] => self.input = Input::Null,
            ["stdin", "file"] => self.input = Input::File,
            ["stdin", "pipe"] => self.input = Input::Pipe,
            ["needs" | "stdin", ..] => bail!("unknown"),
            _ => {
                step.words()?;
                self.steps.push(step);
            }
        }
        Ok(())
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "case {}: {}", self.name, self.description)?;
        if self.ways != Way::ALL {
            let ways: Vec<&str> = self.ways.iter().map(|way| way.name()).collect();
            writeln!(f, "ways {}", ways.join(" "))?;
        }
        if self.mounts {
            writeln!(f, "needs mount")?;
        }
        match self.input {
            Input::Null => {}
            Input::File => writeln!(f, "stdin file")?,
            Input::Pipe => writeln!(f, "stdin pipe")?,
        }
        if self.harden {
            writeln!(f, "harden")?;
        }
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
