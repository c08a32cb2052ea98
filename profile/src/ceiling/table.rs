//! A ceiling's file.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Deserializer, de::Error as _};
use wasix_landlock::{Access, HostKind, Level, Network, Protection, Protections};

use super::place::resolve;
use crate::{Group, Groups, HostPreopen, Limit, Limits, UnsavedWrites};

/// The most that a program may grant. What isn't named stays as the program grants it.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Ceiling")]
pub(crate) struct Table {
    /// A file that holds as well. The path counts from the folder of this one.
    extends: Option<PathBuf>,
    /// Host files and directories, by absolute paths: only these, and what is below them, stay of what is granted.
    /// A name inside says nothing here.
    #[schemars(with = "Option<Vec<HostPreopen>>")]
    preopen: Option<Vec<Grant>>,
    /// Limits that hold if they are lower.
    #[serde(deserialize_with = "limits")]
    limits: Limits,
    /// The ports that stay of those that are granted.
    pub(super) network: Option<Network>,
    /// Groups of WASI's functions to switch off.
    #[serde(deserialize_with = "groups")]
    groups: Groups,
    /// Protections to add, or to require.
    pub(super) enforcement: Protections,
    /// The answer to a write where nothing is preopened.
    pub(super) unsaved_writes: Option<UnsavedWrites>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            extends: None,
            preopen: None,
            limits: Limits::none(),
            network: None,
            groups: Groups::all(),
            enforcement: Protections::default(),
            unsaved_writes: None,
        }
    }
}

/// A path that may be granted.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "HostPreopen")]
pub(super) struct Grant {
    /// The resolved path; `None` for one that can't be followed, which allows nothing.
    pub(super) place: Option<PathBuf>,
    pub(super) kind: HostKind,
    pub(super) access: Access,
}

impl TryFrom<HostPreopen> for Grant {
    type Error = String;

    fn try_from(preopen: HostPreopen) -> Result<Self, String> {
        if !preopen.host.is_absolute() {
            return Err(format!(
                "`host` is `{}`, which depends on where the program is started: write an absolute path",
                preopen.host.display()
            ));
        }
        Ok(Self {
            place: resolve(&preopen.host),
            kind: preopen.kind,
            access: preopen.access,
        })
    }
}

impl Table {
    pub(super) fn parse(text: &str) -> Result<(Self, Option<PathBuf>), toml::de::Error> {
        let mut table: Self = toml::from_str(text)?;
        let extends = table.extends.take();
        Ok((table, extends))
    }

    /// The paths that may be granted; `None` if all may.
    pub(super) fn grants(&self) -> Option<&[Grant]> {
        self.preopen.as_deref()
    }

    pub(super) fn limits(&self, granted: Limits) -> Limits {
        let mut limits = granted;
        for limit in Limit::ALL {
            let (own, granted) = (self.limits.of(*limit), limits.of(*limit));
            if let Some(most) = own.into_iter().chain(granted).min() {
                limits.set(*limit, most);
            }
        }
        limits
    }

    pub(super) fn groups(&self, granted: Groups) -> Groups {
        let mut groups = granted;
        for group in Group::ALL {
            groups.set(*group, groups.allows(*group) && self.groups.allows(*group));
        }
        groups.refuse |= self.groups.refuse;
        groups
    }

    /// The ports of a profile that stay. A profile with ports has the functions for them: without the group, no port.
    pub(super) fn network(&self, granted: &Network) -> Network {
        if !self.groups.allows(Group::Sockets) {
            return Network::none();
        }
        match &self.network {
            Some(network) => granted.intersection(network),
            None => granted.clone(),
        }
    }

    /// The protections of a profile, with those that are asked for here. A profile restricts the ports, and requires
    /// the two scopes unless it names them.
    pub(super) fn protections(&self, granted: &Protections) -> Protections {
        let mut granted = granted.clone();
        for scope in [Protection::SignalScope, Protection::AbstractSocketScope] {
            if self.enforcement.levels.contains_key(&scope) {
                granted.levels.entry(scope).or_insert(Level::Strict);
            }
        }
        granted.narrowed(true, &self.enforcement, self.network.is_some())
    }
}

/// Reads the limits that are named, and no default of others.
fn limits<'de, D: Deserializer<'de>>(table: D) -> Result<Limits, D::Error> {
    let mut limits = Limits::none();
    for (LimitName(name), most) in BTreeMap::<LimitName, u64>::deserialize(table)? {
        if let Some(limit) = Limit::named(&name) {
            limits.set(limit, most);
            if limits.of(limit).is_none() {
                return Err(D::Error::custom(format!(
                    "the limit `{name}` has 32 bits: {most} is beyond"
                )));
            }
        }
    }
    Ok(limits)
}

/// Reads the groups that are named; the others are on.
fn groups<'de, D: Deserializer<'de>>(table: D) -> Result<Groups, D::Error> {
    let mut groups = Groups::all();
    for (GroupName(name), on) in BTreeMap::<GroupName, bool>::deserialize(table)? {
        match Group::named(&name) {
            Some(group) => groups.set(group, on),
            None => groups.refuse = on,
        }
    }
    Ok(groups)
}

/// The name of a limit. Read as such, an unknown one is an error at its own place.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct LimitName(String);

impl TryFrom<String> for LimitName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = Limit::ALL.iter().copied().map(Limit::name);
        checked(name, "limit", known).map(Self)
    }
}

/// The name of a group, or `refuse`.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct GroupName(String);

impl TryFrom<String> for GroupName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = Group::ALL.iter().copied().map(Group::name);
        checked(name, "group", known.chain(["refuse"])).map(Self)
    }
}

fn checked(
    name: String,
    what: &str,
    known: impl Iterator<Item = &'static str>,
) -> Result<String, String> {
    let known: Vec<&str> = known.collect();
    if known.contains(&name.as_str()) {
        return Ok(name);
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    Err(format!(
        "unknown {what} `{name}`, expected one of {}",
        known.join(", ")
    ))
}
