//! The comparison as tables and plots.

use std::path::Path;

use wasix_landlock_figures::{
    Cell, Column, Machine, Plot, Ratio, Results, Row, Samples, Spread, Table,
};
use wasix_landlock_profile::Compiler;

use super::facts::FACTS;
use super::{COMPILE, Compared, ENFORCED, FIGURES, OFF, START};

/// The numbers of runs over which the total time is shown.
const RUNS: [u32; 7] = [1, 3, 10, 30, 100, 300, 1000];

/// All tables.
pub fn tables(
    module: &Path,
    compared: &[Compared],
    samples: &Samples,
    machine: Machine,
) -> Results {
    let tables = vec![
        figures(module, compared, samples),
        enforcement(samples),
        runs(samples),
        isolation(),
    ];
    Results {
        machine,
        tables,
        apart: Vec::new(),
    }
}

fn columns(unit: &str) -> Vec<Column> {
    let names = Compiler::ALL.map(Compiler::name);
    names.map(|name| Column::new(name, unit)).to_vec()
}

fn names() -> Vec<String> {
    Compiler::ALL
        .map(|compiler| compiler.name().to_owned())
        .to_vec()
}

fn median(samples: &Samples, figure: &str, compiler: &str) -> Option<f64> {
    Spread::of(samples.of(figure, compiler)).map(|spread| spread.median)
}

fn figures(module: &Path, compared: &[Compared], samples: &Samples) -> Table {
    let columns = columns("");
    let row = |(figure, unit): (&str, &str)| {
        let mut row = samples.row(figure, &columns);
        row.name = format!("{figure}, {unit}");
        row
    };
    let code = compared.iter().find_map(|compared| compared.exit_code);
    let ended = code.map_or_else(String::new, |code| {
        format!(" It ended with exit code {code}.")
    });
    let [cranelift, singlepass] = Compiler::ALL.map(Compiler::name);
    Table {
        id: "figures".to_owned(),
        title: "Cranelift and Singlepass".to_owned(),
        text: format!(
            "`{}`, compiled by each with Wasmer's defaults.{ended} *code* is the serialized module, *memory* the most \
             of a process that does nothing else, *start from a cache* making the engine and loading the compiled \
             module, *run* the run alone.",
            module.display()
        ),
        head: "figure".to_owned(),
        rows: FIGURES.map(row).to_vec(),
        columns,
        ratios: vec![Ratio::new(singlepass, cranelift)],
        plots: vec![Plot::Bars {
            title: "Singlepass as multiples of Cranelift (logarithmic)".to_owned(),
            columns: vec![singlepass.to_owned()],
            base: cranelift.to_owned(),
            logarithmic: true,
        }],
    }
}

/// The run with enforcement, beside the same without.
fn enforcement(samples: &Samples) -> Table {
    let columns = [Column::new("off", "ms"), Column::new("enforced", "ms")];
    let row = |name: String| {
        let cell = |figure| Cell::measured(samples.of(figure, &name).to_vec());
        Row {
            cells: vec![cell(OFF), cell(ENFORCED)],
            name: name.clone(),
        }
    };
    Table {
        id: "enforcement".to_owned(),
        title: "With and without enforcement".to_owned(),
        text: "The run alone, with enforcement off and on, one after the other.".to_owned(),
        head: "compiler".to_owned(),
        rows: names().into_iter().map(row).collect(),
        columns: columns.to_vec(),
        ratios: vec![Ratio::new("enforced", "off")],
        plots: vec![Plot::Bars {
            title: "The run under enforcement, as multiples of the run without".to_owned(),
            columns: vec!["enforced".to_owned()],
            base: "off".to_owned(),
            logarithmic: false,
        }],
    }
}

/// The number of runs from which a compiler pays off.
fn runs(samples: &Samples) -> Table {
    let total = |compiler: &str, runs: u32| {
        let figure = |name| median(samples, name, compiler);
        let each = figure(START)? + figure(ENFORCED)?;
        Some(figure(COMPILE)? + f64::from(runs) * each)
    };
    let row = |runs: u32| {
        let cell = |name: String| match total(&name, runs) {
            Some(total) => Cell::measured(vec![total]),
            None => Cell::Absent("not compiled".to_owned()),
        };
        Row {
            name: runs.to_string(),
            cells: names().into_iter().map(cell).collect(),
        }
    };
    Table {
        id: "runs".to_owned(),
        title: "Compiled once, run several times".to_owned(),
        text: "The time to compile once, and then to start from a cache and run under enforcement so many times: \
               calculated from the medians above."
            .to_owned(),
        head: "runs".to_owned(),
        rows: RUNS.map(row).to_vec(),
        columns: columns("ms"),
        ratios: Vec::new(),
        plots: vec![Plot::Lines {
            title: "Total time over the number of runs (both logarithmic)".to_owned(),
            columns: names(),
        }],
    }
}

fn isolation() -> Table {
    let rows = FACTS.iter().map(|fact| Row {
        name: fact.property.to_owned(),
        cells: [fact.cranelift, fact.singlepass]
            .map(|text| Cell::Text(text.to_owned()))
            .to_vec(),
    });
    Table {
        id: "isolation".to_owned(),
        title: "The part of each compiler in isolation".to_owned(),
        text: "Read in the sources of Wasmer 7.4.2.".to_owned(),
        head: "property".to_owned(),
        rows: rows.collect(),
        columns: columns(""),
        ratios: Vec::new(),
        plots: Vec::new(),
    }
}
