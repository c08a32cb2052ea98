//! The benchmarks' shared parts.
#![forbid(unsafe_code)]

mod document;
pub mod markdown;
pub mod page;
mod program;
mod summary;

pub use document::write_part;
pub use program::{empty, take_sample};
pub use summary::{cost_table, summary};
pub use wasix_landlock_figures::{
    Cell, Column, Machine, Plot, Ratio, Results, Row, Samples, Spread, Table, fastest_file_system,
    file_system, short,
};
