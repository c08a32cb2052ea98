//! Commits that are reported, and a SIGKILL in between.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use wasix_landlock_programs::kill_at_random::{Plan, Round, kill_at_random};

use crate::assets::Assets;
use crate::session::{copy, look_at_copy, run_session, session_command, write_commits};

/// More rows than a process commits before it is killed.
const ROWS: u64 = 50_000;

/// The sums over all rounds.
#[derive(Debug, Default)]
pub struct Done {
    /// Rows that were reported as committed.
    pub reported: u64,
    /// Rows that were found.
    pub found: u64,
}

/// Kills a session at random, `rounds` times, and checks after each that no reported row is missing: on a copy, so that
/// the session itself has to recover, and may be killed while it does.
pub fn run(assets: &Assets, disk: &Path, rounds: u32) -> anyhow::Result<Done> {
    let scratch = tempfile::tempdir_in(disk)?;
    let data = scratch.path().join("data");
    let statements = scratch.path().join("statements");
    assets.make_data_directory(&data)?;
    run_session(&data, false, "create table k(n int primary key, s text);\n")?.has_printed(&[])?;
    let plan = Plan {
        rounds,
        after_first_line: Duration::from_millis(1500),
        from_start: Some(Duration::from_secs(1)),
        seed: 1,
    };
    let done = std::cell::RefCell::new(Done::default());
    kill_at_random(
        &plan,
        |_| {
            write_commits(&statements, done.borrow().found + 1, ROWS)?;
            let mut command = session_command(&data)?;
            command
                .stdin(File::open(&statements)?)
                .stderr(Stdio::null());
            Ok(command)
        },
        |round| {
            let mut done = done.borrow_mut();
            done.reported = last_reported(round).unwrap_or(done.reported);
            let copied = scratch.path().join(format!("copy{}", round.number));
            copy(&data, &copied)?;
            done.found = count(&copied)?;
            std::fs::remove_dir_all(&copied)?;
            let Done { reported, found } = *done;
            ensure!(
                found >= reported,
                "{reported} rows were reported, and {found} are there"
            );
            eprintln!(
                "round {}: lived {:?}, {reported} rows reported, {found} found",
                round.number, round.lived
            );
            Ok(())
        },
    )?;
    Ok(done.into_inner())
}

/// Counts the rows, and checks that they are numbered from 1, by the table and by its index.
fn count(data: &Path) -> anyhow::Result<u64> {
    let statements = "select 'table', count(*), coalesce(max(n), 0) from k;\n\
        set enable_seqscan = off;\n\
        select 'index', count(*), coalesce(max(n), 0) from k where n > 0;\n";
    let ended = look_at_copy(data, statements)?;
    ended.has_printed(&["= \"table\"", "= \"index\""])?;
    let numbers: Vec<u64> = ["count = \"", "coalesce = \""]
        .iter()
        .flat_map(|before| values(&ended.output, before))
        .collect();
    let [first, ..] = numbers[..] else {
        anyhow::bail!("no count in {}", ended.output);
    };
    ensure!(
        numbers == [first; 4],
        "the rows aren't those from 1 on: {numbers:?}"
    );
    Ok(first)
}

fn last_reported(round: &Round) -> Option<u64> {
    let lines = round.reported.iter();
    lines
        .filter_map(|line| values(line, "\"reported ").last())
        .next_back()
}

/// The numbers in `text` that stand between `before` and a quotation mark.
fn values<'t>(text: &'t str, before: &'t str) -> impl DoubleEndedIterator<Item = u64> + 't {
    let parts: Vec<&str> = text.split(before).skip(1).collect();
    parts
        .into_iter()
        .filter_map(|part| part.split_once('"')?.0.parse().ok())
}

/// The directory's file system, by name.
pub fn file_system(of: &Path) -> anyhow::Result<String> {
    let output = std::process::Command::new("stat")
        .args(["-f", "-c", "%T"])
        .arg(of)
        .output()?;
    let name = String::from_utf8(output.stdout).context("it has no name")?;
    Ok(name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_report_counts() {
        let round = Round {
            number: 0,
            reported: vec![
                "backend> \t 1: ?column? = \"reported 6\"\t(typeid = 25)".to_owned(),
                "backend> backend> \t 1: ?column? = \"reported 7\"\t(typeid = 25)".to_owned(),
                "\t----".to_owned(),
            ],
            lived: Duration::ZERO,
        };
        assert_eq!(last_reported(&round), Some(7));
    }
}
