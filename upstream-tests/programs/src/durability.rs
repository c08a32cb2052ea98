//! SQLite, killed at random while it commits: what was reported as committed must be there afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use wasix_landlock_programs::c::Target;
use wasix_landlock_programs::kill_at_random::{Plan, Round, kill_at_random};
use wasix_landlock_programs::packages::{Unavailable, folder};

use crate::column::{Column, Place, WORK};
use crate::programs::sqlite_module;

const DATABASE: &str = "commits.db";
/// Commits whose syncs are counted.
const COUNTED: &str = "50";

struct Options {
    kills: u32,
    directory: PathBuf,
    seed: u64,
}

impl Options {
    fn parse(words: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self {
            kills: 200,
            directory: folder()?,
            seed: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match word {
                "--directory" => options.directory = PathBuf::from(value()?),
                "--seed" => options.seed = value()?.parse()?,
                kills => options.kills = kills.parse().with_context(|| format!("{kills}?"))?,
            }
        }
        Ok(options)
    }
}

/// The command `durability`.
pub fn command(words: &[&str]) -> anyhow::Result<()> {
    let options = Options::parse(words)?;
    let modules =
        sqlite_module(Target::Wasi).and_then(|module| Ok((module, sqlite_module(Target::Native)?)));
    let (module, native) = match modules {
        Ok(modules) => modules,
        Err(error) => match error.downcast_ref::<Unavailable>() {
            Some(reason) => {
                println!("SKIPPED durability: {reason}");
                return Ok(());
            }
            None => return Err(error),
        },
    };
    let scratch = tempfile::tempdir_in(&options.directory)?;
    let place = Place::new(&Column::Fork, scratch.path())?;
    println!("{}, seed {}", file_system(&place.work), options.seed);
    count_syncs(&place, &module)?;
    kill(&options, &place, &module, &native)
}

fn kill(options: &Options, place: &Place<'_>, module: &Path, native: &Path) -> anyhow::Result<()> {
    let plan = Plan {
        rounds: options.kills,
        after_first_line: Duration::from_millis(300),
        from_start: Some(Duration::from_millis(150)),
        seed: options.seed,
    };
    let guest = format!("{WORK}/{DATABASE}");
    let host = place.work.join(DATABASE);
    let journal = place.work.join(format!("{DATABASE}-journal"));
    // Makes the table: a process that is killed before it did so leaves nothing to check.
    place
        .run(module, &["sqlite", "commit", &guest, "1"], &[])?
        .success()?;
    let (mut last, mut reported, mut journals) = (1, 0, 0);
    let start = |_| {
        let mut command = place.command(module, &["sqlite", "commit", &guest], &[])?;
        command.stdin(Stdio::null());
        Ok(command)
    };
    kill_at_random(&plan, start, |round: &Round| {
        journals += u32::from(journal.exists());
        let said = if round.number.is_multiple_of(2) {
            let arguments = ["sqlite", "check", &guest];
            place.run(module, &arguments, &[])?.success()?
        } else {
            let output = Command::new(native).arg("check").arg(&host).output()?;
            ensure!(output.status.success(), "the check ends with {output:?}");
            output.stdout
        };
        let said = String::from_utf8(said)?;
        let ["ok", count, highest] = said.lines().collect::<Vec<_>>()[..] else {
            bail!("the integrity check says {said:?}");
        };
        let (count, highest): (u64, u64) = (count.parse()?, highest.parse()?);
        let numbers: Vec<u64> = round
            .reported
            .iter()
            .map(|line| line.parse())
            .collect::<Result<_, _>>()
            .with_context(|| format!("it reported {:?}", round.reported))?;
        reported += numbers.len();
        let committed = numbers.last().copied().unwrap_or(last);
        ensure!(
            numbers.first().is_none_or(|&first| first == last + 1),
            "it went on with row {:?} after row {last}",
            numbers.first()
        );
        // One may be committed and not reported.
        ensure!(
            (committed..=committed + 1).contains(&highest) && count == highest,
            "row {committed} was reported last; there are {count} rows, the highest {highest}"
        );
        last = highest;
        Ok(())
    })?;
    println!(
        "{} kills, {journals} of them in a transaction (a journal was left); {reported} rows reported, {last} there, none lost",
        options.kills
    );
    Ok(())
}

/// Compares the syncs that the module asks for with those that the kernel is asked for.
fn count_syncs(place: &Place<'_>, module: &Path) -> anyhow::Result<()> {
    let guest = format!("{WORK}/counted.db");
    let inner = place.command(module, &["sqlite", "commit", &guest, COUNTED], &[])?;
    let summary = place.work.with_file_name("strace");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-c", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&summary)
        .arg(inner.get_program())
        .args(inner.get_args());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            println!("SKIPPED syncs: no `strace` to count them with: {error}");
            return Ok(());
        }
    };
    ensure!(output.status.success(), "{command:?}: {output:?}");
    let said = String::from_utf8(output.stdout)?;
    let asked = said
        .lines()
        .last()
        .and_then(|line| line.strip_prefix("syncs "));
    let asked: u64 = asked
        .context("the module doesn't say how often it synced")?
        .parse()?;
    let seen = counted(&fs::read_to_string(&summary)?);
    ensure!(
        asked == seen && asked > 0,
        "the module synced {asked} times, the kernel saw {seen}"
    );
    println!("{COUNTED} commits: {asked} syncs by the module, {seen} seen by the kernel");
    Ok(())
}

/// The calls in a summary of `strace -c`.
fn counted(summary: &str) -> u64 {
    summary
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| matches!(words.last(), Some(&("fsync" | "fdatasync"))))
        .filter_map(|words| words.get(3)?.parse::<u64>().ok())
        .sum()
}

fn file_system(directory: &Path) -> String {
    let output = Command::new("stat")
        .args(["--file-system", "--format", "on %T"])
        .arg(directory)
        .output();
    output.map_or_else(
        |_| "on an unknown file system".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn the_calls_of_both_kinds_are_counted_and_no_others() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 99.00    0.010000         100       150           fsync
  1.00    0.000100         100         1         1 fdatasync
------ ----------- ----------- --------- --------- ----------------
100.00    0.010100         100       151         1 total
";
        assert_eq!(counted(summary), 151);
    }
}
