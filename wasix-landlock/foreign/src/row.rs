//! A row of the table: the control, and the repetitions.

use std::path::Path;

use wasix_landlock_foreign::Settings;

use crate::{
    judge::{self, Outcome},
    launch, look,
    situation::Situation,
    table::Cell,
    world::World,
};

pub fn run(situation: &Situation, world: &World) -> Cell {
    if let Err(reason) = launch::check(situation) {
        return Cell::Skipped(reason.to_string());
    }
    let program = match situation.build.program() {
        Ok(program) => program,
        Err(reason) => return Cell::Ran(vec![(Outcome::Fault(format!("{reason:#}")), 1)]),
    };
    match control(situation, &program, world) {
        Ok(()) => {}
        Err(Lacking::Situation(reason)) => return Cell::Skipped(reason),
        Err(Lacking::Control(reason)) => return Cell::Ran(vec![(Outcome::Fault(reason), 1)]),
    }
    let mut outcomes: Vec<(Outcome, u64)> = Vec::new();
    for repetition in 0..situation.times {
        let outcome = once(situation, &program, world, repetition)
            .unwrap_or_else(|error| Outcome::Fault(format!("{error:#}")));
        let kind = |other: &Outcome| {
            std::mem::discriminant(other) == std::mem::discriminant(&outcome)
                && other.to_string() == outcome.to_string()
        };
        match outcomes.iter_mut().find(|(other, _)| kind(other)) {
            Some((_, times)) => *times += 1,
            None => outcomes.push((outcome, 1)),
        }
    }
    Cell::Ran(outcomes)
}

/// The reason for which a control shows nothing.
enum Lacking {
    /// This machine lacks something for it.
    Situation(String),
    Control(String),
}

fn control(situation: &Situation, program: &Path, world: &World) -> Result<(), Lacking> {
    let settings = Settings {
        enforce: false,
        ..settings(situation, world, 0)
    };
    let seen = launch::command(situation, &settings, program, world)
        .and_then(|command| look::look(command, &settings, situation.sign, world))
        .map_err(|error| {
            Lacking::Situation(format!(
                "it can't be made here, without enforcement: {error:#}"
            ))
        })?;
    judge::check_control(situation, &settings, &seen).map_err(Lacking::Control)
}

fn once(
    situation: &Situation,
    program: &Path,
    world: &World,
    repetition: u64,
) -> anyhow::Result<Outcome> {
    let settings = settings(situation, world, repetition);
    let command = launch::command(situation, &settings, program, world)?;
    let seen = look::look(command, &settings, situation.sign, world)?;
    Ok(judge::judge(situation, &settings, &seen))
}

fn settings(situation: &Situation, world: &World, repetition: u64) -> Settings {
    let mut settings = world.settings();
    settings.threads = situation.threads;
    settings.with = (situation.with)(repetition);
    settings.harden = situation.harden;
    settings.refuse = situation.refuse;
    if situation.everything {
        settings.granted = "/".into();
        settings.write = true;
    }
    settings
}
