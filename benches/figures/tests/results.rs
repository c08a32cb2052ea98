//! Results of several runs in one document.

use std::path::Path;

use wasix_landlock_figures::page::prose;
use wasix_landlock_figures::{Cell, Column, Machine, Results, Row, Table};

fn results(versions: &str, tables: &[(&str, f64)]) -> Results {
    let table = |(id, number): &(&str, f64)| Table {
        id: (*id).to_owned(),
        title: format!("Table {id}"),
        text: String::new(),
        head: "row".to_owned(),
        columns: vec![Column::new("column", "ms")],
        ratios: Vec::new(),
        rows: vec![Row {
            name: "row".to_owned(),
            cells: vec![Cell::measured(vec![*number])],
        }],
        plots: Vec::new(),
    };
    Results {
        machine: Machine::here(Path::new("."), vec![versions.to_owned()], false),
        tables: tables.iter().map(table).collect(),
        apart: Vec::new(),
    }
}

fn numbers(results: &Results) -> Vec<(&str, Option<f64>)> {
    let number = |table: &Table| table.median(&table.rows[0], "column");
    let tables = results.tables.iter();
    tables
        .map(|table| (table.id.as_str(), number(table)))
        .collect()
}

fn apart(results: &Results) -> Vec<(&str, Vec<&str>)> {
    results
        .apart
        .iter()
        .map(|run| {
            let ids = run.tables.iter().map(String::as_str);
            (run.machine.versions[0].as_str(), ids.collect())
        })
        .collect()
}

#[test]
fn a_later_run_of_some_parts_replaces_their_tables_and_leaves_the_others() {
    let all = results("first", &[("a", 1.0), ("b", 2.0), ("c", 3.0)]);
    let all = all.with(results("second", &[("b", 20.0), ("d", 40.0)]));
    assert_eq!(
        numbers(&all),
        [
            ("a", Some(1.0)),
            ("b", Some(20.0)),
            ("c", Some(3.0)),
            ("d", Some(40.0))
        ]
    );
    assert_eq!(apart(&all), [("second", vec!["b", "d"])]);

    let all = all.with(results("third", &[("b", 200.0)]));
    assert_eq!(apart(&all), [("second", vec!["d"]), ("third", vec!["b"])]);

    // A run that gave nothing changes nothing, and results from before are read.
    let before = numbers(&all).len();
    let all = all.with(results("fourth", &[]));
    assert_eq!(numbers(&all).len(), before);
    assert_eq!(apart(&all).len(), 2);
    let mut json = serde_json::to_value(&all).expect("it is data");
    json.as_object_mut().expect("an object").remove("apart");
    let read: Results = serde_json::from_value(json).expect("the earlier form");
    assert!(read.apart.is_empty());
}

#[test]
fn marks_and_links_become_html_and_all_else_is_text() {
    assert_eq!(
        prose("**Now**, *some* `a<b>` of <x> & [others](results/x.json)"),
        "<strong>Now</strong>, <em>some</em> <code>a&lt;b&gt;</code> of &lt;x&gt; &amp; \
         <a href=\"../results/x.json\">others</a>"
    );
}
