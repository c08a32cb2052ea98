//! The context of the steps.

use std::path::PathBuf;

use crate::assets::Assets;

/// PostgreSQL, and the ways in which it is tried.
#[derive(Debug)]
pub struct Places {
    /// PostgreSQL's files.
    pub assets: Assets,
    /// `postgres`, compiled, for workers.
    pub artifact: Vec<u8>,
    /// The program that runs a request on Wasmer as published, if that is asked for.
    pub upstream: Option<PathBuf>,
    /// The number of times that a session is killed.
    pub kills: u32,
}
