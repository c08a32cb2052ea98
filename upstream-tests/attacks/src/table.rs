//! The tables of all columns, of which three are made by other programs.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, ensure};
use wasix_landlock_attacks::case::Case;
use wasix_landlock_attacks::program::{
    ATTACKS, Column, HELD, Row, SELFTESTS, Suite, asked, from_lines, rows, update,
};
use wasix_landlock_attacks::worker::Way;

/// The folder with the tables. A package for another version of Wasmer compiles this file too.
const FOLDER: &str = match option_env!("WASIX_LANDLOCK_ATTACKS") {
    Some(folder) => folder,
    None => env!("CARGO_MANIFEST_DIR"),
};

const COLUMNS: [Column; 2] = [
    Column {
        name: "user space alone",
        enforced: false,
        planted: false,
    },
    Column {
        name: "as shipped",
        enforced: true,
        planted: false,
    },
];

/// The text for steps whose results are all as expected.
const AS_SAID: &str = "as expected";

const ATTACKS_HEAD: &str = "\
# Attempts to leave the grants

Written by `cargo run --release -p wasix-landlock-attacks`, checked with `-- --check`. For each case, a module
compiled with Singlepass tries to leave its grants, in a process of its own. The test looks at the directories
afterwards, and at all bytes that the module read. It repeats each case for every way to grant a directory:
mapped by a runner, mounted and preopened, preopened in the host's tree, and, in the fork, by `preopen`. A cell
shows the worst result.

| column | |
|---|---|
| upstream | Wasmer 7.4.2 as published (`upstream-tests/baseline`) |
| nothing | the fork without both layers: the feature `kernel-alone` (`src/bin/kernel-alone.rs`), and enforcement off. The column shows that the attack works |
| kernel alone | the same with enforcement on: only the kernel checks |
| user space alone | the fork as shipped, with enforcement off: only the WASI layer checks |
| as shipped | both |

Landlock restricts neither reading a file's size nor setting its times, so the kernel alone allows `size` and `times`.

";

const SELFTESTS_HEAD: &str = "\
# The kernel's own tests of Landlock, from inside a module

The names are those in `tools/testing/selftests/landlock/fs_test.c` of Linux 6.12. Where the kernel's test makes a
system call, a module makes the call of preview 1, in preopens with and without the right. Each call must have
the result that the preopen's rights demand. The columns are those of [RESULTS.md](RESULTS.md), and so are the
commands. In the column *kernel alone* the test compares only the effects on the host, since the WASI layer
without its checks makes in memory what the host refuses.

Preview 1 has no calls for these tests:

| kernel test | needs |
|---|---|
| `reparent_exdev_layers_exchange1` to `3` | exchanging two names |
| `refer_denied_by_default1` to `4`, the second halves of both `reparent_exdev_layers_rename` | a second ruleset |
| `relative_chdir` | changing the directory |
| `make_char`, `make_block` | devices, which only root can make |

";

/// Runs what the arguments name, prints it, and writes or compares the tables if it was all.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let asked = asked(&[ATTACKS, SELFTESTS], arguments)?;
    for (suite, cases) in &asked.suites {
        let own = rows(suite, cases, &COLUMNS, &Way::ALL)?;
        for row in &own {
            println!("{}: {}", row.case, row.cells.join(" | "));
        }
        if !asked.all {
            continue;
        }
        for row in &own {
            ensure!(
                row.cells[1] == HELD,
                "{}: {} as shipped",
                row.case,
                row.cells[1]
            );
        }
        let folder = Path::new(FOLDER);
        let (name, text) = if suite.name == ATTACKS.name {
            ("RESULTS.md", attacks(folder, cases, &own)?)
        } else {
            ("SELFTESTS.md", selftests(folder, suite, cases, &own)?)
        };
        update(&folder.join(name), &text, asked.check)?;
    }
    Ok(())
}

fn attacks(folder: &Path, cases: &[Case], own: &[Row]) -> anyhow::Result<String> {
    let upstream = from_lines(&folder.join("../baseline"), &ATTACKS, cases)?;
    let kernel = from_lines(&folder.join("kernel-alone"), &ATTACKS, cases)?;
    let mut text = String::from(ATTACKS_HEAD);
    text += "| case | where nothing stops it | upstream | nothing | kernel alone | user space alone | as shipped |\n|---|---|---|---|---|---|---|\n";
    for (((case, own), upstream), kernel) in cases.iter().zip(own).zip(&upstream).zip(&kernel) {
        // What Landlock doesn't mediate, it can't hold.
        let leaked = kernel.cells[1]
            .split(", ")
            .all(|kind| ["held", "size", "times"].contains(&kind));
        ensure!(
            leaked,
            "{}: {} with the kernel alone",
            case.name,
            kernel.cells[1]
        );
        let cells = upstream.cells.iter().chain(&kernel.cells).chain(&own.cells);
        let cells: Vec<String> = cells
            .map(|cell| match cell.as_str() {
                HELD => cell.clone(),
                reached => format!("**{reached}**"),
            })
            .collect();
        writeln!(
            text,
            "| {} | {} | {} |",
            case.name,
            case.effect,
            cells.join(" | ")
        )?;
    }
    let held =
        |rows: &[Row], column: usize| rows.iter().filter(|row| row.cells[column] == HELD).count();
    let counts = [
        held(&upstream, 0),
        held(&kernel, 0),
        held(&kernel, 1),
        held(own, 0),
        held(own, 1),
    ];
    let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
    writeln!(text, "| {} | held | {} |", cases.len(), counts.join(" | "))?;
    Ok(text)
}

fn selftests(folder: &Path, suite: &Suite, cases: &[Case], own: &[Row]) -> anyhow::Result<String> {
    let kernel = from_lines(&folder.join("kernel-alone"), suite, cases)?;
    let mut text = String::from(SELFTESTS_HEAD);
    text += "| test | what is tried | kernel alone | user space alone | as shipped |\n|---|---|---|---|---|\n";
    for ((case, own), kernel) in cases.iter().zip(own).zip(&kernel) {
        let kernel = kernel.cells.first().context("a column")?;
        let cells = [
            (kernel, HELD),
            (&own.cells[0], AS_SAID),
            (&own.cells[1], AS_SAID),
        ];
        let cells = cells.map(|(cell, good)| match cell.as_str() {
            HELD => good.to_owned(),
            other => format!("**{other}**"),
        });
        writeln!(
            text,
            "| {} | {} | {} |",
            case.name,
            case.effect,
            cells.join(" | ")
        )?;
    }
    Ok(text)
}
