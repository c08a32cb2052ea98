//! The runs of a module, each with what the one before was refused.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::{Access, Compiler, Group, HostPreopen, Limit, Profile};
use wasmer_wasix::landlock::Mode;

use super::bounds::{Bounds, Judgement};
use super::grants::{merged, narrowed, simplified, used_of};
use crate::child::{Outcome, Request, Streams, Task, in_process};
use crate::grants::flag;
use crate::output::Progress;
use crate::{imports, module};

/// The runs to come.
pub struct Rounds {
    /// The module's file.
    pub module: PathBuf,
    /// The compiler.
    pub compiler: Compiler,
    /// The grants to begin with.
    pub profile: Profile,
    /// The arguments, which are no part of the profile.
    pub arguments: Vec<String>,
    /// The operator's bounds.
    pub bounds: Bounds,
    /// The exit code of a module that works.
    pub expected: i32,
    /// True if it goes on while something is refused that could be granted.
    pub all: bool,
    /// The most runs.
    pub most: usize,
    /// True if the module's output is shown.
    pub shown: bool,
    /// The bytes of the module's standard input.
    pub stdin: Option<Vec<u8>>,
}

/// The result of learning.
#[derive(Debug, Serialize)]
pub struct Learned {
    /// True if the module worked in the last run.
    pub works: bool,
    /// The runs, in their order.
    pub rounds: Vec<Round>,
    /// The least that the module was seen to need, as far as the bounds allow.
    pub profile: Profile,
    /// The same as options of `run`.
    pub options: Vec<String>,
    /// Grants that the module asked for and that need the operator's word.
    pub sensitive: Vec<NotGranted>,
    /// Grants that the module asked for outside of the directories that may be granted.
    pub outside: Vec<NotGranted>,
    /// Denials that no grant would allow, or that the module was seen to do without.
    pub refused: Vec<String>,
    /// Grants to begin with that were never used.
    pub never_used: Vec<String>,
    /// Grants to begin with that allow more than was used.
    pub wider_than_used: Vec<String>,
    /// Groups of functions that the module imports from and may not call.
    pub withheld: Vec<&'static str>,
}

/// A run.
#[derive(Debug, Serialize)]
pub struct Round {
    /// The module's exit code.
    pub exit_code: Option<i32>,
    /// The error that kept the module from running to its end.
    pub error: Option<String>,
    /// The limit that ended the module.
    pub limit: Option<String>,
    /// The number of different denials.
    pub refused: usize,
    /// The options that were added after it.
    pub added: Vec<String>,
}

/// A grant that the module asked for and didn't get.
#[derive(Debug, Serialize)]
pub struct NotGranted {
    /// The option that would grant it.
    pub option: String,
    /// The reason.
    pub why: String,
}

impl Rounds {
    /// Runs the module until it works, or until nothing more may be granted.
    ///
    /// # Errors
    /// A module that can't be compiled, a grant that can't be enforced.
    pub fn learn(mut self) -> anyhow::Result<Learned> {
        let work = tempfile::tempdir()?;
        let own = self.profile.preopens.clone();
        let mut learned = Learned {
            works: false,
            rounds: Vec::new(),
            profile: self.profile.clone(),
            options: Vec::new(),
            sensitive: Vec::new(),
            outside: Vec::new(),
            refused: Vec::new(),
            never_used: Vec::new(),
            wider_than_used: Vec::new(),
            withheld: self.withheld()?,
        };
        let mut used = Vec::new();
        while learned.rounds.len() < self.most {
            let outcome = self.run(work.path(), &learned.profile, learned.rounds.len())?;
            self.note(&mut learned, &outcome);
            used = outcome.used.into_iter().map(simplified).collect();
            if learned.works && !self.all {
                break;
            }
            let grants = self.additions(&mut learned, &outcome.denials);
            let wider = merged(
                &own,
                &[&learned.profile.preopens[own.len()..], &grants[..]].concat(),
            );
            if wider == learned.profile.preopens {
                break;
            }
            if let Some(round) = learned.rounds.last_mut() {
                let is_new = |grant: &&HostPreopen| !learned.profile.preopens.contains(grant);
                round.added = wider.iter().filter(is_new).map(flag).collect();
                for option in &round.added {
                    eprintln!("  granting {option}");
                }
            }
            learned.profile.preopens = wider;
        }
        if learned.works {
            self.narrow(&mut learned, &own, &used, work.path())?;
        }
        for grant in &own {
            let used = used_of(grant, &used);
            let lacks = |granted: bool, used: bool| granted && !used;
            let access = grant.access;
            if used.is_empty() {
                learned.never_used.push(flag(grant));
            } else if lacks(access.read, used.read)
                || lacks(access.write, used.write)
                || lacks(access.create, used.create)
            {
                let option = flag(grant);
                learned
                    .wider_than_used
                    .push(format!("{option} (used: {used})"));
            }
        }
        learned.options = learned.profile.preopens.iter().map(flag).collect();
        Ok(learned)
    }

