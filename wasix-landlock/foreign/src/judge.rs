//! Outcomes, decided by what was seen from outside.

use std::{collections::BTreeSet, fmt};

use wasix_landlock_foreign::{Claim, Settings};

use crate::{seen::Seen, situation::Situation};

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No thread reached the secret, and every one reached what is granted.
    Enforced { decided: String },
    /// The library refused, and named the cause.
    Refused { named: &'static str, text: String },
    /// Anything else.
    Fault(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced { .. } => f.write_str("enforced, proved from outside"),
            Self::Refused { named, .. } => write!(f, "refused, naming {named}"),
            Self::Fault(_) => f.write_str("**FAULT**"),
        }
    }
}

impl Outcome {
    pub fn detail(&self) -> &str {
        match self {
            Self::Enforced { decided } => decided,
            Self::Refused { text, .. } | Self::Fault(text) => text,
        }
    }

    pub const fn is_fault(&self) -> bool {
        matches!(self, Self::Fault(_))
    }
}

/// Says why the control shows nothing: in it, every attempt succeeds.
pub fn check_control(
    situation: &Situation,
    settings: &Settings,
    seen: &Seen,
) -> Result<(), String> {
    situation.sign.check(seen)?;
    for (what, reached) in [("secret", &seen.secrets), ("granted file", &seen.inside)] {
        let missing = missing(settings, reached);
        if !missing.is_empty() {
            return Err(format!(
                "without enforcement the {what} isn't opened by {}",
                who(seen, &missing)
            ));
        }
    }
    Ok(())
}

pub fn judge(situation: &Situation, settings: &Settings, seen: &Seen) -> Outcome {
    if let Err(missing) = situation.sign.check(seen) {
        return Outcome::Fault(missing);
    }
    if let Some(what) = seen.disturbed.first() {
        return Outcome::Fault(what.clone());
    }
    match &seen.claim {
        Claim::Control => Outcome::Fault("nobody asked the library".to_owned()),
        Claim::Enforced => judge_enforced(settings, seen),
        Claim::Refused { text, must_end } => {
            judge_refused(situation, settings, seen, text, *must_end)
        }
    }
}

fn judge_enforced(settings: &Settings, seen: &Seen) -> Outcome {
    if !seen.secrets.is_empty() {
        return Outcome::Fault(format!(
            "says enforced, and the secret is opened by {}",
            who(seen, &seen.secrets)
        ));
    }
    // A kernel thread may have put what it opened into another process.
    let said = seen.tried.iter().filter(|tried| tried.secret.is_none());
    let said: BTreeSet<usize> = said.map(|tried| tried.index).collect();
    if !said.is_empty() {
        return Outcome::Fault(format!(
            "says enforced, and the secret is opened by {}",
            who(seen, &said)
        ));
    }
    let missing = missing(settings, &seen.inside);
    if !missing.is_empty() {
        return Outcome::Fault(format!(
            "says enforced, and what is granted isn't opened by {}",
            who(seen, &missing)
        ));
    }
    let untouched = untouched(seen);
    if !untouched.is_empty() {
        return Outcome::Fault(format!(
            "says enforced, and a task shows no restriction: {}",
            untouched.join(", ")
        ));
    }
    Outcome::Enforced {
        decided: format!(
            "{} attempts got what is granted, none the secret; {} tasks have no new privileges",
            settings.attempts(),
            seen.after.len()
        ),
    }
}

fn judge_refused(
    situation: &Situation,
    settings: &Settings,
    seen: &Seen,
    text: &str,
    must_end: bool,
) -> Outcome {
    let is_in = |word: &&&str| text.contains(**word);
    if let Some(blamed) = situation.must_not_blame.iter().find(is_in) {
        return Outcome::Fault(format!("blames the wrong thing, {blamed}: {text}"));
    }
    let Some(named) = situation.may_name.iter().find(is_in) else {
        return Outcome::Fault(format!("refused without naming the cause: {text}"));
    };
    if must_end {
        return if situation.refused_before {
            Outcome::Fault(format!("refused when it was too late: {text}"))
        } else {
            Outcome::Refused {
                named,
                text: text.to_owned(),
            }
        };
    }
    let missing = missing(settings, &seen.secrets);
    if !missing.is_empty() {
        return Outcome::Fault(format!(
            "refused, not saying that the process must end, and something is restricted: {}; {text}",
            who(seen, &missing)
        ));
    }
    Outcome::Refused {
        named,
        text: text.to_owned(),
    }
}

fn missing(settings: &Settings, reached: &BTreeSet<usize>) -> BTreeSet<usize> {
    (0..settings.attempts())
        .filter(|index| !reached.contains(index))
        .collect()
}

/// The tasks that don't even have the flag that comes before every restriction.
fn untouched(seen: &Seen) -> Vec<String> {
    seen.after
        .iter()
        .filter(|task| !task.no_new_privileges)
        .map(|task| task.name.clone())
        .collect()
}

/// Attempts in words.
fn who(seen: &Seen, indices: &BTreeSet<usize>) -> String {
    let names: BTreeSet<&str> = seen
        .tried
        .iter()
        .filter(|tried| indices.contains(&tried.index))
        .map(|tried| tried.who.as_str())
        .collect();
    let names: Vec<&str> = names.into_iter().take(3).collect();
    format!("{} attempts, of {}", indices.len(), names.join(", "))
}
