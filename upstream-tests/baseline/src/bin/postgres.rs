//! One run of PostgreSQL on Wasmer as published: `postgres REQUEST`, as `wasix-landlock-postgres` says it.
#![forbid(unsafe_code)]

#[path = "../../../postgres/src/guest.rs"]
mod guest;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        Some(request) => guest::child(&request, |_, _, _| Ok(())),
        None => {
            eprintln!("usage: postgres REQUEST");
            ExitCode::FAILURE
        }
    }
}
