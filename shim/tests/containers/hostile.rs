//! The table of attacks.

use std::{fmt::Write as _, path::Path, process::ExitCode};

use crate::{
    attacks::{self, Attack, Surroundings},
    results,
    suite::Suite,
    variants,
};

use Surroundings::{Bare, KernelAlone, Runc, Shipped, Unheld, Unpatched};

const HEAD: &str = "\
Written by `cargo test --release --test containers -- --attacks`, in `shim/`. A module makes each attack in a container,
and a native static program beside it. The file, the port and the container's output show whether it succeeded; for
`threads` and `memory`, the exit code does. The command fails if an attack doesn't succeed where nothing holds it, or
succeeds with this shim. Behind a faulty WASI layer, Landlock alone holds `image`; in `read-only` and `volume`, the
container's mounts hold as well. A unix socket of the node isn't in the table, since WASIX has none to connect with.

| column | |
|---|---|
| no container | the native program on the host: the first control |
| nothing | a module in a container of the shim with a faulty WASI layer (the forks' feature `landlock-kernel-alone`), \
without what holds the attack: enforcement, the read-only mount, the separate volume; or the limit; or with the port granted. \
The second control |
| runc | the native program in a container that runc runs |
| unpatched | a module in a container of the same shim on Wasmer as published (`unpatched/`), the same mounts as preopens |
| faulty WASI layer | a module in a container of this shim with the faulty WASI layer: only the kernel holds the attack. The \
fault is in the resolution of paths, so the column is empty for other attacks |
| as shipped | a module in a container of this shim |

";

/// Makes every attack in all surroundings, and writes the table.
pub(crate) fn write(programs: &Path) -> ExitCode {
    match try_write(programs) {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("not as they should be:\n{}", wrong.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn try_write(programs: &Path) -> Result<Vec<String>, String> {
    let target = programs.parent().ok_or("the shim is in no directory")?;
    variants::build_kernel_alone(target)?;
    variants::build_unpatched(target)?;
    let suite = Suite::start(programs, &[])?;
    suite.native.clone()?;
    // For attacks by a path. The module would have no network.
    let unenforced = Suite::start(programs, &[("WASIX_LANDLOCK", "off")])?;
    let mut table = HEAD.to_owned() + &results::made_on();
    table += "\n\n| attack | effect | no container | nothing | runc | unpatched | faulty WASI layer | as shipped |\n";
    table += "|---|---|---|---|---|---|---|---|\n";
    let mut wrong = Vec::new();
    for attack in attacks::ALL {
        let _ = write!(table, "| {} | {} |", attack.name, attack.effect);
        for at in [Bare, Unheld, Runc, Unpatched, KernelAlone, Shipped] {
            if at == KernelAlone && !attack.by_path {
                table += " |";
                continue;
            }
            let suite = match at {
                Unheld if attack.by_path => &unenforced,
                _ => &suite,
            };
            let succeeded = (attack.succeeds)(suite, at);
            println!("{} {at:?}: {succeeded}", attack.name);
            if succeeded != should_succeed(attack, at) {
                wrong.push(format!("{} {at:?}: {succeeded}", attack.name));
            }
            table += if succeeded {
                " **succeeded** |"
            } else {
                " held |"
            };
        }
        table += "\n";
    }
    results::write("Attacks", &table).map_err(|error| error.to_string())?;
    Ok(wrong)
}

/// True where the attack succeeds: in the controls, and where the container's owner has it so.
pub(crate) fn should_succeed(attack: &Attack, at: Surroundings) -> bool {
    matches!(at, Bare | Unheld) || attack.allowed.contains(&at)
}

/// Checks an attack in the surroundings that need no other build.
pub(crate) fn check(suite: &Suite, attack: &Attack) {
    for at in [Bare, Runc, Shipped] {
        assert_eq!(
            (attack.succeeds)(suite, at),
            should_succeed(attack, at),
            "{at:?}"
        );
    }
}