    fn run(&self, work: &Path, profile: &Profile, number: usize) -> anyhow::Result<Outcome> {
        let _progress = Progress::begin(&format!("run {}", number + 1));
        let request = Request {
            module: self.module.clone(),
            compiler: self.compiler,
            profile: profile.clone().arguments(&self.arguments),
            cache: work.join("cache"),
            output: work.join("outcome.json"),
            task: Task::Observe,
        };
        let streams = Streams {
            stdin: self.stdin.as_deref(),
            shown: self.shown,
        };
        in_process(&request, Mode::Enforce, streams)
    }

    /// Notes a run, and whether the module worked.
    fn note(&self, learned: &mut Learned, outcome: &Outcome) {
        learned.works = outcome.error.is_none() && outcome.exit_code == Some(self.expected);
        let limit = outcome
            .exit_code
            .filter(|_| !learned.works)
            .and_then(Limit::from_exit_code);
        let round = Round {
            exit_code: outcome.exit_code,
            error: outcome.error.clone(),
            limit: limit.map(|limit| limit.to_string()),
            refused: outcome.denials.len(),
            added: Vec::new(),
        };
        let number = learned.rounds.len() + 1;
        let ended = match (&round.error, round.exit_code) {
            (Some(error), _) => error.escape_debug().to_string(),
            (None, Some(code)) => format!("exit code {code}"),
            (None, None) => "no exit code".to_owned(),
        };
        eprintln!("run {number}: {ended}, {} accesses refused", round.refused);
        learned.rounds.push(round);
    }

    /// The grants that the denials ask for and the bounds allow; the others are listed.
    fn additions(
        &mut self,
        learned: &mut Learned,
        denials: &[crate::child::Refused],
    ) -> Vec<HostPreopen> {
        let mut additions = Vec::new();
        (learned.sensitive, learned.outside) = (Vec::new(), Vec::new());
        learned.refused.clear();
        for denial in denials {
            let Some(grant) = denial.grant.clone() else {
                learned.refused.push(denial.text.clone());
                continue;
            };
            let grant = simplified(grant);
            let option = flag(&grant);
            match self.bounds.judge(&grant) {
                Judgement::Granted => additions.push(self.bounds.least(grant)),
                Judgement::Sensitive(why) => add(&mut learned.sensitive, option, why),
                Judgement::Outside => {
                    let why = "outside of what may be granted".to_owned();
                    add(&mut learned.outside, option, why);
                }
            }
        }
        additions
    }

    /// Leaves only what was used, if the module works with that.
    fn narrow(
        &self,
        learned: &mut Learned,
        own: &[HostPreopen],
        used: &[HostPreopen],
        work: &Path,
    ) -> anyhow::Result<()> {
        let (widened, added) = learned.profile.preopens.split_at(own.len());
        let own: Vec<HostPreopen> = own
            .iter()
            .zip(widened)
            .map(|(own, widened)| {
                let used = widened.access.intersection(used_of(widened, used));
                let access: Access = own.access.union(used);
                HostPreopen {
                    access,
                    ..own.clone()
                }
            })
            .collect();
        let least = merged(&own, &narrowed(added, used));
        if least == learned.profile.preopens || learned.rounds.len() >= self.most {
            return Ok(());
        }
        let mut narrow = learned.profile.clone();
        narrow.preopens = least;
        eprintln!("leaving only what was used");
        let outcome = self.run(work, &narrow, learned.rounds.len())?;
        let before = learned.rounds.last().map_or(0, |round| round.refused);
        self.note(learned, &outcome);
        // If anything is missed, the module keeps what it had before.
        if learned.works && outcome.denials.len() <= before {
            learned.profile = narrow;
        }
        learned.works = true;
        Ok(())
    }

    /// The groups that the module imports from and may not call.
    fn withheld(&self) -> anyhow::Result<Vec<&'static str>> {
        let bytes = module::read(&self.module)?;
        let module = module::compile(&engine(Compiler::Singlepass), &self.module, &bytes)?;
        let imports = wasmer_wasix::profile::imports(&module);
        let groups = imports::to_allow(&imports, &self.profile.effective_groups());
        Ok(groups.into_iter().map(Group::name).collect())
    }
}

fn add(list: &mut Vec<NotGranted>, option: String, why: String) {
    if list.iter().all(|known| known.option != option) {
        list.push(NotGranted { option, why });
    }
}
