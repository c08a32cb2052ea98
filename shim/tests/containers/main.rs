//! Containers that run through containerd and the shim, compared with native containers that runc runs.
//!
//! The tests need root, `containerd`, `ctr` and `runc`. They start a containerd of their own. Without one of these, each
//! test is skipped, with the reason.
//!
//! ```text
//! containers            every case
//! containers --short    a few of them
//! containers --attacks  the table of attacks, in RESULTS.md
//! containers --figures  the tables of figures, in RESULTS.md
//! ```

mod artifacts;
mod attacks;
mod cases;
mod daemon;
mod figures;
mod filters;
mod guests;
mod hostile;
mod image;
mod restarts;
mod results;
#[path = "../../../wasix-landlock/foreign/src/seccomp.rs"]
mod seccomp;
mod streams;
mod suite;
mod variants;

use std::{env, path::Path, process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use suite::{Case, Suite};

/// The cases of the short form.
const SHORT: [&str; 7] = [
    "exit_codes_are_the_module_s",
    "mounts_are_granted_with_their_rights",
    "a_container_s_variables_don_t_turn_enforcement_off",
    "a_kill_ends_the_container",
    "a_terminal_is_the_module_s",
    "a_filter_that_forbids_landlock_is_an_error",
    "attack_image",
];

fn main() -> ExitCode {
    let shim = Path::new(env!("CARGO_BIN_EXE_containerd-shim-wasixlandlock-v1"));
    let programs = shim.parent().unwrap_or(shim);
    let mut arguments: Vec<String> = env::args().collect();
    let mut takes = |flag: &str| {
        let before = arguments.len();
        arguments.retain(|argument| argument != flag);
        arguments.len() < before
    };
    if takes("--attacks") {
        return hostile::write(programs);
    }
    if takes("--figures") {
        return figures::write(programs);
    }
    let short = takes("--short");
    test(programs, short, &Arguments::from_iter(arguments))
}

fn test(programs: &Path, short: bool, arguments: &Arguments) -> ExitCode {
    let runs = |name: &str| !short || SHORT.contains(&name);
    let cases = [
        cases::ALL,
        artifacts::ALL,
        filters::ALL,
        restarts::ALL,
        streams::ALL,
    ]
    .concat();
    let cases: Vec<Case> = cases.into_iter().filter(|case| runs(case.name)).collect();
    let attacks = attacks::ALL
        .iter()
        .map(|attack| (format!("attack_{}", attack.name), attack));
    let attacks: Vec<_> = attacks.filter(|(name, _)| runs(name)).collect();
    if short {
        assert_eq!(
            cases.len() + attacks.len(),
            SHORT.len(),
            "a case has another name"
        );
    }
    let suite = match Suite::start(programs, &[]) {
        Ok(suite) => Arc::new(suite),
        Err(reason) => {
            let names = cases.iter().map(|case| case.name);
            for name in names.chain(attacks.iter().map(|(name, _)| name.as_str())) {
                println!("SKIPPED {name}: {reason}");
            }
            return ExitCode::SUCCESS;
        }
    };
    let mut trials = Vec::new();
    let mut add = |name: String, needs: Result<(), String>, run: Box<dyn FnOnce(&Suite) + Send>| {
        if let Err(reason) = needs {
            println!("SKIPPED {name}: {reason}");
            return;
        }
        let suite = Arc::clone(&suite);
        trials.push(Trial::test(name, move || {
            run(&suite);
            Ok(())
        }));
    };
    for case in cases {
        add(
            case.name.to_owned(),
            (case.needs)(&suite),
            Box::new(case.run),
        );
    }
    for (name, attack) in attacks {
        let needs = suite.native.clone().map(drop);
        add(
            name,
            needs,
            Box::new(move |suite| hostile::check(suite, attack)),
        );
    }
    let ended = libtest_mimic::run(arguments, trials);
    if ended.has_failed() {
        eprintln!("containerd's log:\n{}", suite.log());
    }
    drop(suite);
    ended.exit_code()
}
