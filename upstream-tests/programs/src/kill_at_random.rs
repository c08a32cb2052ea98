//! A process that is started again and again, and killed with SIGKILL at a random time.
//!
//! The process reports on its standard output, one line for each thing that it must not lose. What it has reported is
//! what a check between two rounds gets to see.
//!
//! A kill takes away the process and leaves the kernel's page cache as it is: what was written and not synced is
//! still there. So the check shows that what was reported had been written, in an order from which the program recovers,
//! and shows nothing about a power failure.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// The longest that a process may take to its first line.
const FIRST_LINE: Duration = Duration::from_secs(120);

/// The number of kills of a process, and their times.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Kills.
    pub rounds: u32,
    /// The longest that a process lives after its first line.
    pub after_first_line: Duration,
    /// The longest that it lives, from its start, in the one round of four that doesn't wait for a first line: such
    /// a process is killed while it starts or recovers. None, if it always waits.
    pub from_start: Option<Duration>,
    /// The source of the random times.
    pub seed: u64,
}

/// One life of the process.
#[derive(Debug)]
pub struct Round {
    /// From 0.
    pub number: u32,
    /// The lines that it had written in full, without their ends.
    pub reported: Vec<String>,
    /// From its start to the kill.
    pub lived: Duration,
}

/// Does what the plan says: `start` gives the command of a round, and `check` looks at what the round has left.
/// Standard output is taken here; the other streams are as `start` leaves them.
///
/// # Errors
/// A process that ends before it is killed, or reports nothing; and what `start` and `check` say, with the round and the
/// plan's seed.
pub fn kill_at_random(
    plan: &Plan,
    mut start: impl FnMut(u32) -> anyhow::Result<Command>,
    mut check: impl FnMut(&Round) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(plan.seed);
    for number in 0..plan.rounds {
        let wait = match plan.from_start {
            Some(longest) if random.u32(..4) == 0 => Wait::FromStart(part(&mut random, longest)),
            _ => Wait::AfterFirstLine(part(&mut random, plan.after_first_line)),
        };
        let context = || format!("round {number}, seed {}, killed {wait:?}", plan.seed);
        let round = start(number)
            .and_then(|command| live(number, command, wait))
            .with_context(context)?;
        check(&round).with_context(context)?;
    }
    Ok(())
}

/// The lifetime of a process.
#[derive(Debug, Clone, Copy)]
enum Wait {
    FromStart(Duration),
    AfterFirstLine(Duration),
}

fn part(random: &mut fastrand::Rng, longest: Duration) -> Duration {
    longest.mul_f64(random.f64())
}

/// Starts the process, kills it, and returns what it reported meanwhile.
fn live(number: u32, mut command: Command, wait: Wait) -> anyhow::Result<Round> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {command:?}"))?;
    let begun = Instant::now();
    let output = child.stdout.take().context("it has no standard output")?;
    let (first, reported) = follow(output);
    let waited = match wait {
        Wait::FromStart(time) => {
            std::thread::sleep(time);
            Ok(())
        }
        Wait::AfterFirstLine(time) => first
            .recv_timeout(FIRST_LINE)
            .context("it ended, or was silent for too long, before its first line")
            .map(|()| std::thread::sleep(time)),
    };
    let lived = begun.elapsed();
    let status = kill(&mut child)?;
    let reported = reported
        .join()
        .map_err(|_| anyhow::anyhow!("the thread that reads its output panicked"))?;
    waited.with_context(|| format!("{status}"))?;
    ensure!(
        was_killed(status),
        "it ended by itself, before it was killed: {status}; give it more to do"
    );
    Ok(Round {
        number,
        reported,
        lived,
    })
}

/// Reads lines to the end: says when there is a first one, and returns all that are complete. The last one is not, if
/// the process was killed while it wrote.
fn follow(
    output: impl Read + Send + 'static,
) -> (Receiver<()>, std::thread::JoinHandle<Vec<String>>) {
    let (say, first) = channel();
    let reader = std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut lines = Vec::new();
        let mut line = Vec::new();
        while output
            .read_until(b'\n', &mut line)
            .is_ok_and(|length| length > 0)
        {
            if line.pop() != Some(b'\n') {
                break;
            }
            lines.push(String::from_utf8_lossy(&line).into_owned());
            line.clear();
            // Nobody listens any more, if the process is about to be killed.
            let _heard = say.send(());
        }
        lines
    });
    (first, reader)
}

fn kill(child: &mut Child) -> anyhow::Result<ExitStatus> {
    child.kill().context("it can't be killed")?;
    Ok(child.wait()?)
}

fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    const SIGKILL: i32 = 9;
    status.signal() == Some(SIGKILL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rounds: u32) -> Plan {
        Plan {
            rounds,
            after_first_line: Duration::from_millis(20),
            from_start: None,
            seed: 1,
        }
    }

    fn shell(script: &str) -> anyhow::Result<Command> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Ok(command)
    }

    #[test]
    fn complete_lines_are_reported_and_each_process_is_killed() {
        let mut seen = Vec::new();
        kill_at_random(
            &plan(3),
            |number| shell(&format!("echo {number}; printf half; exec sleep 600")),
            |round| {
                seen.push(round.reported.clone());
                Ok(())
            },
        )
        .expect("they are killed");
        assert_eq!(seen, [["0"], ["1"], ["2"]]);
    }

    #[test]
    fn a_process_that_ends_by_itself_is_an_error() {
        let ended = kill_at_random(&plan(1), |_| shell("exit 3"), |_| Ok(()));
        let error = format!("{:#}", ended.expect_err("it was not killed"));
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.contains("round 0, seed 1"), "{error}");
    }

    #[test]
    fn a_failed_check_ends_it_and_names_the_seed() {
        let mut checks = 0;
        let failed = kill_at_random(
            &plan(5),
            |_| shell("echo; exec sleep 600"),
            |_| {
                checks += 1;
                ensure!(checks < 2, "row 7 is lost");
                Ok(())
            },
        );
        let error = format!("{:#}", failed.expect_err("the second check fails"));
        assert!(error.contains("round 1, seed 1"), "{error}");
        assert!(error.contains("row 7 is lost"), "{error}");
    }
}
