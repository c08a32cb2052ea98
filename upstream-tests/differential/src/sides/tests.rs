use super::*;
use crate::compare::Difference;
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
