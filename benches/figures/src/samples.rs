//! Samples as they are taken, by row and column.

use std::collections::BTreeMap;

use crate::{Cell, Column, Row};

/// Samples as they are taken, by row and column; and why there are none.
#[derive(Debug, Default)]
pub struct Samples {
    taken: BTreeMap<(String, String), Vec<f64>>,
    absent: BTreeMap<(String, String), String>,
}

impl Samples {
    /// Adds one.
    pub fn add(&mut self, row: &str, column: &str, sample: f64) {
        let place = (row.to_owned(), column.to_owned());
        self.taken.entry(place).or_default().push(sample);
    }

    /// Says why there will be none.
    pub fn leave_out(&mut self, row: &str, column: &str, reason: impl Into<String>) {
        let place = (row.to_owned(), column.to_owned());
        self.absent.insert(place, reason.into());
    }

    /// True if there will be none.
    pub fn is_left_out(&self, row: &str, column: &str) -> bool {
        let place = (row.to_owned(), column.to_owned());
        self.absent.contains_key(&place)
    }

    /// The samples that were taken so far.
    pub fn of(&self, row: &str, column: &str) -> &[f64] {
        let place = (row.to_owned(), column.to_owned());
        self.taken.get(&place).map_or(&[], Vec::as_slice)
    }

    /// A row of a table.
    pub fn row(&self, name: &str, columns: &[Column]) -> Row {
        let cell = |column: &Column| {
            let place = (name.to_owned(), column.name.clone());
            match self.absent.get(&place) {
                Some(reason) => Cell::Absent(reason.clone()),
                None => Cell::measured(self.of(name, &column.name).to_vec()),
            }
        };
        Row {
            name: name.to_owned(),
            cells: columns.iter().map(cell).collect(),
        }
    }
}
