//! Each module of the suite with each compiler, as a test.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let program = Path::new(env!("CARGO_BIN_EXE_wasix-landlock-conformance"));
    let arguments = Arguments::from_args();
    let trial = Trial::test("the_table_is_what_a_run_gives", move || {
        let output = Command::new(program).arg("--check").output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failed::from(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )))
    });
    libtest_mimic::run(&arguments, vec![trial]).exit();
}
