//! A module that tries again and again what it may not: the host must not pay more for it than for what it may.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use wasix_landlock_benches::{Cell, Column, Row, Samples, Table};

use super::list::WORK;
use super::once::in_column;
use crate::context::Context;
use wasix_landlock_programs::runner::{Compiler, Measured, Run};

/// A path that is opened, and the expected result.
struct Case {
    name: &'static str,
    /// Below the directory in which it works, or the single file's name.
    path: &'static str,
    /// True if the open is refused.
    refused: bool,
    /// True if another file takes the place of the granted one, so that the kernel alone refuses it.
    replaced: bool,
    /// True if the program has a log.
    logged: bool,
}

const ALLOWED: Case = Case {
    name: "allowed",
    path: "file",
    refused: false,
    replaced: false,
    logged: false,
};

const CASES: [Case; 5] = [
    ALLOWED,
    Case {
        name: "a link that leads out",
        path: "link",
        refused: true,
        ..ALLOWED
    },
    Case {
        name: "above the directory",
        path: "../outside",
        refused: true,
        ..ALLOWED
    },
    Case {
        name: "refused by the kernel",
        path: FILE,
        refused: true,
        replaced: true,
        ..ALLOWED
    },
    Case {
        name: "refused by the kernel, with a log",
        path: FILE,
        refused: true,
        replaced: true,
        logged: true,
    },
];

/// The single file's name.
const FILE: &str = "granted";
const TIMES: u32 = 100_000;

/// Takes all samples.
///
/// # Errors
/// A case that came out otherwise.
pub fn measure(context: &Context) -> anyhow::Result<Vec<Table>> {
    let mut times = TIMES;
    if context.short {
        times /= 20;
    }
    let columns: Vec<&str> = context.columns();
    let columns: Vec<&str> = columns.into_iter().filter(|c| *c != "native").collect();
    let (mut took, mut peak) = (Samples::default(), Samples::default());
    for case in CASES.iter().filter(|case| case.replaced) {
        for column in columns.iter().filter(|column| **column != "enforced") {
            let reason = "nothing in the kernel refuses it here";
            took.leave_out(case.name, column, reason);
        }
    }
    for round in 0..context.samples {
        for case in &CASES {
            for column in &columns {
                if took.is_left_out(case.name, column) {
                    continue;
                }
                let of = context.samples;
                context.say(&format!(
                    "hostile: round {} of {of}: {}, {column}",
                    round + 1,
                    case.name
                ));
                let sample = sample(context, column, case, times)
                    .with_context(|| format!("{}, {column}", case.name))?;
                took.add(case.name, column, sample.0);
                if *column == "enforced" {
                    peak.add(case.name, "most memory", sample.1);
                }
            }
        }
    }
    let mut columns: Vec<Column> = columns.iter().map(|c| Column::new(c, "µs")).collect();
    let mut rows: Vec<Row> = CASES
        .iter()
        .map(|case| took.row(case.name, &columns))
        .collect();
    let enforced = columns.iter().position(|column| column.name == "enforced");
    if let Some(enforced) = enforced {
        let memory = [Column::new("most memory", "MiB")];
        let allowed = rows[0].cells[enforced].median();
        for (row, case) in rows.iter_mut().zip(&CASES) {
            let ratio = row.cells[enforced]
                .median()
                .zip(allowed)
                .map(|(took, allowed)| took / allowed);
            row.cells
                .push(ratio.map_or(Cell::Text("–".to_owned()), |ratio| {
                    Cell::measured(vec![ratio])
                }));
            row.cells.extend(peak.row(case.name, &memory).cells);
        }
        columns.push(Column::new("enforced / allowed", "×"));
        columns.extend(memory);
    }
    Ok(vec![Table {
        id: "hostile".to_owned(),
        title: "A hostile module".to_owned(),
        text: format!(
            "{times} opens in a loop, for each one: of a file that it may open (and close), and of what it may not. The \
             WASI layer refuses most by itself. What only the kernel refuses is a granted single file in whose place the host has put \
             another one; that is explained, counted and logged, for a bounded number of denials. *enforced / allowed* is what a refused open \
             costs the host beside an allowed one."
        ),
        head: "open of".to_owned(),
        columns,
        ratios: Vec::new(),
        rows,
        plots: Vec::new(),
    }])
}

