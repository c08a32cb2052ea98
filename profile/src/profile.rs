//! The profile itself, as a program makes it and as a file has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use wasix_landlock::{Level, Network, Protection, Protections};

use crate::{
    FileError, Group, Groups, HostPreopen, HostPreopenBuilder, Limits, PreopenError, ProfileError,
    Stream, Streams, UnsavedWrites,
    files::{merge, read_chain},
};

/// All that one module is given. `examples/policy.toml` in the repository has each key of a file.
///
/// # Example
///
/// ```
/// use wasix_landlock_profile::{Captured, Group, Network, Profile, Stream};
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
///     .network(Network::none().bind(8080).connect(443))
///     .allow(Group::Threads)
///     .withhold(Group::Randomness)
///     .harden();
/// profile.check()?;
///
/// // The same as a file. Streams in memory have no form there.
/// let read = Profile::from_toml(&profile.to_toml()?)?;
/// assert_eq!(read.arguments, ["serve", "--data", "data"]);
/// assert_eq!((&read.network, &read.limits), (&profile.network, &profile.limits));
/// assert_eq!(read.streams.stdout, Stream::Null);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Profile {
    /// The file of a profile that this one builds on. The path counts from the folder of this file. Tables are merged
    /// key by key, and of `preopen` both lists hold; any other key replaces that of the base.
    #[serde(skip_serializing)]
    extends: Option<PathBuf>,
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
    /// The ports that may be used. None of them is, unless it is named.
    pub network: Network,
    /// The groups of WASI's functions that may be called.
    pub groups: Groups,
    /// The protections of the whole process. Beside those that are on in any process a profile requires
    /// `signal-scope` and `abstract-socket-scope` (Linux 6.12), unless it names them.
    pub enforcement: Protections,
    /// The answer to a write where nothing is preopened.
    pub unsaved_writes: UnsavedWrites,
    /// Host files and directories.
    #[serde(rename = "preopen", skip_serializing_if = "Vec::is_empty")]
    pub preopens: Vec<HostPreopen>,
}

impl Profile {
    /// Nothing is given.
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives what a module has without a profile, except for files, ports and variables: the program's own streams,
    /// every group of functions, no limit.
    ///
    /// ```
    /// use wasix_landlock_profile::{Group, Limits, Profile};
    ///
    /// let profile = Profile::as_without();
    /// assert!(profile.groups.allows(Group::Threads));
    /// assert_eq!(profile.limits, Limits::none());
    /// ```
    #[must_use]
    pub fn as_without() -> Self {
        Self {
            streams: Streams::inherit(),
            groups: Groups::all(),
            limits: Limits::none(),
            unsaved_writes: UnsavedWrites::Report,
            ..Self::default()
        }
    }

    /// Reads a profile from text.
    ///
    /// ```
    /// use wasix_landlock_profile::Profile;
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
    /// # Ok::<(), wasix_landlock_profile::ProfileError>(())
    /// ```
    ///
    /// # Errors
    /// [`ProfileError::Parse`], [`FileError::NoFile`] for a text that extends a file, and what [`Profile::check`] finds.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)?;
        if profile.extends.is_some() {
            return Err(FileError::NoFile.into());
        }
        profile.check()?;
        Ok(profile)
    }

    /// Reads a profile from a file, with the files that it extends.
    ///
    /// ```
    /// use wasix_landlock_profile::Profile;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let directory = directory.path();
    /// std::fs::write(directory.join("base.toml"), "limits.threads = 0\nlimits.descriptors = 16")?;
    /// std::fs::write(directory.join("own.toml"), "extends = \"base.toml\"\nlimits.threads = 4")?;
    /// let profile = Profile::load(directory.join("own.toml"))?;
    /// assert_eq!((profile.limits.threads, profile.limits.descriptors), (Some(4), Some(16)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ProfileError::File`], and what [`Profile::check`] finds.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ProfileError> {
        let path = path.as_ref();
        let tables = read_chain(path, |text| {
            // Each file by itself, for errors with a line.
            let profile: Self = toml::from_str(text)?;
            let mut table: toml::Table = toml::from_str(text)?;
            table.remove("extends");
            Ok((table, profile.extends))
        })?;
        let mut merged = toml::Table::new();
        for (_, table) in tables {
            merge(&mut merged, table);
        }
        let profile: Self =
            merged
                .try_into()
                .map_err(|error: toml::de::Error| FileError::Merge {
                    path: path.to_owned(),
                    message: error.message().to_owned(),
                })?;
        profile.check()?;
        Ok(profile)
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
    /// [`PreopenError`] if no path or no right is set, or if the name inside can't be used.
    pub fn preopen<F>(mut self, describe: F) -> Result<Self, PreopenError>
    where
        F: FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder,
    {
        let mut builder = HostPreopenBuilder::default();
        self.preopens.push(describe(&mut builder).build()?);
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

    /// Sets the ports that may be used. With one, the module may call the functions of [`Group::Sockets`].
    ///
    /// [Example](Profile#example).
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
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
    pub fn withhold(mut self, group: Group) -> Self {
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

    /// Sets the level of a protection of the process, also where [`Profile::harden`] sets another one.
    ///
    /// ```
    /// use wasix_landlock_profile::{Level, Profile, Protection};
    ///
    /// let profile = Profile::new().harden().protect(Protection::UnixSockets, Level::Off);
    /// assert_eq!(profile.enforcement.levels[&Protection::UnixSockets], Level::Off);
    /// ```
    #[must_use]
    pub fn protect(mut self, protection: Protection, level: Level) -> Self {
        self.enforcement.levels.insert(protection, level);
        self
    }

    /// Sets the answer to a write where nothing is preopened.
    ///
    /// [Example](UnsavedWrites).
    #[must_use]
    pub fn unsaved_writes(mut self, writes: UnsavedWrites) -> Self {
        self.unsaved_writes = writes;
        self
    }

    /// The level of a protection. A profile restricts the ports, and requires `signal-scope` and
    /// `abstract-socket-scope`, unless it names them.
    #[must_use]
    pub fn level(&self, protection: Protection) -> Level {
        let scopes = [Protection::SignalScope, Protection::AbstractSocketScope];
        if scopes.contains(&protection) && !self.enforcement.levels.contains_key(&protection) {
            return Level::Strict;
        }
        self.enforcement.level(protection, true)
    }

    /// The groups that may be called: those that are allowed, and the sockets where a port is named.
    #[must_use]
    pub fn effective_groups(&self) -> Groups {
        let mut groups = self.groups.clone();
        groups.sockets |= !self.network.is_empty();
        groups
    }
}
