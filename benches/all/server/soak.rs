//! Servers under load for a long time: whether memory, threads or descriptors grow.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use wasix_landlock_benches::{Cell, Column, Plot, Row, Table};

use super::load::Load;
use super::process::{Held, Server};
use super::{COLUMNS, MODES, command, prepare};
use crate::context::Context;

/// The connections of each server.
const CONNECTIONS: usize = 4;
const MINUTE: Duration = Duration::from_secs(60);
/// The minutes that aren't counted as growth, where there are more than twice as many: allocators and caches fill.
const WARM_UP: usize = 5;

/// A server, and what it held each minute.
struct Watched {
    name: String,
    server: Server,
    held: Vec<Held>,
    requests: u64,
}

/// Watches a server of each mode at once, with enforcement unless other columns are asked for.
///
/// # Errors
/// A server that fails a request.
pub fn measure(context: &Context, minutes: u64) -> anyhow::Result<Vec<Table>> {
    ensure!(minutes > 0, "a soak takes at least a minute");
    let wanted = |column: &&str| match context.wanted.is_empty() {
        true => *column == "enforced",
        false => context.wanted.iter().any(|wanted| wanted == column),
    };
    let mut all = Vec::new();
    for column in COLUMNS.into_iter().filter(wanted) {
        let has = |mode: &&str| *mode != "instance" || ["fork", "enforced"].contains(&column);
        for mode in MODES.into_iter().filter(has) {
            let name = format!("{mode}, {column}");
            let data = prepare(&context.work.join(format!("{mode}-{column}")))?;
            let server = Server::start(command(context, column, mode, &data)?)?;
            all.push(Watched {
                name,
                server,
                held: Vec::new(),
                requests: 0,
            });
        }
    }
    let begun = Instant::now();
    thread::scope(|scope| {
        let loads: Vec<_> = all
            .iter()
            .map(|watched| {
                let address = watched.server.address.clone();
                // A little longer, so that the last look meets it.
                scope.spawn(move || Load::put(&address, CONNECTIONS, minutes * 60 + 1))
            })
            .collect();
        for minute in 1..=minutes {
            thread::sleep(
                (begun + MINUTE * u32::try_from(minute)?).saturating_duration_since(Instant::now()),
            );
            for watched in &mut all {
                let held = watched
                    .server
                    .held()
                    .with_context(|| watched.name.clone())?;
                watched.held.push(held);
            }
            context.say(&format!("soak: minute {minute} of {minutes}"));
        }
        for (watched, load) in all.iter_mut().zip(loads) {
            let load = load
                .join()
                .map_err(|_| anyhow::anyhow!("a load panicked"))?;
            watched.requests = load.with_context(|| watched.name.clone())?.requests;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    Ok(tables(&all, minutes))
}

/// A quantity: its identifier, its name, its unit, and its value at a time.
type Quantity = (&'static str, &'static str, &'static str, fn(&Held) -> f64);

fn tables(all: &[Watched], minutes: u64) -> Vec<Table> {
    let quantities: [Quantity; 3] = [
        ("memory", "memory", "MiB", |held| held.memory),
        ("threads", "threads", "", |held| held.threads as f64),
        ("descriptors", "open descriptors", "", |held| {
            held.descriptors as f64
        }),
    ];
    let mut tables = vec![growth(all, minutes)];
    for (id, what, unit, of) in quantities {
        let rows = (0..all.first().map_or(0, |watched| watched.held.len())).map(|minute| Row {
            name: (minute + 1).to_string(),
            cells: all
                .iter()
                .map(|watched| {
                    Cell::measured(watched.held.get(minute).map(of).into_iter().collect())
                })
                .collect(),
        });
        tables.push(Table {
            id: format!("soak-{id}"),
            title: format!("A server under load: {what}"),
            text: format!("The {what} of each server's process by the minute."),
            head: "minute".to_owned(),
            columns: all
                .iter()
                .map(|watched| Column::new(&watched.name, unit))
                .collect(),
            ratios: Vec::new(),
            rows: rows.collect(),
            plots: vec![Plot::Lines {
                title: format!("{what} by minutes (both logarithmic)"),
                columns: all.iter().map(|watched| watched.name.clone()).collect(),
            }],
        });
    }
    tables
}

/// The resources of each server in the first minute that counts and in the last, and the slope between.
fn growth(all: &[Watched], minutes: u64) -> Table {
    let row = |watched: &Watched| {
        let skipped = if watched.held.len() > 2 * WARM_UP {
            WARM_UP
        } else {
            0
        };
        let held = watched.held.get(skipped..).unwrap_or_default();
        let number = |number: f64| Cell::measured(vec![number]);
        let ends = |of: fn(&Held) -> f64| {
            [held.first(), held.last()].map(|held| number(held.map_or(0.0, of)))
        };
        let mut cells = vec![number(watched.requests as f64)];
        cells.extend(ends(|held| held.memory));
        cells.push(number(slope(held.iter().map(|held| held.memory)) * 60.0));
        cells.extend(ends(|held| held.threads as f64));
        cells.extend(ends(|held| held.descriptors as f64));
        Row {
            name: watched.name.clone(),
            cells,
        }
    };
    let columns = [
        ("requests", ""),
        ("memory at first", "MiB"),
        ("memory at last", "MiB"),
        ("growth in an hour", "MiB"),
        ("threads at first", ""),
        ("threads at last", ""),
        ("descriptors at first", ""),
        ("descriptors at last", ""),
    ];
    Table {
        id: "soak".to_owned(),
        title: "A server under load for a long time".to_owned(),
        text: format!(
            "Servers of all modes at once for {minutes} minutes, with {CONNECTIONS} connections each. *At first* is after \
             {WARM_UP} minutes in a long run, after one in a short one. The growth is the slope of a line through all \
             minutes from then on."
        ),
        head: "mode".to_owned(),
        columns: columns.map(|(name, unit)| Column::new(name, unit)).to_vec(),
        ratios: Vec::new(),
        rows: all.iter().map(row).collect(),
        plots: Vec::new(),
    }
}

/// The slope of the line through numbers that are one apart, by least squares.
fn slope(numbers: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = numbers.len() as f64;
    let (middle, mean) = ((count - 1.0) / 2.0, numbers.clone().sum::<f64>() / count);
    let (mut above, mut below) = (0.0, 0.0);
    for (place, number) in numbers.enumerate() {
        let off = place as f64 - middle;
        above += off * (number - mean);
        below += off * off;
    }
    if below == 0.0 { 0.0 } else { above / below }
}
