//! The results of a run: tables of numbers, in one form for all benchmarks.

use serde::{Deserialize, Serialize};

use crate::{Machine, Spread};

/// Everything that one run gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// The machine, and the time.
    pub machine: Machine,
    /// In the order in which they are shown.
    pub tables: Vec<Table>,
    /// The runs of those tables that were taken apart from the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<Apart>,
}

/// A run that gave some of the tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Apart {
    /// The machine, and the time.
    pub machine: Machine,
    /// The identifiers of the tables.
    pub tables: Vec<String>,
}

impl Apart {
    /// The titles of its tables and its machine, in words.
    #[must_use]
    pub fn describe(&self, results: &Results) -> String {
        let titles = self.tables.iter().filter_map(|id| results.table(id));
        let titles: Vec<&str> = titles.map(|table| table.title.as_str()).collect();
        format!(
            "Taken apart: {}. {}",
            titles.join("; "),
            self.machine.describe()
        )
    }
}

impl Results {
    /// Returns the results with the tables of a later run of some parts, each in the place of the earlier one.
    #[must_use]
    pub fn with(mut self, later: Self) -> Self {
        let tables: Vec<String> = later.tables.iter().map(|table| table.id.clone()).collect();
        for table in later.tables {
            match self.tables.iter_mut().find(|known| known.id == table.id) {
                Some(known) => *known = table,
                None => self.tables.push(table),
            }
        }
        for apart in &mut self.apart {
            apart.tables.retain(|id| !tables.contains(id));
        }
        self.apart.retain(|apart| !apart.tables.is_empty());
        if !tables.is_empty() {
            let machine = later.machine;
            self.apart.push(Apart { machine, tables });
        }
        self
    }

    /// The table with this identifier.
    pub fn table(&self, id: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.id == id)
    }
}

/// One table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table {
    /// The identifier that links use.
    pub id: String,
    /// The heading.
    pub title: String,
    /// The description of the measurement, and notes on it.
    pub text: String,
    /// The heading of the rows' names.
    pub head: String,
    /// In the order of each row's cells.
    pub columns: Vec<Column>,
    /// Medians of two columns, one divided by the other.
    pub ratios: Vec<Ratio>,
    /// In the order in which they are shown.
    pub rows: Vec<Row>,
    /// The pictures of it.
    pub plots: Vec<Plot>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// Of its numbers; empty for text.
    pub unit: String,
}

/// A column that is made of two others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// Is divided.
    pub above: String,
    /// By this.
    pub below: String,
}

/// A row of a table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// The name.
    pub name: String,
    /// In the order of the columns.
    pub cells: Vec<Cell>,
}

/// The content of one place in a table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Measured, as often as there are samples.
    Measured {
        /// Of the samples.
        spread: Spread,
        /// In the order in which they were taken.
        samples: Vec<f64>,
    },
    /// Words.
    Text(String),
    /// Not measured, and why.
    Absent(String),
}

/// The form in which a table is drawn.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plot {
    /// A bar for each row and column: how many times `base` it is.
    Bars {
        /// The title of the picture.
        title: String,
        /// Columns.
        columns: Vec<String>,
        /// The column that is 1.
        base: String,
        /// For ratios from thousandths to thousands.
        logarithmic: bool,
    },
    /// A line for each column, over the numbers that the rows are named by, both logarithmic.
    Lines {
        /// The title of the picture.
        title: String,
        /// Columns of one unit.
        columns: Vec<String>,
    },
}

impl Column {
    /// A column of numbers.
    pub fn new(name: &str, unit: &str) -> Self {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        Self { name, unit }
    }
}

impl Ratio {
    /// One column divided by another.
    pub fn new(above: &str, below: &str) -> Self {
        let (above, below) = (above.to_owned(), below.to_owned());
        Self { above, below }
    }
}

impl Cell {
    /// Summarizes the samples.
    pub fn measured(samples: Vec<f64>) -> Self {
        match Spread::of(&samples) {
            Some(spread) => Self::Measured { spread, samples },
            None => Self::Absent("no sample was taken".to_owned()),
        }
    }

    /// The median, if it was measured.
    pub fn median(&self) -> Option<f64> {
        match self {
            Self::Measured { spread, .. } => Some(spread.median),
            _ => None,
        }
    }
}

impl Table {
    /// Returns the position of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }

    /// The median of a row in a column, if it was measured.
    pub fn median(&self, row: &Row, column: &str) -> Option<f64> {
        row.cells.get(self.position(column)?)?.median()
    }

    /// The medians of two columns in a row, one divided by the other.
    pub fn ratio(&self, row: &Row, above: &str, below: &str) -> Option<f64> {
        Some(self.median(row, above)? / self.median(row, below)?)
    }

    /// The ratios whose columns are both there.
    pub fn shown_ratios(&self) -> impl Iterator<Item = &Ratio> {
        let there = |ratio: &&Ratio| {
            self.position(&ratio.above).is_some() && self.position(&ratio.below).is_some()
        };
        self.ratios.iter().filter(there)
    }

    /// Returns the reasons for empty cells: each reason once, with its places.
    pub fn reasons(&self) -> Vec<(String, Vec<String>)> {
        let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
        for row in &self.rows {
            for (cell, column) in row.cells.iter().zip(&self.columns) {
                let Cell::Absent(reason) = cell else { continue };
                let place = format!("{}, {}", row.name, column.name);
                match reasons.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, places)) => places.push(place),
                    None => reasons.push((reason.clone(), vec![place])),
                }
            }
        }
        reasons
    }
}
