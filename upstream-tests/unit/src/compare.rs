//! Runs upstream's fixture programs in both columns, and judges the differences.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{bail, ensure};

use crate::fixtures::{Compilers, Fixtures, HARNESS};
use crate::layout::{Crate, Layout};
use crate::lists::Lists;
use crate::run::{Mode, Outcome, Programs, Test};

/// The result of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passes,
    Fails,
    /// By its own comments, or by the harness.
    Ignored,
}

impl From<&Outcome> for Verdict {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            None => Self::Passes,
            // The harness decides it when the test runs, and doesn't list it as ignored.
            Some(text) if text.contains("0 passed; 0 failed; 1 ignored") => Self::Ignored,
            Some(_) => Self::Fails,
        }
    }
}

/// Runs the programs in `checkout` in both columns, and prints what came out.
///
/// # Errors
/// The checkout isn't one, something can't be built or run, or the fork fails what upstream passes.
pub fn fixtures(
    checkout: &Path,
    each: Crate,
    layouts: &[Layout],
    lists: &Lists,
    target_dir: &Path,
) -> anyhow::Result<()> {
    let fixtures = Fixtures::find(checkout, &Compilers::find())?;
    for line in &fixtures.skipped {
        println!("{line}");
    }
    if fixtures.count() == 0 {
        return Ok(());
    }
    let mut columns = Vec::new();
    for layout in layouts {
        if !fixtures.is_of(layout, each) {
            println!(
                "note: the harness in the checkout is not the published one: it is of another version"
            );
        }
        let variables = fixtures.put(layout, each)?;
        let mut programs = Programs::build(layout, each, &[HARNESS], target_dir)?;
        programs.set(variables);
        columns.push(programs);
    }
    let [upstream, fork] = &columns[..] else {
        bail!("there are two columns")
    };
    let tests = fixtures.tests(&upstream.list()?)?;
    ensure!(
        tests == fixtures.tests(&fork.list()?)?,
        "the fork doesn't have the same tests"
    );
    println!(
        "{} of upstream's fixture programs, {} tests, each in its own process",
        fixtures.count(),
        tests.len()
    );
    let on_upstream = upstream.run(&tests, Mode::Enforce)?;
    let on_fork = fork.run(&tests, Mode::Enforce)?;
    let which = |verdict: Verdict| -> Vec<Test> {
        tests
            .iter()
            .filter(|test| Verdict::from(&on_fork[*test]) == verdict)
            .cloned()
            .collect()
    };
    let off = fork.run(&which(Verdict::Fails), Mode::Off)?;
    let nonsense = fork.run(&which(Verdict::Passes), Mode::Nonsense)?;
    let intended = |test: &Test| {
        lists
            .intended
            .get(&(each.name.to_owned(), test.clone()))
            .map(|reason| reason.text.clone())
    };
    let mut judgement = Judgement::default();
    for test in &tests {
        let seen = [&on_upstream[test], &on_fork[test]];
        judgement.add(&test.1, seen, off.get(test), intended(test).as_deref());
    }
    for (_, test) in lists.intended.keys() {
        if test.0 == HARNESS && !tests.contains(test) {
            println!("note: {} is listed in intended.txt, and not here", test.1);
        }
    }
    print!("{}", judgement.text);
    let reach: BTreeSet<&Test> = nonsense
        .iter()
        .filter(|(_, outcome)| outcome.is_some())
        .map(|(test, _)| test)
        .collect();
    println!(
        "upstream's fixture programs: upstream passes {} and the fork {} of {}, {} of these under enforcement, \
         {} are ignored by upstream",
        judgement.upstream,
        judgement.fork,
        tests.len(),
        reach.len(),
        judgement.ignored
    );
    ensure!(
        judgement.wrong == 0,
        "{} of the above must not be",
        judgement.wrong
    );
    Ok(())
}

/// The differences.
#[derive(Debug, Default)]
struct Judgement {
    upstream: usize,
    fork: usize,
    ignored: usize,
    /// The number of tests that the fork fails and upstream passes, or that are wrongly listed.
    wrong: usize,
    text: String,
}

impl Judgement {
    /// Takes in a test: what it came to on upstream and on the fork, there without enforcement if it was tried, and
    /// the reason why the fork refuses it.
    fn add(
        &mut self,
        name: &str,
        seen: [&Outcome; 2],
        off: Option<&Outcome>,
        intended: Option<&str>,
    ) {
        let [on_upstream, on_fork] = seen.map(Verdict::from);
        self.upstream += usize::from(on_upstream == Verdict::Passes);
        self.fork += usize::from(on_fork == Verdict::Passes);
        let output = |outcome: &Outcome| crate::report::indented(outcome.as_deref().unwrap_or(""));
        let (what, wrong) = match (on_upstream, on_fork) {
            (Verdict::Ignored, Verdict::Ignored) => {
                self.ignored += 1;
                return;
            }
            (Verdict::Passes, Verdict::Passes) => match intended {
                Some(_) => ("listed as refused on purpose, but passes".to_owned(), true),
                None => return,
            },
            (Verdict::Fails, Verdict::Fails) => ("fails on both".to_owned(), false),
            (_, Verdict::Passes) => ("fails on upstream and passes on the fork".to_owned(), false),
            (_, _) => {
                let off = match off.map(Verdict::from) {
                    Some(Verdict::Passes) => "without enforcement it passes",
                    _ => "without enforcement too",
                };
                match intended {
                    Some(reason) => (
                        format!("fails on the fork on purpose ({off}): {reason}"),
                        false,
                    ),
                    None => (
                        format!("passes on upstream and fails on the fork, {off}"),
                        true,
                    ),
                }
            }
        };
        self.text.push_str(&format!("{name}: {what}\n"));
        self.wrong += usize::from(wrong);
        if wrong {
            self.text.push_str(&output(seen[1]));
        } else if on_upstream == Verdict::Fails {
            self.text.push_str(&output(seen[0]));
        }
    }
}
