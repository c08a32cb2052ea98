//! Runs a case on both sides, each in a fresh directory.

use std::fs::{self, File};
use std::io::PipeWriter;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::case::{Case, Input, Step};
use crate::compare::{
    Comparison, Difference, Line, already_on_disk, apart, difference, differences, explains,
};
use crate::composite::{Side, call};
use crate::disk::{Disk, DiskDifference};
use crate::guest::Guest;
use crate::guest::process::{Process, Request, stream_to};
use crate::guest::text::text;
use crate::host::{host, try_host};
use crate::known::HARDENED;
use crate::native::Native;
use crate::outcome::{Clock, Outcome};
use crate::situation::situation;
use crate::way::Way;

mod threads;

/// Runs a case through a way in.
///
/// # Errors
/// If it can't be run.
pub fn compare(case: &Case, way: Way, program: &Path) -> anyhow::Result<Comparison> {
    ensure!(case.ways.contains(&way), "not a case for {}", way.name());
    compare_with(case, |start| {
        let root = start.root.to_owned();
        let request = Request {
            way,
            socket: root.join("socket"),
            root: root.clone(),
            threads: case.threads(),
            harden: case.harden,
        };
        // For a program that doesn't have this crate.
        fs::write(root.join("module.wat"), text(request.threads))?;
        let process = Process::start(program, &request, start.stdio, root.join("stderr"))?;
        Ok(Box::new(Guest::new(Box::new(process), start.clock)?))
    })
}

/// The state with which the second side starts.
struct Start<'a> {
    root: &'a Path,
    stdio: [OwnedFd; 3],
    clock: Clock,
}

