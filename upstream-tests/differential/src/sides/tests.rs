use super::*;
use crate::case::Kind;
use crate::compare::Difference;
use crate::composite::Program;
use crate::generate::generate;
use crate::outcome::Outcome;

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

    fn threads(&mut self, kind: Kind, programs: &[Program]) -> anyhow::Result<Vec<Vec<Outcome>>> {
        let mut made = self.0.threads(kind, programs)?;
        for (program, outcomes) in programs.iter().zip(&mut made) {
            for (words, outcome) in program.iter().zip(outcomes) {
                if words[0] == "mkdir" {
                    *outcome = Outcome::ok();
                }
            }
        }
        Ok(made)
    }
}

#[test]
fn two_native_sides_are_equal() -> anyhow::Result<()> {
    for seed in 0..300 {
        let case = generate(seed);
        let comparison = compare_with(&case, native)?;
        let found: Vec<&Difference> = comparison.differences().collect();
        assert!(found.is_empty(), "{found:?}\n{case}");
        assert_eq!(comparison.skipped, 0);
    }
    Ok(())
}

#[test]
fn kept_cases_are_equal_on_two_native_sides() -> anyhow::Result<()> {
    let cases = crate::suite::kept()?;
    for case in cases.iter().filter(|case| !case.mounts) {
        let comparison = compare_with(case, native)?;
        let found: Vec<&Difference> = comparison.differences().collect();
        assert!(found.is_empty(), "{found:?}\n{case}");
    }
    Ok(())
}

#[test]
fn a_planted_fault_is_found_with_its_situation() -> anyhow::Result<()> {
    let mut case = Case::new("planted", "mkdir never fails");
    case.steps = ["host write p/f text", "mkdir p d", "mkdir p d", "mkdir p f"]
        .map(Step::parse)
        .to_vec();
    let planted = |start: Start<'_>| -> anyhow::Result<Box<dyn Side>> {
        Ok(Box::new(Lenient(native(start)?)))
    };
    let comparison = compare_with(&case, planted)?;
    let keys: Vec<&str> = comparison.differences().map(|found| &*found.key).collect();
    assert_eq!(keys, ["mkdir(dir) exist/ok", "mkdir(file) exist/ok"]);
    Ok(())
}

#[test]
fn a_planted_fault_is_found_in_threads() -> anyhow::Result<()> {
    let planted = |start: Start<'_>| -> anyhow::Result<Box<dyn Side>> {
        Ok(Box::new(Lenient(native(start)?)))
    };
    let found = |lines: &[&str]| -> anyhow::Result<Vec<String>> {
        let mut case = Case::new("planted", "mkdir never fails");
        case.steps = lines.iter().map(|line| Step::parse(line)).collect();
        let comparison = compare_with(&case, planted)?;
        Ok(comparison
            .differences()
            .map(|found| found.key.clone())
            .collect())
    };
    let apart = ["host mkdir p/a", "thread 1 mkdir p a", "thread 2 mkdir p b"];
    assert_eq!(found(&apart)?, ["mkdir(dir) exist/ok"]);
    let shared = [
        "host mkdir p/s",
        "host write p/s/log ''",
        "host write p/s/offset ''",
        "start",
        "shared 1 mkdir p s/d",
        "shared 2 mkdir p s/d",
    ];
    assert_eq!(found(&shared)?, ["shared().winners"]);
    Ok(())
}
