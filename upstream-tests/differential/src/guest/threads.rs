//! Calls that threads of the module make at the same time.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Directory;
use crate::composite::Program;
use crate::outcome::Clock;

/// The largest number of threads.
pub const MOST: u32 = 6;

/// The calls of each thread, and the descriptors that all of them begin with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Threads {
    /// The calls of each.
    pub programs: Vec<Program>,
    pub(super) slots: HashMap<String, u32>,
    pub(super) directories: HashMap<String, Directory>,
    pub(super) clock: Clock,
}