fn compare_with(
    case: &Case,
    second: impl FnOnce(Start<'_>) -> anyhow::Result<Box<dyn Side>>,
) -> anyhow::Result<Comparison> {
    let scratch = TempDir::new()?;
    let mut sides = Sides::new(scratch.path())?;
    let compared = sides.run(case, second);
    sides.unmount();
    let mut comparison = compared?;
    if case.harden {
        comparison.mark(HARDENED);
    }
    Ok(comparison)
}

struct Sides {
    /// The native side's directory, and the module's.
    roots: [PathBuf; 2],
    clock: Clock,
    mounted: Vec<PathBuf>,
    /// The differences between the directories so far.
    disk: Vec<DiskDifference>,
    /// The other ends of standard inputs, open and with nothing in them.
    pipes: Vec<PipeWriter>,
}

impl Sides {
    fn new(scratch: &Path) -> anyhow::Result<Self> {
        // Links in the path would not be what the module's tree has.
        let scratch = scratch.canonicalize()?;
        let roots = ["native", "module"].map(|name| scratch.join(name));
        for root in &roots {
            for name in ["p", "q", "r"] {
                fs::create_dir_all(root.join(name))?;
            }
        }
        Ok(Self {
            roots,
            clock: Clock::start(),
            mounted: Vec::new(),
            disk: Vec::new(),
            pipes: Vec::new(),
        })
    }

    fn run(
        &mut self,
        case: &Case,
        second: impl FnOnce(Start<'_>) -> anyhow::Result<Box<dyn Side>>,
    ) -> anyhow::Result<Comparison> {
        let setup = case.steps.iter().take_while(|step| step.is_host()).count();
        let (before, after) = case.steps.split_at(setup);
        for step in before {
            self.host(step, host)
                .with_context(|| format!("{}: {step}", case.name))?;
        }
        let stdio = self.stdio(case.input, 0)?;
        let mut native = Native::new(&self.roots[0], stdio, self.clock)?;
        let stdio = self.stdio(case.input, 1)?;
        let mut module = second(Start {
            root: &self.roots[1],
            stdio,
            clock: self.clock,
        })?;
        let mut comparison = Comparison::default();
        let mut rest = after;
        while !rest.is_empty() {
            let (block, behind) = rest.split_at(threads::size(rest));
            rest = behind;
            let done = self.block(block, &mut native, &mut *module);
            let (mut lines, situation) =
                done.with_context(|| format!("{}: {}", case.name, block[0]))?;
            for line in &mut lines {
                line.differences
                    .retain(|found| !already_on_disk(found, &self.disk));
            }
            let disk = self.look_at_disks()?;
            // Where only one side has done it, the directories differ for that reason.
            let explained = lines
                .iter()
                .flat_map(|line| &line.differences)
                .any(explains);
            let new = disk
                .iter()
                .filter(|found| !explained && !found.was_among(&self.disk));
            let new: Vec<Difference> = new
                .map(|found| Difference {
                    key: format!("{situation}.disk.{}", found.field),
                    native: format!("{}: {}", found.path, found.native),
                    module: format!("{}: {}", found.path, found.module),
                })
                .collect();
            comparison.skipped += block.len().saturating_sub(lines.len());
            if let Some(last) = lines.last_mut() {
                last.differences.extend(new);
            }
            let apart = lines.iter().any(|line| apart(line, &disk));
            self.disk = disk;
            comparison.lines.append(&mut lines);
            if apart {
                comparison.skipped += rest.len();
                // The process is gone, or left to itself.
                let _ended = module.end();
                return Ok(comparison);
            }
        }
        if let Err(error) = module.end() {
            comparison.lines.push(Line {
                text: "(end)".to_owned(),
                native: "ok".to_owned(),
                differences: vec![difference("end ok/crash", "ok", &format!("{error:#}"))],
            });
        }
        self.compare_output(&mut comparison)?;
        self.look_for_panics(&mut comparison)?;
        Ok(comparison)
    }

    /// A call, a change by the host, or calls that are made at the same time; with the situation that differences of
    /// the directories are attributed to.
    fn block(
        &mut self,
        block: &[Step],
        native: &mut Native,
        module: &mut dyn Side,
    ) -> anyhow::Result<(Vec<Line>, String)> {
        let step = &block[0];
        match step.thread() {
            Some((kind, _)) => {
                let block = threads::Block::new(kind, block)?;
                let lines = block.run(&self.roots, native, module)?;
                Ok((lines, format!("{}()", kind.name())))
            }
            None if step.is_host() => Ok((vec![self.changes(step)?], "host()".to_owned())),
            None => {
                let (line, situation) = self.step(step, native, module)?;
                Ok((vec![line], situation))
            }
        }
    }

    fn step(
        &self,
        step: &Step,
        native: &mut Native,
        module: &mut dyn Side,
    ) -> anyhow::Result<(Line, String)> {
        let words = step.words()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let situation = situation(native, &words);
        let mut outcomes = [Outcome::default(), Outcome::default()];
        let sides: [&mut dyn Side; 2] = [native, module];
        for ((side, root), outcome) in sides.into_iter().zip(&self.roots).zip(&mut outcomes) {
            *outcome = call(side, root, &words)?;
            if outcome.id.is_some() || !outcome.inodes.is_empty() {
                Disk::read(root)?.identify(outcome);
            }
        }
        let [native, module] = &outcomes;
        let line = Line {
            text: step.to_string(),
            native: native.line(),
            differences: differences(&situation, native, module),
        };
        Ok((line, situation))
    }

    /// A change by the host after the program has started.
    fn changes(&mut self, step: &Step) -> anyhow::Result<Line> {
        let [native, module] = self.host(step, try_host)?;
        let mut differences = Vec::new();
        if native != module {
            let key = format!("host {native}/{module}");
            differences.push(difference(&key, native, module));
        }
        Ok(Line {
            text: step.to_string(),
            native: native.to_owned(),
            differences,
        })
    }

    fn host<T>(
        &mut self,
        step: &Step,
        act: fn(&Path, &[String]) -> anyhow::Result<T>,
    ) -> anyhow::Result<[T; 2]> {
        let words = step.words()?;
        if let [_, verb, path, ..] = words.as_slice()
            && verb == "mount"
        {
            self.mounted
                .extend(self.roots.iter().map(|root| root.join(path)));
        }
        Ok([
            act(&self.roots[0], &words[1..])?,
            act(&self.roots[1], &words[1..])?,
        ])
    }

    fn stdio(&mut self, input: Input, side: usize) -> anyhow::Result<[OwnedFd; 3]> {
        let root = self.roots[side].clone();
        let input: OwnedFd = match input {
            Input::Null => File::open("/dev/null")?.into(),
            Input::File => {
                let path = root.join("stdin");
                fs::write(&path, "from a file\n")?;
                File::open(path)?.into()
            }
            Input::Pipe => {
                let (read, write) = std::io::pipe()?;
                self.pipes.push(write);
                read.into()
            }
        };
        let output = stream_to(&root.join("stdout"))?;
        Ok([input, output, stream_to(&root.join("stderr"))?])
    }

    fn look_at_disks(&self) -> anyhow::Result<Vec<DiskDifference>> {
        let [native, module] = &self.roots;
        Ok(Disk::read(native)?.compare(&Disk::read(module)?, self.clock))
    }

    fn compare_output(&self, comparison: &mut Comparison) -> anyhow::Result<()> {
        let [native, module] = self.roots.each_ref().map(|root| root.join("stdout"));
        let (native, module) = (fs::read_to_string(native)?, fs::read_to_string(module)?);
        let mut differences = Vec::new();
        if native != module {
            differences.push(difference("stdout.content", &native, &module));
        }
        comparison.lines.push(Line {
            text: "(standard output)".to_owned(),
            native,
            differences,
        });
        Ok(())
    }

    /// A thread that panicked may have left the module going.
    fn look_for_panics(&self, comparison: &mut Comparison) -> anyhow::Result<()> {
        let said = fs::read_to_string(self.roots[1].join("stderr"))?;
        if said.contains("panicked at") {
            comparison.lines.push(Line {
                text: "(standard error)".to_owned(),
                native: String::new(),
                differences: vec![difference("stderr.panic", "", &said)],
            });
        }
        Ok(())
    }

    fn unmount(&self) {
        for path in self.mounted.iter().rev() {
            let words = ["unmount".to_owned(), path.to_string_lossy().into_owned()];
            // The case's own steps may have done it.
            let _gone = host(Path::new("/"), &words);
        }
    }
}

#[cfg(test)]
mod tests;
