//! A preopen that would allow something, in the forms in which one can be asked for.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wasix_landlock::{Access, HostKind};

/// A preopen that would allow what was refused, or that a program was seen to need.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suggestion {
    /// The host path.
    pub host: PathBuf,
    /// The name inside.
    pub guest: String,
    /// [`HostKind::File`] or [`HostKind::Directory`].
    pub kind: HostKind,
    /// The access that the preopen has to allow.
    pub access: Access,
}

impl Suggestion {
    pub(crate) fn new(host: &Path, guest: &Path, kind: HostKind, access: Access) -> Self {
        let mut access = access;
        // As the builder has it.
        access.write |= access.create;
        // Without it the module can't rename there, nor ask what is there.
        access.read |= kind == HostKind::Directory;
        Self {
            host: host.to_owned(),
            guest: guest.to_string_lossy().into_owned(),
            kind,
            access,
        }
    }

    fn is_file(&self) -> bool {
        self.kind == HostKind::File
    }

    /// True if the host path isn't its own name inside.
    fn has_alias(&self) -> bool {
        self.host != Path::new(&self.guest)
    }

    /// The builder's line.
    ///
    /// [Example](super::Denial#example).
    #[must_use]
    pub fn rust(&self) -> String {
        let what = if self.is_file() { "path" } else { "directory" };
        let mut line = format!(".preopen(|p| p.{what}({:?})", self.host);
        if self.has_alias() {
            let _ = write!(line, ".alias({:?})", self.guest);
        }
        let Access {
            read,
            write,
            create,
        } = self.access;
        // `create` implies `write`.
        for (granted, name) in [
            (read, "read"),
            (write && !create, "write"),
            (create, "create"),
        ] {
            if granted {
                let _ = write!(line, ".{name}(true)");
            }
        }
        line + ")?"
    }

    /// The table of a policy file. A host path that isn't UTF-8 has no form there: the table is a comment then.
    ///
    /// [Example](super::Denial#example).
    #[must_use]
    pub fn toml(&self) -> String {
        let Some(host) = self.host.to_str() else {
            return format!("# not UTF-8: {:?}\n", self.host);
        };
        let mut table = format!("[[preopen]]\nhost = {}\n", toml_string(host));
        if self.has_alias() {
            let _ = writeln!(table, "guest = {}", toml_string(&self.guest));
        }
        let kind = if self.is_file() { "file" } else { "directory" };
        let _ = writeln!(table, "kind = \"{kind}\"");
        let Access {
            read,
            write,
            create,
        } = self.access;
        for (granted, name) in [(read, "read"), (write, "write"), (create, "create")] {
            if granted {
                let _ = writeln!(table, "{name} = true");
            }
        }
        table
    }
}

/// True if a terminal shows it as it is, and obeys nothing.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~') || (!c.is_ascii() && c.escape_debug().count() == 1)
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_printable(c) => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
        }
    }
    quoted + "\""
}
