//! The profile itself, as a program makes it and as a file has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use virtual_net::DynVirtualNetworking;
use wasix_landlock::{Level, Protection};

use super::{Group, Groups, Limit, Limits, Ports, Preopen, ProfileError, Stream, Streams};
use crate::landlock::HostPreopenBuilder;

/// All that one module is given. See the [module](super) for what it is like, and `examples/policy.toml` in the
/// repository for each key of a file.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wasmer_wasix::profile::{Captured, Group, Profile, Stream};
/// use wasmer_wasix::runners::wasi::WasiRunner;
///
/// let output = Captured::new(64 * 1024);
/// let profile = Profile::new()
///     .argument("serve")
///     .arguments(["--data", "data"])
///     .environment("LANG", "C")
///     .environment_from_host("PATH")
///     .preopen(|p| p.directory("/srv/data").alias("data").read(true))?
///     .stdin(Stream::Bytes(b"input".to_vec()))
///     .stdout(Stream::Memory(output.clone()))
///     .stderr(Stream::Inherit)
///     .limits(|l| l.descriptors(16).stream_bytes(64 * 1024))
///     .bind(8080)
///     .connect(443)
///     .allow(Group::Threads)
///     .without(Group::Randomness)
///     .harden()
///     .on_limit(|limit| eprintln!("it was ended: {limit}, exit code {}", limit.code()));
/// profile.check()?;
/// WasiRunner::new().with_profile(&profile)?;
///
/// // The same as a file. Streams in memory have no form there.
/// let read = Profile::from_toml(&profile.to_toml()?)?;
/// assert_eq!(read.arguments, ["serve", "--data", "data"]);
/// assert_eq!((&read.network, &read.limits), (&profile.network, &profile.limits));
/// assert_eq!(read.streams.stdout, Stream::Null);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Profile {
    /// The arguments behind the program's name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Variables of the host that are passed on, by name. One that isn't there is an error.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub environment_from_host: BTreeSet<String>,
    /// Variables with their values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// The destinations of the three streams.
    pub streams: Streams,
    /// The limits.
    pub limits: Limits,
    /// The ports that may be used.
    pub network: Ports,
    /// The groups of WASI's functions that may be called.
    pub groups: Groups,
    /// The enforcement, for the whole process.
    pub enforcement: Enforcement,
    /// Host files and directories.
    #[serde(rename = "preopen", skip_serializing_if = "Vec::is_empty")]
    pub preopens: Vec<Preopen>,
    #[serde(skip)]
    pub(super) on_limit: OnLimit,
}

/// The enforcement of a profile, for the whole process: settings of [`Landlock`](crate::landlock::Landlock), by the names
/// of the protections. Beside those that are on in any process a profile requires `signal-scope` and
/// `abstract-socket-scope` (Linux 6.12).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Enforcement {
    /// Every protection that a WASI runtime can live with.
    pub harden: bool,
    /// Protections that the kernel may lack.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub optional: BTreeSet<String>,
    /// Protections that it must have, also where they are optional by default.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub required: BTreeSet<String>,
    /// Protections that the program around the module can't live with.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub without: BTreeSet<String>,
}

impl Enforcement {
    /// The protections that are named, each with its level.
    pub(super) fn levels(&self) -> Result<Vec<(Protection, Level)>, ProfileError> {
        let mut levels: Vec<(Protection, Level)> = Vec::new();
        let named = [
            (&self.optional, Level::Degradable),
            (&self.required, Level::Strict),
            (&self.without, Level::Off),
        ];
        for (names, level) in named {
            for name in names {
                let error = |problem| ProfileError::Protection {
                    name: name.clone(),
                    problem,
                };
                let protection = Protection::ALL
                    .iter()
                    .find(|protection| protection.name() == name)
                    .ok_or_else(|| error("doesn't exist: a report lists those that do"))?;
                if levels.iter().any(|(known, _)| known == protection) {
                    return Err(error("is named twice"));
                }
                levels.push((*protection, level));
            }
        }
        Ok(levels)
    }
}

/// A receiver of the limit that was reached.
#[derive(Clone, Default)]
pub(super) struct OnLimit(pub(super) Option<Arc<dyn Fn(Limit) + Send + Sync>>);

impl fmt::Debug for OnLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some" } else { "None" })
    }
}

