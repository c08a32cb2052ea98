//! Runs a case on both sides, each in a fresh directory, and compares call by call.

use std::fs::{self, File};
use std::io::PipeWriter;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::case::{Case, Input, Step};
use crate::composite::{Side, call};
use crate::disk::{Disk, DiskDifference};
use crate::guest::Guest;
use crate::guest::process::{Process, Request, stream_to};
use crate::host::{host, try_host};
use crate::native::Native;
use crate::outcome::{Clock, Outcome};
use crate::situation::situation;
use crate::way::Way;

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
    /// All differences.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.lines.iter().flat_map(|line| &line.differences)
    }
}

/// Calls after which descriptors or positions are not the same any more if their outcomes differ.
const MOVING: [&str; 9] = [
    "open", "close", "renumber", "read", "write", "seek", "setflags", "race", "host",
];

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
        };
        let process = Process::start(program, &request, start.stdio, root.join("stderr"))?;
        Ok(Box::new(Guest::new(process, start.clock)?))
    })
}

/// What the second side starts with.
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
    compared
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
        for (index, step) in after.iter().enumerate() {
            let (mut line, situation) = if step.is_host() {
                (self.changes(step)?, "host()".to_owned())
            } else {
                let line = self.step(step, &mut native, &mut *module);
                line.with_context(|| format!("{}: {step}", case.name))?
            };
            line.differences
                .retain(|found| !already_on_disk(found, &self.disk));
            let disk = self.look_at_disks()?;
            // Where only one side has done it, the directories differ for that reason.
            let explained = line
                .differences
                .iter()
                .any(|found| is_result(found) && (is_ok(&found.native) || is_ok(&found.module)));
            let new = disk
                .iter()
                .filter(|found| !explained && !self.disk.contains(found));
            line.differences.extend(new.map(|found| Difference {
                key: format!("{situation}.disk.{}", found.field),
                native: format!("{}: {}", found.path, found.native),
                module: format!("{}: {}", found.path, found.module),
            }));
            let apart = apart(&line, &disk);
            self.disk = disk;
            comparison.lines.push(line);
            if apart {
                comparison.skipped = after.len() - index - 1;
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
        Ok(comparison)
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

    fn unmount(&self) {
        for path in self.mounted.iter().rev() {
            let words = ["unmount".to_owned(), path.to_string_lossy().into_owned()];
            // The case's own steps may have done it.
            let _gone = host(Path::new("/"), &words);
        }
    }
}

fn difference(key: &str, native: &str, module: &str) -> Difference {
    Difference {
        key: key.to_owned(),
        native: native.to_owned(),
        module: module.to_owned(),
    }
}

fn differences(situation: &str, native: &Outcome, module: &Outcome) -> Vec<Difference> {
    if native.result != module.result {
        let key = format!("{situation} {}/{}", native.result, module.result);
        return vec![difference(&key, &native.line(), &module.line())];
    }
    let value = |outcome: &Outcome, field: &str| {
        let mut known = outcome.fields.iter();
        let found = known.find(|(name, _)| *name == field);
        found.map_or_else(|| "nothing".to_owned(), |(_, value)| value.clone())
    };
    let names = native.fields.iter().chain(&module.fields);
    let mut fields: Vec<&str> = names.map(|(name, _)| *name).collect();
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

/// Whether the sides are in different states after this, so that nothing after it can be compared.
fn apart(line: &Line, disk: &[DiskDifference]) -> bool {
    let call = line.text.split_whitespace().next().unwrap_or_default();
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

/// Whether the results differ, and not what was returned.
fn is_result(found: &Difference) -> bool {
    !found.key.contains(").")
}

/// Whether metadata that a call returned differs as it does on the disk, which was reported when it came about.
fn already_on_disk(found: &Difference, disk: &[DiskDifference]) -> bool {
    let field = found.key.rsplit_once(").").map_or("", |(_, field)| field);
    // Where one of the times differs, they were set together.
    let field = if field == "atim" { "mtim" } else { field };
    disk.iter()
        .any(|known| known.is_metadata() && known.field == field)
}

fn is_ok(line: &str) -> bool {
    line.split(' ').next() == Some("ok")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;

    fn native(start: Start<'_>) -> anyhow::Result<Box<dyn Side>> {
        Ok(Box::new(Native::new(start.root, start.stdio, start.clock)?))
    }

    /// A side on which `mkdir` never fails.
    struct Lenient(Box<dyn Side>);

    impl Side for Lenient {
        fn call(&mut self, words: &[&str]) -> anyhow::Result<Outcome> {
            let outcome = self.0.call(words)?;
            Ok(match words[0] {
                "mkdir" => Outcome::ok(),
                _ => outcome,
            })
        }
    }

    #[test]
    fn two_native_sides_are_equal() {
        for seed in 0..300 {
            let case = generate(seed);
            let comparison = compare_with(&case, native).unwrap();
            let found: Vec<&Difference> = comparison.differences().collect();
            assert!(found.is_empty(), "{found:?}\n{case}");
            assert_eq!(comparison.skipped, 0);
        }
    }

    #[test]
    fn kept_cases_are_equal_on_two_native_sides() {
        let cases = crate::suite::kept().unwrap();
        for case in cases.iter().filter(|case| !case.mounts) {
            let comparison = compare_with(case, native).unwrap();
            let found: Vec<&Difference> = comparison.differences().collect();
            assert!(found.is_empty(), "{found:?}\n{case}");
        }
    }

    #[test]
    fn a_planted_fault_is_found_with_its_situation() {
        let mut case = Case::new("planted", "mkdir never fails");
        case.steps = ["host write p/f text", "mkdir p d", "mkdir p d", "mkdir p f"]
            .map(Step::parse)
            .to_vec();
        let planted = |start: Start<'_>| -> anyhow::Result<Box<dyn Side>> {
            Ok(Box::new(Lenient(native(start)?)))
        };
        let comparison = compare_with(&case, planted).unwrap();
        let keys: Vec<&str> = comparison.differences().map(|found| &*found.key).collect();
        assert_eq!(keys, ["mkdir(dir) exist/ok", "mkdir(file) exist/ok"]);
    }
}
