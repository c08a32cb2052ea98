//! The protections that a policy or a profile asks for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Level, Protection};

/// The protections that a policy or a profile asks for. Those that aren't named have their default level.
///
/// A file names them in three lists, each protection at most once:
///
/// ```
/// use wasix_landlock::{Level, Protection, Protections};
///
/// let asked: Protections =
///     serde_json::from_str(r#"{"harden": true, "optional": ["exec"], "without": ["udp"]}"#)?;
/// assert!(asked.harden);
/// assert_eq!(asked.levels[&Protection::Exec], Level::Degradable);
/// assert_eq!(asked.levels[&Protection::Udp], Level::Off);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Lists", into = "Lists")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(with = "Lists")
)]
#[non_exhaustive]
pub struct Protections {
    /// Every protection that a WASI runtime can live with, as [`Policy::harden`] requires them.
    ///
    /// [`Policy::harden`]: ../wasix_landlock/struct.Policy.html#method.harden
    pub harden: bool,
    /// The level of each protection that is named.
    pub levels: BTreeMap<Protection, Level>,
}

impl Protections {
    /// Returns the level of a protection, where the ports are restricted or not.
    #[must_use]
    pub fn level(&self, protection: Protection, network: bool) -> Level {
        if let Some(named) = self.levels.get(&protection) {
            return *named;
        }
        // Else the filter could be gone around.
        let is_filter = |protection: &&Protection| {
            **protection != Protection::IoUring && protection.is_of_second_layer()
        };
        let on = |protection: &Protection| self.level(*protection, network) != Level::Off;
        if protection == Protection::IoUring && Protection::ALL.iter().filter(is_filter).any(on) {
            return Level::Strict;
        }
        protection.level(self.harden, network)
    }

    /// Returns these protections with what `other` asks for besides: each protection has the stricter level of both.
    /// The flags say whether each side restricts the ports, which turns protections on.
    ///
    /// ```
    /// use wasix_landlock::{Level, Protection, Protections};
    ///
    /// let (mut program, mut operator) = (Protections::default(), Protections::default());
    /// program.levels.insert(Protection::Exec, Level::Off);
    /// operator.harden = true;
    /// let both = program.narrowed(false, &operator, false);
    /// assert!(both.harden);
    /// assert_eq!(both.level(Protection::Exec, false), Level::Strict);
    /// ```
    #[must_use]
    pub fn narrowed(&self, network: bool, other: &Self, other_network: bool) -> Self {
        // A default of the other side is no request.
        let asked = |protection: Protection| {
            if protection.is_on_by_default() && !other.levels.contains_key(&protection) {
                Level::Off
            } else {
                other.level(protection, other_network)
            }
        };
        let named = self.levels.keys().chain(other.levels.keys()).copied();
        let strictest = |protection| {
            let own = self.level(protection, network);
            (protection, own.min(asked(protection)))
        };
        Self {
            harden: self.harden || other.harden,
            levels: named.map(strictest).collect(),
        }
    }
}

/// The form of [`Protections`] in a file.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Protections")
)]
struct Lists {
    /// Requires every protection that a WASI runtime can live with.
    harden: bool,
    /// Protections that the kernel may lack.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    optional: BTreeSet<Protection>,
    /// Protections that the kernel must have, also where they are optional by default.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    required: BTreeSet<Protection>,
    /// Protections that the program around the module can't live with.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    without: BTreeSet<Protection>,
}

impl TryFrom<Lists> for Protections {
    type Error = String;

    fn try_from(lists: Lists) -> Result<Self, String> {
        let mut levels = BTreeMap::new();
        for (protections, level) in [
            (lists.optional, Level::Degradable),
            (lists.required, Level::Strict),
            (lists.without, Level::Off),
        ] {
            for protection in protections {
                if levels.insert(protection, level).is_some() {
                    return Err(format!(
                        "the protection `{protection}` is named twice: name it in one of `optional`, `required` \
                         and `without`"
                    ));
                }
            }
        }
        Ok(Self {
            harden: lists.harden,
            levels,
        })
    }
}

impl From<Protections> for Lists {
    fn from(protections: Protections) -> Self {
        let mut lists = Self {
            harden: protections.harden,
            ..Self::default()
        };
        for (protection, level) in protections.levels {
            let list = match level {
                Level::Degradable => &mut lists.optional,
                Level::Strict => &mut lists.required,
                Level::Off => &mut lists.without,
            };
            list.insert(protection);
        }
        lists
    }
}
