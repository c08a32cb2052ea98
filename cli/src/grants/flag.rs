//! The options that grant what a module needs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use wasix_landlock_profile::{Access, HostKind, HostPreopen};

use super::mapping::Mapping;

/// The option that grants a preopen, for a shell.
///
/// The options have no word for each set of rights: where one is missing, the option allows the least that has all of
/// them.
pub fn flag(preopen: &HostPreopen) -> String {
    let Access {
        read,
        write,
        create,
    } = preopen.access;
    let is_file = preopen.kind == HostKind::File;
    let (option, mode) = match (is_file, read, write, create) {
        (true, true, _, true) => ("--file", ":rwc"),
        (true, false, _, true) => ("--file", ":create"),
        (true, _, true, false) => ("--file", ":rw"),
        (true, _, false, false) => ("--file", ""),
        (false, _, _, true) => ("--dir", ""),
        (false, _, true, false) => ("--dir", ":rw"),
        (false, _, false, false) => ("--dir", ":ro"),
    };
    let guest = preopen.guest.as_deref();
    let guest = guest.filter(|guest| preopen.host != Path::new(guest));
    let mapping = Mapping::text(&preopen.host, guest, mode);
    format!("{option} {}", quoted(&mapping))
}

/// True if a terminal shows the character as it is.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~') || (!c.is_ascii() && c.escape_debug().count() == 1)
}

/// For a shell, in one piece. A module may have chosen the names.
fn quoted(text: &OsStr) -> String {
    let bytes = text.as_bytes();
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
