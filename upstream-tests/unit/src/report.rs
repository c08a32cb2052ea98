//! Judges the outcomes, and writes them down.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::ensure;

use crate::layout::CRATES;
use crate::lists::{List, Lists};
use crate::run::{Outcome, Test};

const HEAD: &str = "\
# Upstream's tests in the published crates

Written by `cargo run --release -p wasix-landlock-upstream-units`, checked with `-- --check`. The tests are upstream's,
unmodified. Each runs in a process of its own, on the published source and on the fork with enforcement on.

A test *reaches enforcement* if it passes on the fork, and fails there with an invalid value of `WASIX_LANDLOCK`. Such a
value fails in `build()`, so the test calls `build()` and then runs restricted.
";

/// The result of one crate.
#[derive(Debug)]
pub struct Report {
    name: String,
    rows: BTreeMap<String, Row>,
    impossible: Vec<(String, String)>,
    upstream_fails: Vec<(String, String)>,
    intended: Vec<(String, String)>,
    unneeded: Vec<String>,
    /// The errors: a difference, or an entry of a list that doesn't hold. With the test's output.
    pub wrong: Vec<String>,
}

/// The numbers of one program.
#[derive(Debug, Default, Clone, Copy)]
struct Row {
    tests: usize,
    ignored: usize,
    impossible: usize,
    upstream: usize,
    fork: usize,
    reaches: usize,
}

impl Report {
    /// Judges the outcomes on upstream, on the fork, of those that failed there with enforcement off, and of those
    /// that passed there with a mode that isn't one. `tests` says which ones upstream ignores.
    pub fn new(
        name: &str,
        tests: &BTreeMap<Test, bool>,
        lists: &Lists,
        [upstream, fork, off, nonsense]: [&BTreeMap<Test, Outcome>; 4],
    ) -> Self {
        let mut report = Self {
            name: name.to_owned(),
            rows: BTreeMap::new(),
            impossible: Vec::new(),
            upstream_fails: Vec::new(),
            intended: Vec::new(),
            unneeded: Vec::new(),
            wrong: Vec::new(),
        };
        let programs: BTreeSet<&str> = tests.keys().map(|(program, _)| program.as_str()).collect();
        for list in [&lists.impossible, &lists.upstream, &lists.intended] {
            report.check_names(list, &programs, tests);
        }
        for (test, ignored) in tests {
            let full = format!("{} {}", test.0, test.1);
            let key = (name.to_owned(), test.clone());
            let row = report.rows.entry(test.0.clone()).or_default();
            row.tests += 1;
            if *ignored {
                row.ignored += 1;
                continue;
            }
            let impossible = lists.impossible.get(&key);
            let (Some(on_upstream), Some(on_fork)) = (upstream.get(test), fork.get(test)) else {
                // It isn't to be run.
                if let Some(reason) = impossible {
                    row.impossible += 1;
                    report
                        .impossible
                        .push((full, format!("{} (not run)", reason.text)));
                }
                continue;
            };
            let known = lists.upstream.get(&key);
            let intended = lists.intended.get(&key);
            row.impossible += usize::from(impossible.is_some());
            row.upstream += usize::from(on_upstream.is_none());
            row.fork += usize::from(on_fork.is_none());
            row.reaches += usize::from(nonsense.get(test).is_some_and(Option::is_some));
            let mut wrong = |what: &str, output: &Outcome| {
                let output = output.as_deref().unwrap_or_default();
                report
                    .wrong
                    .push(format!("{name} {full}: {what}\n{}", indented(output)));
            };
            match (on_upstream, on_fork) {
                (None, _) if impossible.is_some() => {
                    wrong("listed as impossible, but passes on upstream", &None)
                }
                (None, _) if known.is_some() => {
                    wrong("listed as failing on upstream, but passes", &None)
                }
                (None, None) if intended.is_some() => {
                    wrong("listed as refused on purpose, but passes", &None)
                }
                (None, Some(_)) if intended.is_some() => {
                    if let Some(output @ Some(_)) = off.get(test) {
                        wrong(
                            "listed as refused on purpose, but fails without enforcement too",
                            output,
                        );
                    }
                }
                (None, None) => {}
                (None, Some(_)) => {
                    let passes_unenforced = off.get(test).is_some_and(Option::is_none);
                    let what = if passes_unenforced {
                        "without enforcement it passes"
                    } else {
                        "without enforcement too"
                    };
                    wrong(
                        &format!("passes on upstream and fails on the fork, {what}"),
                        on_fork,
                    );
                }
                (Some(_), _) if impossible.is_none() && known.is_none() => {
                    wrong("fails on upstream, and is on no list", on_upstream);
                }
                (Some(_), None) => report.unneeded.push(full.clone()),
                (Some(_), Some(_)) => {}
            }
            for (reason, to) in [
                (impossible, &mut report.impossible),
                (known, &mut report.upstream_fails),
                (intended, &mut report.intended),
            ] {
                to.extend(reason.map(|reason| (full.clone(), reason.text.clone())));
            }
        }
        report
    }

