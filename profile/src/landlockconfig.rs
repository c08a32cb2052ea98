//! The format of [landlockconfig], in and out.
//!
//! [landlockconfig]: https://github.com/landlock-lsm/landlockconfig
//!
//! That format describes a Landlock ruleset, right by right; a profile describes what one module gets. Paths, TCP ports
//! and the two scopes translate. What doesn't is named by a [`Note`], and never makes the result allow more. The
//! format is still unstable; this module has it as of 2025.
//!
//! ```
//! use wasix_landlock_profile::{Access, landlockconfig};
//!
//! let text = r#"
//!     abi = 5
//!     [[path_beneath]]
//!     allowed_access = ["abi.read_execute"]
//!     parent = ["/srv/data"]
//!     [[net_port]]
//!     allowed_access = ["connect_tcp"]
//!     port = [443]
//! "#;
//! let (profile, notes) = landlockconfig::from_toml(text)?;
//! assert_eq!(profile.preopens[0].access, Access::READ);
//! assert!(profile.network.connect.contains(&443));
//! assert!(notes.iter().any(|note| note.to_string().contains("execute")));
//! # Ok::<(), toml::de::Error>(())
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use serde::{Deserialize, Serialize};
use wasix_landlock::{Access, HostKind, Level, Object, Protection, Right};

use crate::{Limits, Profile, Streams};

/// A configuration of landlockconfig. Its serialized form is that of JSON; TOML has the same keys in snake case
/// ([`LandlockConfig::to_toml`]). Both are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct LandlockConfig {
    /// The ABI that the groups of rights `abi.…` are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abi: Option<u32>,
    /// Variables for paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variable: Vec<Variable>,
    /// The access that is refused unless a rule allows it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ruleset: Vec<Ruleset>,
    /// Rules of paths.
    #[serde(skip_serializing_if = "Vec::is_empty", alias = "path_beneath")]
    pub path_beneath: Vec<PathBeneath>,
    /// Rules of TCP ports.
    #[serde(skip_serializing_if = "Vec::is_empty", alias = "net_port")]
    pub net_port: Vec<NetPort>,
}

/// A variable, which stands for each of its values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The values.
    #[serde(default)]
    pub literal: Vec<String>,
}

/// The access that is refused unless a rule allows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Ruleset {
    /// Access to files.
    #[serde(skip_serializing_if = "Vec::is_empty", alias = "handled_access_fs")]
    pub handled_access_fs: Vec<String>,
    /// Access to ports.
    #[serde(skip_serializing_if = "Vec::is_empty", alias = "handled_access_net")]
    pub handled_access_net: Vec<String>,
    /// Scopes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scoped: Vec<String>,
}

/// A rule of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct PathBeneath {
    /// The rights.
    #[serde(alias = "allowed_access")]
    pub allowed_access: Vec<String>,
    /// The paths.
    pub parent: Vec<String>,
}

/// A rule of TCP ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct NetPort {
    /// The rights.
    #[serde(alias = "allowed_access")]
    pub allowed_access: Vec<String>,
    /// The ports.
    pub port: Vec<u64>,
}

/// A part that doesn't translate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Note {
    /// A right for a path that a profile can't give, or not without others.
    Right {
        /// The path.
        path: String,
        /// The right.
        right: String,
    },
    /// A path with a variable that has no value.
    Variable {
        /// The path.
        path: String,
    },
    /// A right or scope that isn't known here, or a group of rights without `abi`.
    Unknown {
        /// The name.
        name: String,
    },
    /// A number that is no port.
    Port {
        /// The number.
        port: u64,
    },
    /// An access that the configuration leaves open: a profile restricts it.
    LeftOpen {
        /// The name.
        name: &'static str,
    },
    /// A key of the profile that the format has no word for: it isn't in the configuration.
    Key {
        /// The key.
        key: &'static str,
    },
    /// A file that is made before the restriction: the configuration needs the file to be there.
    Created {
        /// The path.
        path: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right { path, right } => {
                write!(
                    f,
                    "`{right}` for `{path}`: a profile doesn't give this right, or not alone"
                )
            }
            Self::Variable { path } => write!(f, "`{path}`: the variable has no value"),
            Self::Unknown { name } => write!(f, "`{name}` isn't known, or needs `abi`"),
            Self::Port { port } => write!(f, "{port} is no port"),
            Self::LeftOpen { name } => {
                write!(
                    f,
                    "the configuration leaves `{name}` open, which a profile restricts"
                )
            }
            Self::Key { key } => write!(
                f,
                "`{key}` has no form in a configuration of landlockconfig"
            ),
            Self::Created { path } => {
                write!(
                    f,
                    "`{path}` would be made before the restriction: make the file yourself"
                )
            }
        }
    }
}

