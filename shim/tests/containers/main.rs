//! Containers that run through containerd and the shim, compared with native containers that runc runs.
//!
//! The tests need root, `containerd`, `ctr` and `runc`. They start a containerd of their own. Without one of these, each
//! test is skipped, with the reason.

mod cases;
mod daemon;
mod image;

use std::{path::Path, process::ExitCode, sync::Arc};

use cases::{Case, Suite};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let suite = match Suite::start(Path::new(env!(
        "CARGO_BIN_EXE_containerd-shim-wasixlandlock-v1"
    ))) {
        Ok(suite) => Arc::new(suite),
        Err(reason) => {
            for (name, _) in cases::ALL {
                println!("SKIPPED {name}: {reason}");
            }
            return ExitCode::SUCCESS;
        }
    };
    let trial = |(name, case): &Case| {
        let (suite, case) = (Arc::clone(&suite), *case);
        Trial::test(*name, move || {
            case(&suite);
            Ok(())
        })
    };
    let trials = cases::ALL.iter().map(trial).collect();
    let ended = libtest_mimic::run(&arguments, trials);
    if ended.has_failed() {
        eprintln!("containerd's log:\n{}", suite.log());
    }
    drop(suite);
    ended.exit_code()
}
