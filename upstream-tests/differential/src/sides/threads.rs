//! Calls that several threads make at the same time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;

use crate::case::{Kind, Step};
use crate::compare::{Difference, Line, differences, explains};
use crate::composite::{Program, Side};
use crate::host::try_host;
use crate::native::{Native, threads::describe};
use crate::outcome::Outcome;
use crate::shared;

/// The number of steps that are done together: one, or those of threads of one kind that follow each other.
pub(super) fn size(steps: &[Step]) -> usize {
    let kind = |step: &Step| step.thread().map(|(kind, _)| kind);
    let first = kind(&steps[0]);
    let together = steps.iter().take_while(|step| kind(step) == first);
    first.map_or(1, |_| together.count())
}

/// The calls of threads.
pub(super) struct Block {
    kind: Kind,
    programs: Vec<Program>,
    /// The lines of each thread, as in the case.
    texts: Vec<Vec<String>>,
}

/// The outcomes of a thread, with its calls.
type Made<'m> = Vec<(&'m Vec<String>, &'m Outcome)>;

impl Block {
    pub(super) fn new(kind: Kind, steps: &[Step]) -> anyhow::Result<Self> {
        let mut threads: BTreeMap<String, (Program, Vec<String>)> = BTreeMap::new();
        for step in steps {
            let words = step.words()?;
            let thread = threads.entry(words[1].clone()).or_default();
            thread.0.push(words[2..].to_vec());
            thread.1.push(step.to_string());
        }
        let (programs, texts) = threads.into_values().unzip();
        Ok(Self {
            kind,
            programs,
            texts,
        })
    }

    pub(super) fn run(
        &self,
        roots: &[PathBuf; 2],
        native: &mut Native,
        module: &mut dyn Side,
    ) -> anyhow::Result<Vec<Line>> {
        match self.kind {
            Kind::Apart => self.compare(native, module),
            Kind::Shared | Kind::Chaos => self.check(roots, native, module),
        }
    }

    /// Compares the calls of each thread, until its sides have gone apart.
    fn compare(&self, native: &mut Native, module: &mut dyn Side) -> anyhow::Result<Vec<Line>> {
        let natives = describe(native, &self.programs)?;
        let modules = module.threads(self.kind, &self.programs)?;
        let mut lines = Vec::new();
        for ((texts, natives), modules) in self.texts.iter().zip(&natives).zip(&modules) {
            for ((text, (situation, native)), module) in texts.iter().zip(natives).zip(modules) {
                let line = Line {
                    text: text.clone(),
                    native: native.line(),
                    differences: differences(situation, native, module),
                };
                let apart = line.differences.iter().any(explains) || module.is_end();
                lines.push(line);
                if apart {
                    break;
                }
            }
        }
        Ok(lines)
    }

    /// Checks the rules on both sides, and removes what the threads had in common.
    fn check(
        &self,
        roots: &[PathBuf; 2],
        native: &mut Native,
        module: &mut dyn Side,
    ) -> anyhow::Result<Vec<Line>> {
        let mut found = Vec::new();
        let sides: [&mut dyn Side; 2] = [native, module];
        for (side, root) in sides.into_iter().zip(roots) {
            let before = shared::names(root)?;
            let outcomes = side.threads(self.kind, &self.programs)?;
            if let Some(ended) = outcomes.iter().flatten().find(|outcome| outcome.is_end()) {
                let key = format!("{}() ok/{}", self.kind.name(), ended.result);
                found.push(vec![(key, ended.line())]);
                break;
            }
            let made: Vec<Made<'_>> = self
                .programs
                .iter()
                .zip(&outcomes)
                .map(|(program, outcomes)| program.iter().zip(outcomes).collect())
                .collect();
            found.push(shared::broken(self.kind, root, &before, &made)?);
            let remove = ["rmdir", shared::DIRECTORY].map(str::to_owned);
            try_host(root, &remove)?;
        }
        let broken_natively = found.first().context("no side")?;
        anyhow::ensure!(
            broken_natively.is_empty(),
            "a rule that the kernel breaks: {broken_natively:?}"
        );
        let mut differences: Vec<Difference> = Vec::new();
        for (key, detail) in found.pop().unwrap_or_default() {
            if differences.iter().all(|known| known.key != key) {
                differences.push(Difference {
                    key,
                    native: "ok".to_owned(),
                    module: detail,
                });
            }
        }
        let holds = |text: &String| Line {
            text: text.clone(),
            native: "ok".to_owned(),
            differences: Vec::new(),
        };
        let mut lines: Vec<Line> = self.texts.iter().flatten().map(holds).collect();
        if let Some(line) = lines.last_mut() {
            line.differences = differences;
        }
        Ok(lines)
    }
}
