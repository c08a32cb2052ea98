//! The grants of a module, as flags on top of a profile.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use wasix_landlock_profile::{Group, Limit, Profile, Stream};

use super::mapping::Mapping;

/// The grants of a module.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Grants")]
pub struct Given {
    /// A file with what the module is given; the other flags add to it. Without, the streams are the program's own.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// A host directory, what it is called inside, and `ro` if it is only read, `rw` if nothing is made in it.
    #[arg(long, value_name = "HOST[::GUEST][:ro|:rw]")]
    pub dir: Vec<OsString>,
    /// A single host file; `ro` (the default) reads, `rw` also writes, `rwc` may also make it, `create` only writes and
    /// may make it.
    #[arg(long, value_name = "HOST[::GUEST][:ro|:rw|:rwc|:create]")]
    pub file: Vec<OsString>,
    /// An environment variable. None of the host's are passed on.
    #[arg(long, value_name = "K=V")]
    pub env: Vec<String>,
    /// An environment variable of the host's that is passed on.
    #[arg(long, value_name = "NAME")]
    pub env_from_host: Vec<String>,
    /// A TCP port that may be bound; every port that isn't named is refused.
    #[arg(long, value_name = "PORT")]
    pub bind: Vec<u16>,
    /// A TCP port that may be connected to.
    #[arg(long, value_name = "PORT")]
    pub connect: Vec<u16>,
    /// The source of standard input.
    #[arg(long, value_enum)]
    pub stdin: Option<Leads>,
    /// The destination of standard output.
    #[arg(long, value_enum)]
    pub stdout: Option<Leads>,
    /// The destination of standard error.
    #[arg(long, value_enum)]
    pub stderr: Option<Leads>,
    /// Lets output to a terminal have colours.
    #[arg(long)]
    pub colours: bool,
    /// A limit, such as `memory-pages=256`; `--help` lists the limits.
    #[arg(long, value_name = "LIMIT=N", long_help = limits_help())]
    pub limit: Vec<Bound>,
    /// Functions of WASI that may be called; `--help` lists the groups.
    #[arg(long, value_name = "GROUP", long_help = groups_help())]
    pub allow: Vec<Named>,
    /// Functions of WASI that may not be called.
    #[arg(long, value_name = "GROUP")]
    pub withhold: Vec<Named>,
    /// Refuses a module that imports what it may not call; without, such a call answers ENOTSUP.
    #[arg(long)]
    pub refuse: bool,
    /// Everything that a module has no use for is refused to the whole program, not only files.
    #[arg(long)]
    pub harden: bool,
}

/// The other end of a stream.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Leads {
    /// Nowhere.
    Null,
    /// To the program's own.
    Inherit,
}

impl From<Leads> for Stream {
    fn from(leads: Leads) -> Self {
        match leads {
            Leads::Null => Self::Null,
            Leads::Inherit => Self::Inherit,
        }
    }
}

/// A limit, and how much it allows.
#[derive(Debug, Clone, Copy)]
pub struct Bound(Limit, u64);

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, most) = text.split_once('=').ok_or("expected LIMIT=N")?;
        let limit = Limit::named(name).ok_or_else(limits_help)?;
        let most = most
            .parse()
            .map_err(|_| format!("{most} is not a number"))?;
        Ok(Self(limit, most))
    }
}

/// A group, by its name.
#[derive(Debug, Clone, Copy)]
pub struct Named(Group);

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Group::named(text).map(Self).ok_or_else(groups_help)
    }
}

fn limits_help() -> String {
    let limits: Vec<String> = Limit::ALL
        .iter()
        .map(|limit| match limit.exit_code() {
            Some(code) => format!("{limit} (exit code {code})"),
            None => limit.to_string(),
        })
        .collect();
    format!("How much may be used. The limits are {}", limits.join(", "))
}

fn groups_help() -> String {
    let groups: Vec<&str> = Group::ALL.iter().map(|group| group.name()).collect();
    format!("Functions of WASI. The groups are {}", groups.join(", "))
}

impl Given {
    /// The profile: the file's, with what the flags add.
    ///
    /// # Errors
    /// What can't be read or given.
    pub fn profile(&self, arguments: &[String]) -> anyhow::Result<Profile> {
        let mut profile = match &self.profile {
            Some(path) => Profile::load(path)?,
            None => Profile::new()
                .stdin(Stream::Inherit)
                .stdout(Stream::Inherit)
                .stderr(Stream::Inherit),
        };
        profile = profile.arguments(arguments);
        for variable in &self.env {
            let Some((name, value)) = variable.split_once('=') else {
                bail!("--env {variable}: expected K=V");
            };
            profile = profile.environment(name, value);
        }
        for name in &self.env_from_host {
            profile = profile.environment_from_host(name);
        }
        for text in &self.dir {
            let context = || format!("--dir {}", text.display());
            let mapping = Mapping::parse(text, &["ro", "rw"]).with_context(context)?;
            profile = profile
                .preopen(|p| mapping.directory(p))
                .with_context(context)?;
        }
        for text in &self.file {
            let context = || format!("--file {}", text.display());
            let modes = ["ro", "rw", "rwc", "create"];
            let mapping = Mapping::parse(text, &modes).with_context(context)?;
            profile = profile.preopen(|p| mapping.file(p)).with_context(context)?;
        }
        profile.network.bind.extend(&self.bind);
        profile.network.connect.extend(&self.connect);
        let streams = &mut profile.streams;
        for (stream, leads) in [
            (&mut streams.stdin, self.stdin),
            (&mut streams.stdout, self.stdout),
            (&mut streams.stderr, self.stderr),
        ] {
            if let Some(leads) = leads {
                *stream = leads.into();
            }
        }
        streams.colours |= self.colours;
        for Bound(limit, most) in &self.limit {
            profile.limits.set(*limit, *most);
        }
        for Named(group) in &self.allow {
            profile.groups.set(*group, true);
        }
        for Named(group) in &self.withhold {
            profile.groups.set(*group, false);
        }
        profile.groups.refuse |= self.refuse;
        profile.enforcement.harden |= self.harden;
        Ok(profile)
    }
}
