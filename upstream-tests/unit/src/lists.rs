//! The lists of tests that can't pass, each with its reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::run::Test;

/// A list: the tests of all crates, as `(crate, test)`, with their reasons.
pub type List = BTreeMap<(String, Test), Reason>;

/// The reason for which a test is on a list.
#[derive(Debug, Clone)]
pub struct Reason {
    /// The words.
    pub text: String,
    /// True if the test runs nevertheless, so that the list is checked.
    pub runs: bool,
}

/// The three lists.
#[derive(Debug)]
pub struct Lists {
    /// Tests that lack what the published crate doesn't hold.
    pub impossible: List,
    /// Tests that fail on upstream for another reason.
    pub upstream: List,
    /// Tests that enforcement refuses on purpose.
    pub intended: List,
}

impl Lists {
    /// Reads the lists in `folder`.
    ///
    /// # Errors
    /// A list can't be read, or has a line that is nothing.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let load = |name: &str| {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
            parse(&text).with_context(|| format!("{}", path.display()))
        };
        Ok(Self {
            impossible: load("impossible.txt")?,
            upstream: load("upstream-fails.txt")?,
            intended: load("intended.txt")?,
        })
    }
}

/// A line is a comment (`#`), a reason (`reason: …`, or `not run: …`), or a test to which the reason above applies:
/// `CRATE PROGRAM NAME`.
fn parse(text: &str) -> anyhow::Result<List> {
    let mut list = List::new();
    let mut reason = None;
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(text) = line.strip_prefix("reason: ") {
            reason = Some(Reason {
                text: text.to_owned(),
                runs: true,
            });
        } else if let Some(text) = line.strip_prefix("not run: ") {
            reason = Some(Reason {
                text: text.to_owned(),
                runs: false,
            });
        } else if let [package, target, name] = line.splitn(3, ' ').collect::<Vec<_>>()[..] {
            let reason = reason
                .clone()
                .with_context(|| format!("`{line}` has no reason"))?;
            let test = (package.to_owned(), (target.to_owned(), name.to_owned()));
            if list.insert(test, reason).is_some() {
                bail!("`{line}` is there twice");
            }
        } else {
            bail!("`{line}` is neither a reason nor CRATE PROGRAM NAME");
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_test_has_the_reason_above_it() -> anyhow::Result<()> {
        let list =
            parse("# list\nreason: no file\na lib b::c\na t d e\n\nnot run: net\na lib f\n")?;
        let of = |target: &str, name: &str| &list[&("a".into(), (target.into(), name.into()))];
        assert_eq!(
            (of("lib", "b::c").text.as_str(), of("t", "d e").runs),
            ("no file", true)
        );
        assert_eq!(
            (of("lib", "f").text.as_str(), of("lib", "f").runs),
            ("net", false)
        );
        Ok(())
    }

    #[test]
    fn a_line_without_a_reason_or_a_test_is_an_error() {
        for text in [
            "a lib b\n",
            "reason: r\na lib\n",
            "reason: r\na lib b\na lib b\n",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
