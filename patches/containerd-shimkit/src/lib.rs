//! The crate that talks to containerd for a shim, with one addition: an instance can have a terminal, and containerd gets
//! an answer when it asks for the instance's processes or closes its standard input.
//!
//! The source is upstream's, made at build time with the patches beside this file.
// Upstream names its macros by their path, and they come from an included file here.
#![allow(clippy::all, macro_expanded_macro_exports_accessed_by_absolute_paths)]

include!(concat!(env!("OUT_DIR"), "/upstream/src/lib.rs"));
