//! The benchmarks' shared parts: numbers of several runs, the tables made of them, and their presentation.
#![forbid(unsafe_code)]

mod document;
mod machine;
pub mod markdown;
pub mod page;
mod plot;
mod program;
mod samples;
mod spread;
mod summary;
mod table;

pub use document::write_part;
pub use machine::{Machine, fastest_file_system};
pub use program::{empty, take_sample};
pub use samples::Samples;
pub use spread::{Spread, short};
pub use summary::{cost_table, summary};
pub use table::{Cell, Column, Plot, Ratio, Results, Row, Table};
