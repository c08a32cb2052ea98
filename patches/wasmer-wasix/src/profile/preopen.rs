//! A preopen as a profile has it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::landlock::HostPreopenBuilder;

/// The kind of a [`Preopen`]'s host path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A single file.
    File,
    /// A directory, with all below it.
    Directory,
}

/// A host file or directory that the module may use, as [`HostPreopenBuilder`] describes it. What isn't said is not
/// allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preopen {
    /// The host path; a relative one counts from the current directory of the program.
    pub host: PathBuf,
    /// The name inside; the host path unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// The kind of the host path.
    pub kind: Kind,
    /// May files be read, and directories listed?
    #[serde(default)]
    pub read: bool,
    /// May files be changed, and a directory's entries be removed?
    #[serde(default)]
    pub write: bool,
    /// May the file, or entries of the directory, be made? Implies `write`.
    #[serde(default)]
    pub create: bool,
}

impl Preopen {
    /// Says the same to a builder.
    pub(super) fn describe<'b>(
        &self,
        builder: &'b mut HostPreopenBuilder,
    ) -> &'b mut HostPreopenBuilder {
        let builder = match self.kind {
            Kind::File => builder.path(&self.host),
            Kind::Directory => builder.directory(&self.host),
        };
        let builder = match &self.guest {
            Some(guest) => builder.alias(guest),
            None => builder,
        };
        builder
            .read(self.read)
            .write(self.write)
            .create(self.create)
    }
}
