//! The steps of a program, and the comparison of their outputs.

use wasix_landlock_programs::packages::sha256;

/// Something that a program had to do, and what came of it.
#[derive(Debug)]
pub struct Step {
    pub name: String,
    /// The checksum of what it produced, or why it failed.
    pub result: Result<String, String>,
}

impl Step {
    /// `produced` is what it has produced, which is to be the same on each runtime.
    pub fn new(name: &str, produced: anyhow::Result<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            result: produced
                .map(|bytes| sha256(&bytes))
                .map_err(|error| format!("{error:#}")),
        }
    }
}

/// Fails each step whose output is not the one of the same step on wasmtime.
pub fn compare(steps: &mut [Step], wasmtime: &[Step]) {
    for step in steps {
        let other = wasmtime.iter().find(|other| other.name == step.name);
        if let (Ok(sum), Some(Ok(expected))) = (&step.result, other.map(|other| &other.result))
            && sum != expected
        {
            step.result = Err("its output is not wasmtime's".to_owned());
        }
    }
}
