//! The column of Wasmer as published: a step's run without what only the fork has.

use std::fs;

use anyhow::{Context, bail};

use crate::guest::Request;
use crate::places::Places;
use crate::session::{Ended, run_upstream, session};
use crate::steps::{Plain, Step, disk, free_port, memory};

/// The words that begin PostgreSQL's errors.
const ERRORS: [&str; 4] = ["PANIC:", "FATAL:", "ERROR:", "error:"];

/// Runs a step on Wasmer as published, and says how it ended.
///
/// # Errors
/// A process that can't be started, or a directory that can't be made.
pub fn outcome(places: &Places, step: &Step) -> anyhow::Result<String> {
    Ok(match (&step.published, &places.upstream) {
        (Err(why), _) => (*why).to_owned(),
        (Ok(_), None) => "not asked for".to_owned(),
        (Ok(plain), Some(upstream)) => {
            let room = if plain.on_tmpfs {
                memory()?
            } else {
                disk(places)?
            };
            let room = match room {
                Ok(room) => room,
                Err(why) => bail!("{}: {why}", step.name),
            };
            let data = room.path().join("data");
            if plain.made {
                places.assets.make_data_directory(&data)?;
            } else {
                fs::create_dir(&data)?;
            }
            let request = request(plain, session(&data, false))?;
            let ended = run_upstream(upstream, &request, plain.input);
            describe(&ended.with_context(|| step.name)?)
        }
    })
}

/// Makes the request of a run from that of a session.
fn request(plain: &Plain, session: Request) -> anyhow::Result<Request> {
    if plain.arguments.is_empty() {
        return Ok(session);
    }
    let port = free_port()?;
    let arguments = plain.arguments.replace("PORT", &port.to_string());
    Ok(Request {
        program: plain.program.to_owned(),
        arguments: arguments.split_whitespace().map(str::to_owned).collect(),
        port: plain.arguments.contains("PORT").then_some(port),
        ..session
    })
}

/// Returns the first error of a program, without its date, or its exit code.
fn describe(ended: &Ended) -> String {
    let text = format!("{}{}", ended.errors, ended.output);
    let error = text.lines().find_map(|line| {
        ERRORS
            .iter()
            .find_map(|word| line.find(word).map(|at| line.split_at(at).1))
    });
    match error {
        Some(error) => format!("`{}`", error.trim().replace('|', "/")),
        None => format!("exit code {}", ended.code),
    }
}
