//! The parts of a row of the table.

use wasix_landlock_foreign::With;

use crate::{builds::Build, containers::Profile, outside::Task, seen::Seen, wrap::Wrap};

/// The user that the subject runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    Root,
    Ordinary,
    /// An ordinary user, in surroundings that only root can make.
    OrdinaryByRoot,
}

impl User {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ordinary | Self::OrdinaryByRoot => "ordinary",
        }
    }

    pub const fn needs_root(self) -> bool {
        !matches!(self, Self::Ordinary)
    }
}

/// The way in which a subject is started.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    Direct,
    /// By a program, which gets these arguments and the subject's.
    By(&'static [&'static str]),
    /// By a script of the shell, which has the subject in `"$@"`, a root to change to in `$ROOT`, and needs these
    /// programs.
    Script(&'static [&'static str], &'static str),
    /// By a program that changes what the subject inherits.
    Wrapped(Wrap),
    Container(Profile),
    /// As a set-user-ID program of root, with enforcement switched off in the environment.
    SetUserId,
}

/// Evidence that the situation is there.
#[derive(Clone, Copy, Debug)]
pub enum Sign {
    None,
    /// The subject is in a PID namespace of its own.
    OwnNamespace,
    /// A task has a name that begins so.
    Task(&'static str),
    /// The real and the effective user differ.
    TwoUsers,
}

impl Sign {
    /// Says that the task which shows the situation is there, if there is to be one.
    pub fn is_among(self, tasks: &[Task]) -> bool {
        match self {
            Self::Task(name) => tasks.iter().any(|task| task.name.starts_with(name)),
            _ => true,
        }
    }

    pub fn check(self, seen: &Seen) -> Result<(), String> {
        let there = match self {
            Self::None => true,
            Self::OwnNamespace => seen.namespaces > 1,
            Self::Task(_) => self.is_among(&seen.before),
            Self::TwoUsers => seen.users.0 != seen.users.1,
        };
        if there {
            Ok(())
        } else {
            Err(format!("the situation isn't there: {self:?}"))
        }
    }
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    pub name: &'static str,
    pub user: User,
    pub start: Start,
    pub build: Build,
    /// The subject's additional behaviour, in each repetition.
    pub with: fn(u64) -> With,
    pub threads: usize,
    /// Grants the whole of `/`.
    pub everything: bool,
    pub harden: bool,
    /// Has the policy refuse what is open and gives a way out.
    pub refuse: bool,
    pub sign: Sign,
    /// The causes that an error may name. Without any, an error is a fault.
    pub may_name: &'static [&'static str],
    pub must_not_blame: &'static [&'static str],
    /// Makes an error after the first restriction a fault.
    pub refused_before: bool,
    pub times: u64,
    /// Takes another build of the subject.
    pub long: bool,
}

impl Situation {
    pub const fn new(name: &'static str, user: User) -> Self {
        Self {
            name,
            user,
            start: Start::Direct,
            build: Build::Own,
            with: |_| With::Nothing,
            threads: 5,
            everything: false,
            harden: false,
            refuse: false,
            sign: Sign::None,
            may_name: &[],
            must_not_blame: &[],
            refused_before: false,
            times: 1,
            long: false,
        }
    }

    pub const fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    pub const fn build(mut self, build: Build) -> Self {
        self.build = build;
        self.long = true;
        self
    }

    pub const fn with(mut self, with: fn(u64) -> With) -> Self {
        self.with = with;
        self
    }

    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    pub const fn everything(mut self) -> Self {
        self.everything = true;
        self
    }

    pub const fn harden(mut self) -> Self {
        self.harden = true;
        self
    }

    pub const fn refuse(mut self) -> Self {
        self.refuse = true;
        self
    }

    pub const fn sign(mut self, sign: Sign) -> Self {
        self.sign = sign;
        self
    }

    pub const fn may_name(mut self, causes: &'static [&'static str]) -> Self {
        self.may_name = causes;
        self
    }

    pub const fn must_not_blame(mut self, words: &'static [&'static str]) -> Self {
        self.must_not_blame = words;
        self
    }

    pub const fn refused_before(mut self) -> Self {
        self.refused_before = true;
        self
    }

    pub const fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }
}