/// Reads a configuration in TOML as a profile, which allows no more. [Example](self).
///
/// # Errors
/// Text that isn't TOML, and unknown keys.
pub fn from_toml(text: &str) -> Result<(Profile, Vec<Note>), toml::de::Error> {
    Ok(toml::from_str::<LandlockConfig>(text)?.to_profile())
}

impl LandlockConfig {
    /// Returns the profile that allows the same, or less where a note says so. [Example](self).
    #[must_use]
    pub fn to_profile(&self) -> (Profile, Vec<Note>) {
        let mut import = Import {
            abi: self.abi,
            notes: Vec::new(),
        };
        let mut profile = Profile::new();
        import.paths(self, &mut profile);
        import.ports(self, &mut profile);
        import.rulesets(self, &mut profile);
        let mut notes: Vec<Note> = Vec::new();
        for note in import.notes {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        (profile, notes)
    }

    /// Returns the configuration for a profile, with notes on what the format can't say.
    ///
    /// ```
    /// use wasix_landlock_profile::{Profile, landlockconfig::LandlockConfig};
    ///
    /// let profile = Profile::new().preopen(|p| p.directory("/srv/data").read(true))?;
    /// let (config, notes) = LandlockConfig::from_profile(&profile);
    /// assert!(config.to_toml()?.contains("allowed_access"));
    /// assert_eq!(config.path_beneath[0].parent, ["/srv/data"]);
    /// assert!(notes.iter().any(|note| note.to_string().contains("groups")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn from_profile(profile: &Profile) -> (Self, Vec<Note>) {
        let mut notes = untranslated(profile);
        let mut config = Self::default();
        let mut rules: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
        for preopen in &profile.preopens {
            let path = preopen.host.to_string_lossy().into_owned();
            let object = object(preopen.kind);
            if object == Object::File && preopen.access.create {
                notes.push(Note::Created { path: path.clone() });
            }
            let rights = preopen.access.rights_on(object);
            let rights: Vec<String> = rights.iter().map(|right| right.name().to_owned()).collect();
            if !rights.is_empty() {
                // `$` begins a variable there.
                rules
                    .entry(rights)
                    .or_default()
                    .insert(path.replace('$', "$$"));
            }
        }
        for (allowed_access, parent) in rules {
            config.path_beneath.push(PathBeneath {
                allowed_access,
                parent: parent.into_iter().collect(),
            });
        }
        for (right, ports) in [
            ("bind_tcp", &profile.network.bind),
            ("connect_tcp", &profile.network.connect),
        ] {
            if !ports.is_empty() {
                config.net_port.push(NetPort {
                    allowed_access: vec![right.to_owned()],
                    port: ports.iter().copied().map(u64::from).collect(),
                });
            }
        }
        let mut ruleset = Ruleset::default();
        let known = Right::ALL.iter().filter(|right| right.abi() <= NEWEST);
        ruleset.handled_access_fs = known.map(|right| right.name().to_owned()).collect();
        ruleset.handled_access_net = vec!["bind_tcp".to_owned(), "connect_tcp".to_owned()];
        for (scope, name) in SCOPES {
            if profile.level(scope) != Level::Off {
                ruleset.scoped.push(name.to_owned());
            }
        }
        config.ruleset.push(ruleset);
        (config, notes)
    }

    /// The configuration in TOML.
    ///
    /// # Errors
    /// A number beyond 63 bits, which has no form there.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let mut value = toml::Value::try_from(self)?;
        to_snake_case(&mut value);
        toml::to_string_pretty(&value)
    }
}

/// The newest ABI whose rights the format has.
const NEWEST: u32 = 5;

