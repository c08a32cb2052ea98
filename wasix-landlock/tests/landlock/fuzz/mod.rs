//! Policies at random, over a few files at random, against a model of what they grant: what the
//! model says is outside is denied, and what it says is inside answers as to somebody who isn't
//! restricted.
//!
//! For an hour, and for one case again:
//!
//! ```text
//! WASIX_LANDLOCK_FUZZ=3600 cargo test --release -p wasix-landlock --test landlock fuzz -- --nocapture
//! WASIX_LANDLOCK_FUZZ=0 WASIX_LANDLOCK_FUZZ_SEED=… cargo test --release -p wasix-landlock --test landlock fuzz
//! ```

use std::{
    env, fs,
    io::Write,
    panic::{self, AssertUnwindSafe},
    path::Path,
    time::{Duration, Instant},
};

use fastrand::Rng;
use tempfile::TempDir;
use wasix_landlock::explain;
use wasix_landlock_testing::{alone, as_ordinary_user, ask, limits, note_from_anywhere, run};

use crate::common::{needs, policy};

mod kernel;
mod policy;
mod world;

use kernel::{Ask, Domain};
use policy::{Expected, Grant};
use world::{Entry, World};

/// For how many seconds each of the two tests goes on, but for a case at least; 10 unless given.
const TIME_VARIABLE: &str = "WASIX_LANDLOCK_FUZZ";
/// The case to begin with.
const SEED_VARIABLE: &str = "WASIX_LANDLOCK_FUZZ_SEED";

#[test]
fn what_the_kernel_answers_is_what_the_model_says_as_this_user() {
    let name = "fuzz::what_the_kernel_answers_is_what_the_model_says_as_this_user";
    isolated_for_a_time(name, for_a_time);
}

#[test]
fn what_the_kernel_answers_is_what_the_model_says_as_an_ordinary_user() {
    let name = "fuzz::what_the_kernel_answers_is_what_the_model_says_as_an_ordinary_user";
    isolated_for_a_time(name, || as_ordinary_user(for_a_time));
}

fn isolated_for_a_time(name: &str, body: impl FnOnce()) {
    run(name, time() + Duration::from_secs(120), body).unwrap();
}

fn time() -> Duration {
    Duration::from_secs(env::var(TIME_VARIABLE).map_or(10, |time| time.parse().unwrap()))
}

fn for_a_time() {
    // Skips here rather than in each of them. Before there was a right to refer, nothing was moved.
    drop(policy());
    needs(2);
    // A run among the other tests fails for a change and not by chance: what is new, a long run finds.
    let first: u64 = match (env::var(SEED_VARIABLE), env::var(TIME_VARIABLE)) {
        (Ok(seed), _) => seed.parse().unwrap(),
        (_, Ok(_)) => fastrand::u64(..),
        _ => 0,
    };
    let (begun, mut cases, mut counts) = (Instant::now(), 0, Counts::default());
    while cases == 0 || begun.elapsed() < time() {
        let seed = first.wrapping_add(cases);
        let case = Case::new(&mut Rng::with_seed(seed));
        if let Err(failure) = case.run(&mut counts) {
            let (case, failure) = case.shrink(failure);
            panic!("{TIME_VARIABLE}=0 {SEED_VARIABLE}={seed}: {failure}\n{case:?}");
        }
        cases += 1;
    }
    // A slow machine comes to few cases.
    assert!(
        cases < 20 || counts.all().iter().all(|count| *count > 0),
        "{counts:?}"
    );
    note_from_anywhere(&format!("{cases} cases from seed {first}: {counts:?}"));
}

/// The counts of what was seen. A kind that never was would show nothing.
#[derive(Debug, Default)]
struct Counts {
    /// Policies that could not be prepared.
    refused: u64,
    /// Denied, and not to somebody who isn't restricted.
    denied: u64,
    allowed: u64,
    /// Failed alike with the restriction and without.
    failed: u64,
    explained: u64,
}

impl Counts {
    fn all(&self) -> [u64; 5] {
        [
            self.refused,
            self.denied,
            self.allowed,
            self.failed,
            self.explained,
        ]
    }
}

#[derive(Clone, Debug)]
struct Case {
    entries: Vec<Entry>,
    grants: Vec<Grant>,
    asks: Vec<Ask>,
}

/// The kernel's answer, and whether the access was explained as denied just before.
type Answer = (ask::Answer, Option<bool>);

impl Case {
    fn new(rng: &mut Rng) -> Self {
        let entries = world::entries(rng);
        let grants = policy::grants(rng, &entries);
        let asks = kernel::asks(rng, &entries);
        Self {
            entries,
            grants,
            asks,
        }
    }