/// The microseconds of each open, and the most memory in MiB.
fn sample(context: &Context, column: &str, case: &Case, times: u32) -> anyhow::Result<(f64, f64)> {
    let (work, single) = (context.work.join("hostile"), context.work.join("single"));
    for folder in [&work, &single] {
        fs::create_dir_all(folder)?;
    }
    fs::write(work.join("file"), "allowed")?;
    fs::write(context.work.join("outside"), "not allowed")?;
    fs::write(single.join(FILE), "allowed")?;
    if !work.join("link").is_symlink() {
        std::os::unix::fs::symlink("../outside", work.join("link"))?;
    }
    let module = context
        .work
        .join(format!("{}.wat", case.name.replace([' ', ','], "-")));
    fs::write(&module, text(case, times))?;
    let run = Run {
        module,
        arguments: vec!["hostile".to_owned()],
        directories: vec![(work, WORK.to_owned())],
        environment: Vec::new(),
        same_chance: false,
        file: case
            .replaced
            .then(|| (single.join(FILE), format!("/{FILE}"))),
        compiler: Compiler::Cranelift,
        cache: context.work.join("cache"),
        output: context.work.join("measured.json"),
    };
    let status = in_column(context, column, "compile", &run)?.status()?;
    ensure!(status.success(), "it can't be compiled: {status}");
    let mut command = in_column(context, column, "run", &run)?;
    if case.logged {
        command.env("RUST_LOG", "warn");
    }
    let output = said(&mut command, case, &single)?;
    let nanoseconds = output.last_chunk::<8>().context("it said nothing")?;
    let measured: Measured = serde_json::from_str(&fs::read_to_string(&run.output)?)?;
    let took = u64::from_le_bytes(*nanoseconds) as f64 / 1e3 / f64::from(times);
    Ok((took, measured.peak))
}

/// Runs it, puts another file in the granted one's place when it has opened that, and returns what it said.
fn said(command: &mut Command, case: &Case, single: &Path) -> anyhow::Result<Vec<u8>> {
    let errors = if case.logged {
        Stdio::null()
    } else {
        Stdio::inherit()
    };
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(errors)
        .stdin(Stdio::null())
        .spawn()?;
    let mut output = child.stdout.take().context("no pipe")?;
    if case.replaced {
        output
            .read_exact(&mut [0])
            .context("it didn't open the granted file")?;
        let other = single.join("other");
        fs::write(&other, "not allowed")?;
        fs::rename(other, single.join(FILE))?;
    }
    let mut said = Vec::new();
    output.read_to_end(&mut said)?;
    let status = child.wait()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(said)
}

/// The module: opens the path so many times, traps if one comes out otherwise, and writes the nanoseconds.
fn text(case: &Case, times: u32) -> String {
    let Case { path, .. } = case;
    // A runner preopens the root, others the directory itself.
    let from_root = if case.replaced {
        (*path).to_owned()
    } else {
        format!("work/{path}")
    };
    let until_replaced = if case.replaced { UNTIL_REPLACED } else { "" };
    let wrong = if case.refused {
        "(i32.eqz (local.get $errno))"
    } else {
        "(local.get $errno)"
    };
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "{from_root}") (data (i32.const 2048) "{path}")
  (global $path (mut i32) (i32.const 1024)) (global $length (mut i32) (i32.const {root_length}))
  (func $open (result i32)
    (local $errno i32)
    (local.set $errno (call $path_open (i32.const 3) (i32.const 1) (global.get $path) (global.get $length)
      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64)))
    (if (i32.eqz (local.get $errno)) (then (drop (call $fd_close (i32.load (i32.const 64))))))
    (local.get $errno))
  (func $now (result i64)
    (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 128)))
    (i64.load (i32.const 128)))
  (func $say (param $length i32)
    (i32.store (i32.const 16) (i32.const 128)) (i32.store (i32.const 20) (local.get $length))
    (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32))))
  (func (export "_start")
    (local $n i32) (local $errno i32) (local $begun i64)
    (drop (call $fd_prestat_get (i32.const 3) (i32.const 64)))
    (if (i32.ne (i32.load (i32.const 68)) (i32.const 1)) (then
      (global.set $path (i32.const 2048)) (global.set $length (i32.const {length}))))
    {until_replaced}
    (local.set $begun (call $now))
    (loop $next
      (local.set $errno (call $open))
      (if {wrong} (then unreachable))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const {times}))))
    (i64.store (i32.const 128) (i64.sub (call $now) (local.get $begun)))
    (call $say (i32.const 8))))"#,
        root_length = from_root.len(),
        length = path.len(),
    )
}

/// Opens it, says so, and waits until it can't.
const UNTIL_REPLACED: &str = "(if (call $open) (then unreachable)) (call $say (i32.const 1))
    (loop $wait (br_if $wait (i32.eqz (call $open))))";