/// The scopes, with their names in the format.
const SCOPES: [(Protection, &str); 2] = [
    (Protection::AbstractSocketScope, "abstract_unix_socket"),
    (Protection::SignalScope, "signal"),
];

const fn object(kind: HostKind) -> Object {
    match kind {
        HostKind::File => Object::File,
        HostKind::Directory | HostKind::Either => Object::Directory,
    }
}

/// The keys that have no form in the format, where the profile says something by them.
fn untranslated(profile: &Profile) -> Vec<Note> {
    let network = &profile.network;
    let keys = [
        ("arguments", !profile.arguments.is_empty()),
        ("environment", !profile.environment.is_empty()),
        (
            "environment-from-host",
            !profile.environment_from_host.is_empty(),
        ),
        ("streams", profile.streams != Streams::default()),
        ("limits", profile.limits != Limits::none()),
        ("network.bind-udp", !network.bind_udp.is_empty()),
        ("network.send-udp", !network.send_udp.is_empty()),
        ("groups", !profile.effective_groups().are_all_on()),
        ("enforcement.harden", profile.enforcement.harden),
        (
            "preopen.guest",
            profile
                .preopens
                .iter()
                .any(|preopen| preopen.guest.is_some()),
        ),
    ];
    let said = keys.into_iter().filter(|(_, said)| *said);
    said.map(|(key, _)| Note::Key { key }).collect()
}

/// The translation of a configuration.
struct Import {
    abi: Option<u32>,
    notes: Vec<Note>,
}

impl Import {
    /// The rights by these names.
    fn rights(&mut self, names: &[String]) -> BTreeSet<Right> {
        let mut rights = BTreeSet::new();
        for name in names {
            let all = Right::ALL.iter().copied();
            let abi = self.abi.unwrap_or(0).min(NEWEST);
            let mut of_group: Vec<Right> = all.clone().filter(|right| right.abi() <= abi).collect();
            match name.as_str() {
                "abi.all" => {}
                "abi.read_execute" => of_group.retain(|right| READ_EXECUTE.contains(right)),
                "abi.read_write" => of_group.retain(|right| *right != Right::Execute),
                name => of_group = all.filter(|right| right.name() == name).collect(),
            }
            if of_group.is_empty() {
                self.unknown(name);
            }
            rights.extend(of_group);
        }
        rights
    }

    fn unknown(&mut self, name: &str) {
        let name = name.to_owned();
        self.notes.push(Note::Unknown { name });
    }

    fn paths(&mut self, config: &LandlockConfig, profile: &mut Profile) {
        for rule in &config.path_beneath {
            let rights = self.rights(&rule.allowed_access);
            for template in &rule.parent {
                let Some(paths) = expand(template, &config.variable) else {
                    let path = template.clone();
                    self.notes.push(Note::Variable { path });
                    continue;
                };
                for path in paths {
                    self.path(path, &rights, profile);
                }
            }
        }
    }

    fn path(&mut self, path: String, rights: &BTreeSet<Right>, profile: &mut Profile) {
        let only_for_files = rights.iter().all(|right| right.applies_to_files());
        let host = Path::new(&path);
        let kind = if host.is_file() || (only_for_files && !host.is_dir()) {
            HostKind::File
        } else {
            HostKind::Directory
        };
        let mut access = Access::NONE;
        let mut given = BTreeSet::new();
        for one in [Access::READ, Access::WRITE, Access::CREATE] {
            // Who may create may write, in a profile's file.
            if one == Access::CREATE && !access.write {
                continue;
            }
            let needed = one.rights_on(object(kind));
            // Below ABI 3 nothing restricts truncating.
            let has = |right: &Right| {
                rights.contains(right)
                    || (*right == Right::Truncate && self.abi.is_some_and(|abi| abi < 3))
            };
            if !needed.is_empty() && needed.iter().all(has) {
                access = access.union(one);
                given.extend(needed);
            }
        }
        let relevant = rights
            .iter()
            .filter(|right| kind != HostKind::File || right.applies_to_files());
        for right in relevant.filter(|right| !given.contains(right)) {
            self.notes.push(Note::Right {
                path: path.clone(),
                right: right.name().to_owned(),
            });
        }
        if access.is_empty() {
            return;
        }
        profile.preopens.push(crate::HostPreopen {
            host: path.into(),
            guest: None,
            kind,
            access,
        });
    }