    /// A test on a list must exist, if the program that it is in was built.
    fn check_names(
        &mut self,
        list: &List,
        programs: &BTreeSet<&str>,
        tests: &BTreeMap<Test, bool>,
    ) {
        for (package, test) in list.keys() {
            let here = *package == self.name && programs.contains(test.0.as_str());
            if here && !tests.contains_key(test) {
                self.wrong.push(format!(
                    "{package} {} {}: listed, but there is no such test",
                    test.0, test.1
                ));
            }
        }
    }

    fn total(&self) -> Row {
        self.rows.values().fold(Row::default(), |sum, row| Row {
            tests: sum.tests + row.tests,
            ignored: sum.ignored + row.ignored,
            impossible: sum.impossible + row.impossible,
            upstream: sum.upstream + row.upstream,
            fork: sum.fork + row.fork,
            reaches: sum.reaches + row.reaches,
        })
    }

    /// A line.
    pub fn summary(&self) -> String {
        let Row {
            tests,
            ignored,
            impossible,
            upstream,
            fork,
            reaches,
        } = self.total();
        format!(
            "{}: {tests} tests, {upstream} pass on upstream, {fork} on the fork ({reaches} reach enforcement); \
             {impossible} impossible, {ignored} ignored by upstream, {} refused on purpose",
            self.name,
            self.intended.len()
        )
    }

    /// Returns the differences and the errors, with output.
    pub fn details(&self) -> String {
        let mut text = String::new();
        for (test, reason) in &self.intended {
            text.push_str(&format!(
                "{} {test}: refused on purpose: {reason}\n",
                self.name
            ));
        }
        for test in &self.unneeded {
            text.push_str(&format!(
                "{} {test}: fails on upstream and passes on the fork\n",
                self.name
            ));
        }
        for wrong in &self.wrong {
            text.push_str(wrong);
            text.push('\n');
        }
        text
    }

    /// The section of the results.
    fn section(&self) -> Result<String, std::fmt::Error> {
        let mut text = format!("\n## {}\n\n", self.name);
        text.push_str("| | tests | upstream passes | fork passes | of these, reach enforcement | impossible | ignored by upstream |\n");
        text.push_str("|---|---|---|---|---|---|---|\n");
        for (name, row) in &self.rows {
            let name = if name == "lib" {
                "unit tests".to_owned()
            } else {
                format!("`tests/{name}.rs`")
            };
            let Row {
                tests,
                ignored,
                impossible,
                upstream,
                fork,
                reaches,
            } = row;
            writeln!(
                text,
                "| {name} | {tests} | {upstream} | {fork} | {reaches} | {impossible} | {ignored} |"
            )?;
        }
        for (title, list) in [
            ("Refused by the fork on purpose", &self.intended),
            ("Fails on upstream", &self.upstream_fails),
            ("Impossible with the published files", &self.impossible),
        ] {
            let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (test, reason) in list {
                by_reason.entry(reason).or_default().push(test);
            }
            if !list.is_empty() {
                writeln!(text, "\n{title}: {}\n", list.len())?;
            }
            for (reason, tests) in by_reason {
                writeln!(text, "- {reason}:")?;
                for test in tests {
                    writeln!(text, "  - `{test}`")?;
                }
            }
        }
        if !self.unneeded.is_empty() {
            writeln!(
                text,
                "\nFails on upstream and passes on the fork: `{}`",
                self.unneeded.join("`, `")
            )?;
        }
        Ok(text)
    }
}

/// Writes the sections of `reports`, or compares them with what is there. Other sections stay as they are.
///
/// # Errors
/// The file can't be read or written, or differs.
pub fn update(path: &Path, reports: &[Report], check: bool) -> anyhow::Result<()> {
    let committed = fs::read_to_string(path).unwrap_or_default();
    let mut text = String::from(HEAD);
    for each in CRATES {
        let start = format!("\n## {}\n", each.name);
        if let Some(report) = reports.iter().find(|report| report.name == each.name) {
            let section = report.section()?;
            let same = !check || committed.contains(&section);
            ensure!(
                same,
                "RESULTS.md is not what this run gave for {}:\n{section}",
                each.name
            );
            text.push_str(&section);
        } else if let Some((_, rest)) = committed.split_once(&start) {
            text.push_str(&start);
            text.push_str(rest.split("\n## ").next().unwrap_or_default());
        }
    }
    if check {
        return Ok(());
    }
    Ok(fs::write(path, text)?)
}

/// `text`, as the details of a line.
pub fn indented(text: &str) -> String {
    text.lines()
        .fold(String::new(), |all, line| all + "    " + line + "\n")
}
