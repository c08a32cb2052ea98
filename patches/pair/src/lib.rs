//! The forks of `wasmer-wasix` and `virtual-fs` belong together: with only one of them, the recorded
//! preopens never meet the host directories behind them, and nothing could be enforced.
//!
//! This crate is how each notices that the other is missing. Both depend on it, each enables the feature
//! of its own name, and its build script passes the features on to theirs. It holds no code.
#![forbid(unsafe_code)]
