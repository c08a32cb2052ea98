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
    /// Every protection that a WASI runtime can live with, as [`Policy::harden`](crate::Policy::harden)
    /// requires them.
    pub harden: bool,
    /// The level of each protection that is named.
    pub levels: BTreeMap<Protection, Level>,
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
