//! The two compilers over the same programs, and what each does for isolation.

use std::fs;

use anyhow::Context as _;
use wasix_landlock_benches::{Cell, Column, Plot, Ratio, Row, Samples, Table};

use crate::context::Context;
use crate::own;
use crate::programs::list::{self, Program};
use crate::programs::{prepare, run_once};
use wasix_landlock_programs::runner::Compiler;

const COMPILERS: [(Compiler, &str); 2] = [
    (Compiler::Cranelift, "Cranelift"),
    (Compiler::Singlepass, "Singlepass"),
];
/// The compile time, in milliseconds, from which a compiler is measured once.
const ONCE_FROM: f64 = 4e3;

/// Compiles and runs all programs with both.
///
/// # Errors
/// A program that can't be had, or fails.
pub fn measure(context: &Context) -> anyhow::Result<Vec<Table>> {
    let mut programs = list::programs(context.short)?;
    programs.retain(|program| program.name.contains(&context.only));
    let samples_each = context.samples.div_ceil(2);
    let columns = [
        ("compile", "ms"),
        ("code", "MiB"),
        ("peak", "MiB"),
        ("cached start", "ms"),
        ("fork", "ms"),
        ("enforced", "ms"),
    ]
    .map(|(name, unit)| Column::new(name, unit));
    let mut samples = Samples::default();
    for round in 0..samples_each {
        for program in &programs {
            for (compiler, name) in COMPILERS {
                let row = row_name(program, name);
                if let (Compiler::Singlepass, Some(reason)) = (compiler, program.not_in_singlepass)
                {
                    for column in &columns {
                        samples.leave_out(&row, &column.name, reason);
                    }
                    continue;
                }
                let say = |what| {
                    context.say(&format!(
                        "compilers: round {} of {samples_each}: {row}, {what}",
                        round + 1
                    ));
                };
                let slow = samples
                    .of(&row, "compile")
                    .last()
                    .is_some_and(|took| *took > ONCE_FROM);
                if !slow {
                    say("compiling");
                    let measured = prepare(context, "fork", program, compiler)?;
                    let measured = measured.context("the fork has modules")?;
                    samples.add(&row, "compile", measured.compile);
                    samples.add(&row, "code", measured.size);
                    samples.add(&row, "peak", measured.peak);
                }
                for column in ["fork", "enforced"] {
                    say(column);
                    let once = run_once(context, column, program, compiler)?;
                    samples.add(&row, column, once.run.context("the fork has a run")?);
                    if column == "enforced" {
                        samples.add(&row, "cached start", once.load);
                    }
                }
            }
        }
    }
    let names = programs
        .iter()
        .flat_map(|p| COMPILERS.map(|(_, name)| row_name(p, name)));
    let figures = Table {
        id: "compilers".to_owned(),
        title: "Cranelift and Singlepass".to_owned(),
        text: "The same programs, compiled by each with Wasmer's defaults. *code* is the serialized module, *peak* the \
               most memory of a process that does nothing but compile it, *cached start* making the engine and loading \
               the compiled module, *fork* and *enforced* the run alone."
            .to_owned(),
        head: "program".to_owned(),
        rows: names.map(|name| samples.row(&name, &columns)).collect(),
        columns: columns.to_vec(),
        ratios: vec![Ratio::new("enforced", "fork")],
        plots: Vec::new(),
    };
    let compared = compared(&programs, &figures);
    Ok(vec![figures, compared, isolation()?])
}

fn row_name(program: &Program, compiler: &str) -> String {
    format!("{}, {compiler}", program.name)
}

/// Singlepass as multiples of Cranelift.
fn compared(programs: &[Program], figures: &Table) -> Table {
    const CRANELIFT: &str = "Cranelift";
    let mut columns = vec![Column::new(CRANELIFT, "×")];
    let wanted = figures
        .columns
        .iter()
        .filter(|column| column.name != "fork");
    columns.extend(wanted.map(|column| {
        Column::new(
            if column.name == "enforced" {
                "run"
            } else {
                &column.name
            },
            "×",
        )
    }));
    let find = |name: String| figures.rows.iter().find(|row| row.name == name);
    let row = |program: &Program| {
        let [cranelift, singlepass] = COMPILERS.map(|(_, name)| find(row_name(program, name)));
        let ratio = |column: &Column| {
            let column = if column.name == "run" {
                "enforced"
            } else {
                &column.name
            };
            let median = |row: Option<&Row>| row.and_then(|row| figures.median(row, column));
            Some(median(singlepass)? / median(cranelift)?)
        };
        let cells = columns.iter().map(|column| match ratio(column) {
            _ if column.name == CRANELIFT => Cell::measured(vec![1.0]),
            Some(ratio) => Cell::measured(vec![ratio]),
            None => Cell::Absent("not compiled by both".to_owned()),
        });
        Row {
            name: program.name.to_owned(),
            cells: cells.collect(),
        }
    };
    Table {
        id: "compilers-compared".to_owned(),
        title: "Singlepass as multiples of Cranelift".to_owned(),
        text: "From the medians above: below 1 Singlepass takes less.".to_owned(),
        head: "program".to_owned(),
        ratios: Vec::new(),
        rows: programs.iter().map(row).collect(),
        plots: vec![Plot::Bars {
            title: "Singlepass as multiples of Cranelift (logarithmic)".to_owned(),
            columns: columns
                .iter()
                .skip(1)
                .map(|column| column.name.clone())
                .collect(),
            base: CRANELIFT.to_owned(),
            logarithmic: true,
        }],
        columns,
    }
}