/// Two profiles are the same if they give the same.
impl PartialEq for OnLimit {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for OnLimit {}

impl Profile {
    /// Nothing is given.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a profile from text.
    ///
    /// ```
    /// # fn main() -> Result<(), wasmer_wasix::profile::ProfileError> {
    /// use wasmer_wasix::profile::Profile;
    ///
    /// let profile = Profile::from_toml(
    ///     r#"
    ///     environment = { LANG = "C" }
    ///     limits.descriptors = 16
    ///     [[preopen]]
    ///     host = "/srv/data"
    ///     guest = "data"
    ///     kind = "directory"
    ///     read = true
    ///     "#,
    /// )?;
    /// assert_eq!(profile.limits.descriptors, Some(16));
    /// assert!(Profile::from_toml("enviroment = {}").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ProfileError::Parse`], and what [`Profile::check`] finds.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)?;
        profile.check()?;
        Ok(profile)
    }

    /// Reads a profile from a file.
    ///
    /// [Example](Profile#example).
    ///
    /// # Errors
    /// [`ProfileError::Read`], and those of [`Profile::from_toml`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ProfileError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| ProfileError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_toml(&text)
    }

    /// The same as text. A stream in memory becomes `null`, as it has no form there.
    ///
    /// [Example](Profile#example).
    ///
    /// # Errors
    /// [`ProfileError::Write`] for a host path that isn't UTF-8, and a number beyond the 63 bits of TOML's.
    pub fn to_toml(&self) -> Result<String, ProfileError> {
        let mut written = self.clone();
        for stream in [
            &mut written.streams.stdin,
            &mut written.streams.stdout,
            &mut written.streams.stderr,
        ] {
            if *stream != Stream::Inherit {
                *stream = Stream::Null;
            }
        }
        Ok(toml::to_string_pretty(&written)?)
    }

    /// Adds an argument.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Gives a variable a value.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Passes a variable of the host on. One that isn't there when the profile is applied is an error.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn environment_from_host(mut self, name: impl Into<String>) -> Self {
        self.environment_from_host.insert(name.into());
        self
    }

    /// Preopens a host file or directory.
    ///
    /// [Example](Profile#example).
    ///
    /// # Errors
    /// As [`WasiEnvBuilder::preopen`](crate::WasiEnvBuilder::preopen).
    pub fn preopen<F>(mut self, describe: F) -> Result<Self, ProfileError>
    where
        F: FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder,
    {
        let mut builder = HostPreopenBuilder::default();
        self.preopens.push(describe(&mut builder).as_entry()?);
        Ok(self)
    }

    /// Says where standard input comes from.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn stdin(mut self, stream: Stream) -> Self {
        self.streams.stdin = stream;
        self
    }

    /// Says where standard output goes.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn stdout(mut self, stream: Stream) -> Self {
        self.streams.stdout = stream;
        self
    }

    /// Says where standard error goes.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn stderr(mut self, stream: Stream) -> Self {
        self.streams.stderr = stream;
        self
    }

    /// Says how much may be used.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn limits(mut self, set: impl FnOnce(&mut Limits) -> &mut Limits) -> Self {
        set(&mut self.limits);
        self
    }

    /// Lets the module bind to a TCP port, and so call the functions of [`Group::Sockets`].
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn bind(mut self, port: u16) -> Self {
        self.network.bind.insert(port);
        self
    }

    /// Lets the module connect to a TCP port, and so call the functions of [`Group::Sockets`].
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn connect(mut self, port: u16) -> Self {
        self.network.connect.insert(port);
        self
    }

    /// Lets the module call the functions of a group.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn allow(mut self, group: Group) -> Self {
        self.groups.set(group, true);
        self
    }

    /// Keeps the module from calling the functions of a group.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn without(mut self, group: Group) -> Self {
        self.groups.set(group, false);
        self
    }

    /// Asks for every protection that a WASI runtime can live with, for the whole process.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn harden(mut self) -> Self {
        self.enforcement.harden = true;
        self
    }

    /// Calls `tell` with the first limit that the module reaches, once for each environment that is built. It is called
    /// where the limit is reached, on the module's thread or a timer's, and must not wait for the module.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn on_limit(mut self, tell: impl Fn(Limit) + Send + Sync + 'static) -> Self {
        self.on_limit = OnLimit(Some(Arc::new(tell)));
        self
    }

    /// The network that a runtime needs to be made with: none if no port is named, else the host's, with the same
    /// ports in Wasmer's own rules. What the kernel enforces doesn't depend on it.
    #[must_use]
    pub fn networking(&self) -> DynVirtualNetworking {
        self.network.networking()
    }

    /// With the sockets that a port needs.
    pub(super) fn effective_groups(&self) -> Groups {
        let mut groups = self.groups.clone();
        groups.sockets |= !self.network.is_empty();
        groups
    }
}