    fn run(&self, counts: &mut Counts) -> Result<(), String> {
        let result = panic::catch_unwind(AssertUnwindSafe(|| self.try_run(counts)));
        result.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(format!("panicked: {}", text.unwrap_or_default()))
        })
    }

    fn try_run(&self, counts: &mut Counts) -> Result<(), String> {
        let scratch = TempDir::new().unwrap();
        // The kernel's own way: nothing of the path is a link.
        let scratch = scratch
            .path()
            .canonicalize()
            .map(|path| (path, scratch))
            .unwrap();
        let root = scratch.0.join("tree");
        let mut world = World::new(&self.entries);
        world.build(&root);
        same(&world, &root)?;
        let mut grants = self.grants.clone();
        let granted = loop {
            let before = world.clone();
            match policy::expected(&mut world, &grants) {
                Expected::Granted(granted) => break granted,
                Expected::Unknown(number) => drop(grants.remove(number)),
                Expected::Refused(number, name) => {
                    world = before;
                    let wrong = match policy::policy(policy(), &root, &grants).prepare() {
                        Err(error) if policy::name(&error) == name => None,
                        other => Some(format!("not {name}: {other:?}")),
                    };
                    if let Some(wrong) = wrong {
                        return Err(format!("{:?}: {wrong}", grants[number]));
                    }
                    same(&world, &root).map_err(|changed| {
                        format!("a policy that was refused left something: {changed}")
                    })?;
                    counts.refused += 1;
                    grants.remove(number);
                }
            }
        };
        let answers = answers(&scratch.0, &grants, &self.asks)?;
        let twin = scratch.0.join("twin");
        self.judge(&mut world, &Domain::new(granted), &answers, &twin, counts)?;
        same(&world, &root)
    }

    fn judge(
        &self,
        world: &mut World,
        domain: &Domain,
        answers: &[Answer],
        twin: &Path,
        counts: &mut Counts,
    ) -> Result<(), String> {
        world.build(twin);
        for (ask, (answer, explained)) in self.asks.iter().zip(answers) {
            let wrong = |what: &str, free: ask::Answer| {
                Err(format!(
                    "{ask:?} {what}: {answer:?}, without the restriction {free:?}, explained as denied: {explained:?}"
                ))
            };
            if ask.leads_outside(world) {
                if answer.is_ok() {
                    return wrong("leads outside", *answer);
                }
                continue;
            }
            let free = ask.of_kernel(twin);
            let denied = matches!(answer, Err(libc::EACCES | libc::EXDEV));
            match (free, domain.allows(world, ask)) {
                (Ok(()), None) => return wrong("succeeds, and the model doesn't know how", free),
                (_, Some(true)) if *answer != free => return wrong("is inside", free),
                (Ok(()), Some(false)) if !denied => return wrong("is outside", free),
                (Err(_), _) if *answer != free && !denied => return wrong("fails otherwise", free),
                (Ok(()), Some(true)) => counts.allowed += 1,
                (Ok(()), Some(false)) => counts.denied += 1,
                (Err(_), _) => counts.failed += 1,
            }
            if let (Ok(()), Some(explained)) = (free, explained) {
                counts.explained += 1;
                if *explained != answer.is_err() {
                    return wrong("is explained wrongly", free);
                }
            }
            domain.apply(world, ask, *answer);
            if free != *answer {
                // It has done what the other one has not.
                fs::remove_dir_all(twin).unwrap();
                world.build(twin);
            }
            if answer.is_ok() {
                same(world, twin).map_err(|differs| format!("{ask:?}: {differs}"))?;
            }
        }
        Ok(())
    }

    /// Leaves out what isn't needed for it to fail.
    fn shrink(&self, failure: String) -> (Self, String) {
        let mut best = (self.clone(), failure);
        loop {
            let (asks, grants) = (best.0.asks.len(), best.0.grants.len());
            let all = asks + grants + best.0.entries.len();
            let smaller = (0..all).rev().find_map(|number| {
                let mut case = best.0.clone();
                if number < asks {
                    drop(case.asks.remove(number));
                } else if number < asks + grants {
                    drop(case.grants.remove(number - asks));
                } else {
                    drop(case.entries.remove(number - asks - grants));
                }
                let failure = case.run(&mut Counts::default()).err()?;
                Some((case, failure))
            });
            match smaller {
                Some(smaller) => best = smaller,
                None => return best,
            }
        }
    }
}

/// Restricts a process of its own and asks there.
fn answers(scratch: &Path, grants: &[Grant], asks: &[Ask]) -> Result<Vec<Answer>, String> {
    let root = scratch.join("tree");
    let written = scratch.join("answers");
    let mut file = fs::File::create(&written).unwrap();
    alone(|| {
        // A process that hangs dies of SIGALRM, which fails the test.
        limits::lifetime(60);
        if let Err(error) = policy::policy(policy(), &root, grants).enforce() {
            write!(file, "not enforced: {error}").unwrap();
            return;
        }
        let answers: Vec<Answer> = asks
            .iter()
            .map(|ask| {
                let explained = ask.to_explain();
                let explained =
                    explained.map(|(path, access)| explain(root.join(path), access).is_denied());
                (ask.of_kernel(&root), explained)
            })
            .collect();
        serde_json::to_writer(file, &answers).unwrap();
    });
    let text = fs::read_to_string(written).unwrap();
    serde_json::from_str(&text).map_err(|_| text)
}

/// True if the host has what the model says.
fn same(world: &World, root: &Path) -> Result<(), String> {
    let (model, host) = (world.snapshot(), world::snapshot(root));
    if model == host {
        return Ok(());
    }
    Err(format!("the model has {model:?}, the host {host:?}"))
}
