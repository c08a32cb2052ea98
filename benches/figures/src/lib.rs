//! Measurements of several runs, the tables made of them, and their presentation as Markdown and as a page with plots.
#![forbid(unsafe_code)]

mod machine;
pub mod markdown;
pub mod page;
mod plot;
mod samples;
mod spread;
mod table;

pub use machine::{Machine, fastest_file_system, file_system};
pub use samples::Samples;
pub use spread::{Spread, short};
pub use table::{Apart, Cell, Column, Plot, Ratio, Results, Row, Table};
