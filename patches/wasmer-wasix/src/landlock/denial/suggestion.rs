//! A preopen that would allow something, in the forms in which one can be asked for.

use std::ffi::OsStr;
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

    /// The option of the example `run`, for a shell.
    ///
    /// `run` has no word for each set of rights: where one is missing, the option allows the least that has all of
    /// them.
    ///
    /// [Example](super::Denial#example).
    #[must_use]
    pub fn flag(&self) -> String {
        let Access {
            read,
            write,
            create,
        } = self.access;
        let (option, mode) = match (self.is_file(), read, write, create) {
            (true, true, _, true) => ("--file", ":rwc"),
            (true, false, _, true) => ("--file", ":create"),
            (true, _, true, false) => ("--file", ":rw"),
            (true, _, false, false) => ("--file", ""),
            (false, _, _, true) => ("--dir", ""),
            (false, _, true, false) => ("--dir", ":rw"),
            (false, _, false, false) => ("--dir", ":ro"),
        };
        let mut mapping = self.host.clone().into_os_string();
        if self.has_alias() {
            mapping.push("::");
            mapping.push(&self.guest);
        }
        mapping.push(mode);
        format!("{option} {}", quoted(&mapping))
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

/// For a shell, in one piece.
fn quoted(text: &OsStr) -> String {
    let bytes = text.as_encoded_bytes();
    let plain = |c: &u8| c.is_ascii_alphanumeric() || b"/._-:+,@%=".contains(c);
    match text.to_str() {
        Some(text) if !text.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Some(text) if text.chars().all(is_printable) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => format!(
            "$'{}'",
            bytes
                .iter()
                .map(|b| format!("\\x{b:02x}"))
                .collect::<String>()
        ),
    }
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
