//! The observations of a run.

use std::collections::BTreeSet;

use wasix_landlock_foreign::{Claim, Tried};

use crate::outside::Task;

/// A run, as its subject and the system show it.
#[derive(Debug)]
pub struct Seen {
    pub claim: Claim,
    /// The result of each attempt, in the subject's own words.
    pub tried: Vec<Tried>,
    pub disturbed: Vec<String>,
    /// The tasks before the policy is enforced, and after the attempts.
    pub before: Vec<Task>,
    pub after: Vec<Task>,
    /// The attempts whose files the process has open.
    pub secrets: BTreeSet<usize>,
    pub inside: BTreeSet<usize>,
    pub namespaces: usize,
    pub users: (u32, u32),
}