    fn ports(&mut self, config: &LandlockConfig, profile: &mut Profile) {
        for rule in &config.net_port {
            for name in &rule.allowed_access {
                let (bind, connect) = match name.as_str() {
                    "bind_tcp" => (true, false),
                    "connect_tcp" => (false, true),
                    "abi.all" if self.abi.is_some_and(|abi| abi >= 4) => (true, true),
                    name => {
                        self.unknown(name);
                        continue;
                    }
                };
                for number in &rule.port {
                    let Ok(port) = u16::try_from(*number) else {
                        self.notes.push(Note::Port { port: *number });
                        continue;
                    };
                    if bind {
                        profile.network.bind.insert(port);
                    }
                    if connect {
                        profile.network.connect.insert(port);
                    }
                }
            }
        }
    }

    /// A profile restricts everything: what the configuration leaves open is noted.
    fn rulesets(&mut self, config: &LandlockConfig, profile: &mut Profile) {
        let (mut handled, mut net, mut scopes) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        // What a rule names is handled, also where no ruleset says so.
        for rule in &config.path_beneath {
            handled.extend(self.rights(&rule.allowed_access));
        }
        for rule in &config.net_port {
            net.extend(rule.allowed_access.iter().map(String::as_str));
        }
        for ruleset in &config.ruleset {
            handled.extend(self.rights(&ruleset.handled_access_fs));
            net.extend(ruleset.handled_access_net.iter().map(String::as_str));
            scopes.extend(ruleset.scoped.iter().map(String::as_str));
        }
        for right in Right::ALL.iter().filter(|right| right.abi() <= NEWEST) {
            if !handled.contains(right) {
                self.notes.push(Note::LeftOpen { name: right.name() });
            }
        }
        for name in ["bind_tcp", "connect_tcp"] {
            if !net.contains(name) && !net.contains("abi.all") {
                self.notes.push(Note::LeftOpen { name });
            }
        }
        for (scope, name) in SCOPES {
            let is_scoped = scopes.contains(name) || scopes.contains("abi.all");
            let level = if is_scoped { Level::Strict } else { Level::Off };
            profile.enforcement.levels.insert(scope, level);
        }
        for name in scopes {
            if name != "abi.all" && SCOPES.iter().all(|(_, known)| *known != name) {
                self.unknown(name);
            }
        }
    }
}

/// The rights of the group `abi.read_execute`.
const READ_EXECUTE: [Right; 4] = [
    Right::Execute,
    Right::ReadFile,
    Right::ReadDir,
    Right::Refer,
];

/// Replaces variables (`${name}`) by each of their values; `None` if one has none. `$$` is a dollar sign.
fn expand(template: &str, variables: &[Variable]) -> Option<Vec<String>> {
    let mut paths = vec![String::new()];
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        let (values, behind) = if let Some(behind) = after.strip_prefix('$') {
            (vec!["$".to_owned()], behind)
        } else if let Some((name, behind)) = after.strip_prefix('{').and_then(|a| a.split_once('}'))
        {
            let named = variables.iter().filter(|variable| variable.name == name);
            (
                named
                    .flat_map(|variable| variable.literal.clone())
                    .collect(),
                behind,
            )
        } else {
            (vec!["$".to_owned()], after)
        };
        if values.is_empty() {
            return None;
        }
        let join = |path: &String| {
            let values = values.iter();
            values
                .map(|value| format!("{path}{before}{value}"))
                .collect::<Vec<_>>()
        };
        paths = paths.iter().flat_map(join).collect();
        rest = behind;
    }
    Some(paths.iter().map(|path| format!("{path}{rest}")).collect())
}

/// Writes the keys as TOML has them.
fn to_snake_case(value: &mut toml::Value) {
    match value {
        toml::Value::Table(table) => {
            for (key, mut value) in std::mem::take(table) {
                to_snake_case(&mut value);
                let mut name = String::new();
                for c in key.chars() {
                    if c.is_ascii_uppercase() {
                        name.push('_');
                    }
                    name.push(c.to_ascii_lowercase());
                }
                table.insert(name, value);
            }
        }
        toml::Value::Array(values) => values.iter_mut().for_each(to_snake_case),
        _ => {}
    }
}
