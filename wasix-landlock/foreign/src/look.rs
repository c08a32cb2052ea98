//! One run of a subject, looked at from outside.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use wasix_landlock_foreign::{Answer, Settings};
use wasix_landlock_testing::ask;

use crate::{
    outside::{self, Task},
    seen::Seen,
    situation::Sign,
    world::World,
};

/// The time that a subject has for an answer. The library gives up after five seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A subject that runs.
struct Running {
    child: Child,
    lines: Receiver<String>,
    disturbed: Vec<String>,
    subject: Option<u32>,
}

/// Runs a subject by a command, which starts it with these settings, and looks.
pub fn look(
    mut command: Command,
    settings: &Settings,
    sign: Sign,
    world: &World,
) -> anyhow::Result<Seen> {
    let errors = world.path("stderr");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&errors)?);
    let mut child = command.spawn().context("the subject can't be started")?;
    let stdout = child.stdout.take().context("no output")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut running = Running {
        child,
        lines,
        disturbed: Vec::new(),
        subject: None,
    };
    watch(&mut running, settings, sign, world)
        .with_context(|| said(&errors))
        .inspect_err(|_| drop(running.child.kill()))
}

fn said(errors: &Path) -> String {
    let errors = fs::read_to_string(errors).unwrap_or_default();
    match errors.trim().lines().next() {
        None => "nothing on standard error".to_owned(),
        Some(line) => format!("standard error: {line}"),
    }
}

fn watch(
    running: &mut Running,
    settings: &Settings,
    sign: Sign,
    world: &World,
) -> anyhow::Result<Seen> {
    let Answer::Ready(inner) = running.answer("before the policy is enforced")? else {
        bail!("the subject isn't ready");
    };
    let subject = outside::find(&settings.token, inner)?;
    running.subject = Some(subject);
    let before = tasks_with(sign, subject)?;
    let namespaces = outside::namespaces(subject)?.len();
    let users = outside::users(subject)?;
    running.go_on()?;
    let Answer::Claimed(claim) = running.answer("while the policy is enforced")? else {
        bail!("the subject says nothing of the policy");
    };
    running.go_on()?;
    let Answer::Tried(tried) = running.answer("while the threads try")? else {
        bail!("the subject says nothing of the attempts");
    };
    let mut open = outside::open_files(subject)?;
    // What a kernel thread of another process opened is open there.
    for process in outside::of_run(&settings.token)? {
        open.extend(outside::open_files(process).unwrap_or_default());
    }
    let count = settings.attempts();
    Ok(Seen {
        claim,
        tried,
        before,
        after: outside::tasks(subject)?,
        secrets: world.secrets.among(&open, count),
        inside: world.inside.among(&open, count),
        disturbed: std::mem::take(&mut running.disturbed),
        namespaces,
        users,
    })
}

/// The tasks, as soon as the one is there that the situation is about: a library may start it whenever it likes.
fn tasks_with(sign: Sign, subject: u32) -> anyhow::Result<Vec<Task>> {
    let until = Instant::now() + PATIENCE;
    loop {
        let tasks = outside::tasks(subject)?;
        if sign.is_among(&tasks) || Instant::now() >= until {
            return Ok(tasks);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

impl Running {
    fn answer(&mut self, when: &str) -> anyhow::Result<Answer> {
        loop {
            let line = match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Timeout) => bail!("it hangs {when}"),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    // A daemon's first process has ended with success long ago.
                    let status = self.child.wait()?;
                    bail!("it ended {when}: {status}");
                }
            };
            match serde_json::from_str(&line) {
                Ok(Answer::Disturbed(what)) => self.disturbed.push(what),
                Ok(answer) => return Ok(answer),
                Err(_) => bail!("an answer that nobody understands: {line}"),
            }
        }
    }

    fn go_on(&mut self) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("no input")?;
        stdin.write_all(b"\n").context("the subject has ended")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The subject is this run's own: it was found by its token. Whatever started it ends then.
        if let Some(subject) = self.subject {
            let _ = ask::send_signal(subject, 9);
        }
        drop(self.child.stdin.take());
        if !self.ends_by_itself() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Running {
    fn ends_by_itself(&mut self) -> bool {
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }
}