/// The isolation of each compiler: its settings, read in the sources of Wasmer 7.4.2, and the checks that it passes.
fn isolation() -> anyhow::Result<Table> {
    let conformance = fs::read_to_string(own("../upstream-tests/conformance/RESULTS.md"))?;
    let passed = |column: &str| -> anyhow::Result<String> {
        let cells = |line: &str| {
            line.split('|')
                .map(|cell| cell.trim().to_owned())
                .collect::<Vec<_>>()
        };
        let place_in = |head: &[String]| head.iter().position(|cell| cell == column);
        // Another table stands before it, and one behind it.
        let mut rows = conformance
            .lines()
            .skip_while(|line| place_in(&cells(line)).is_none())
            .take_while(|line| line.starts_with('|'))
            .map(cells);
        let place = rows
            .next()
            .and_then(|head| place_in(&head))
            .with_context(|| format!("no column {column} in the table of conformance"))?;
        let (mut passed, mut all) = (0, 0);
        for row in rows.skip(1) {
            let cell = row.get(place).context("a short row")?;
            // The last row is the sums.
            all += usize::from(cell.parse::<usize>().is_err());
            passed += usize::from(cell == "passes");
        }
        Ok(format!("{passed} of {all} modules pass"))
    };
    let attacks = fs::read_to_string(own("../upstream-tests/attacks/RESULTS.md"))?;
    // The rows of cases have so many columns, and so have the head and the sums.
    let attacks = attacks
        .lines()
        .filter(|line| line.matches(" | ").count() == 6);
    let attacks: Vec<&str> = attacks.collect();
    let all = attacks.len().saturating_sub(2);
    let held = attacks
        .iter()
        .filter(|line| line.ends_with("| held |"))
        .count();
    let rows: [(&str, [String; 2]); 6] = [
        (
            "Spectre: memory accesses",
            [
                "no mitigation: `heap_access_spectre_mitigation` returns `false`, whatever Cranelift's own default. It only \
                 matters where a bound is checked by a branch; with Wasmer's default of 4 GiB and a guard region after it, none is",
                "none known to the compiler; the same guard region, and branches where it isn't there",
            ]
            .map(str::to_owned),
        ),
        (
            "Spectre: indirect calls and tables",
            [
                "no mitigation: the index is checked by a branch, and `prepare_table_addr` is called with \
                 `enable_table_access_spectre_mitigation` as `false`",
                "no mitigation: the index is checked by a branch",
            ]
            .map(str::to_owned),
        ),
        (
            "can a program switch them on",
            [
                "no: Wasmer's `Cranelift` has no such option and takes no flags, and these two places don't ask Cranelift's. So what they \
                 cost can't be measured without changing the compiler",
                "no: there are none",
            ]
            .map(str::to_owned),
        ),
        (
            "NaN canonicalization",
            ["off by default", "on by default"].map(str::to_owned),
        ),
        (
            "conformance, with enforcement",
            [passed("fork, cranelift")?, passed("fork, singlepass")?],
        ),
        (
            "attacks, as shipped",
            [
                format!("{held} of {all} cases held"),
                format!("{held} of {all} cases held"),
            ],
        ),
    ];
    Ok(Table {
        id: "isolation".to_owned(),
        title: "What each compiler does for isolation".to_owned(),
        text: "Read in the sources of Wasmer 7.4.2, and from the tables of the [conformance](../upstream-tests/conformance/RESULTS.md) \
               and [attack](../upstream-tests/attacks/RESULTS.md) suites: the latter is made with Singlepass, and `WASIX_LANDLOCK_ATTACKS_COMPILER=cranelift \
               cargo run --release -p wasix-landlock-attacks -- --check` finds the same with Cranelift. Landlock holds either way: it doesn't depend on the compiler."
            .to_owned(),
        head: "what".to_owned(),
        columns: COMPILERS.map(|(_, name)| Column::new(name, "")).to_vec(),
        ratios: Vec::new(),
        rows: rows
            .into_iter()
            .map(|(name, cells)| Row {
                name: name.to_owned(),
                cells: cells.map(Cell::Text).to_vec(),
            })
            .collect(),
        plots: Vec::new(),
    })
}
