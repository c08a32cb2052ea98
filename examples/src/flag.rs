//! The options of `run` that grant what a module needs.

use std::ffi::OsStr;
use std::path::Path;

use wasmer_wasix::landlock::{Access, HostKind, Learned, Suggestion};

/// The option of `run` that grants what is suggested, for a shell.
///
/// `run` has no word for each set of rights: where one is missing, the option allows the least that has all of them.
pub fn flag(suggestion: &Suggestion) -> String {
    let Access {
        read,
        write,
        create,
    } = suggestion.access;
    let is_file = suggestion.kind == HostKind::File;
    let (option, mode) = match (is_file, read, write, create) {
        (true, true, _, true) => ("--file", ":rwc"),
        (true, false, _, true) => ("--file", ":create"),
        (true, _, true, false) => ("--file", ":rw"),
        (true, _, false, false) => ("--file", ""),
        (false, _, _, true) => ("--dir", ""),
        (false, _, true, false) => ("--dir", ":rw"),
        (false, _, false, false) => ("--dir", ":ro"),
    };
    let mut mapping = suggestion.host.clone().into_os_string();
    if suggestion.host != Path::new(&suggestion.guest) {
        mapping.push("::");
        mapping.push(&suggestion.guest);
    }
    mapping.push(mode);
    format!("{option} {}", quoted(&mapping))
}

/// All that a program was seen to need, as Rust, as options of `run`, and as a policy file.
pub fn learned(learned: &Learned) -> String {
    let flags = learned.text("#", |suggestion| flag(suggestion) + "\n");
    format!("{learned}# As options of `run`:\n{flags}")
}

/// For a shell, in one piece.
fn quoted(text: &OsStr) -> String {
    let bytes = text.as_encoded_bytes();
    let plain = |c: &u8| c.is_ascii_alphanumeric() || b"/._-:+,@%=".contains(c);
    match text.to_str() {
        Some(text) if !text.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Some(text) if !text.chars().any(char::is_control) => {
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
