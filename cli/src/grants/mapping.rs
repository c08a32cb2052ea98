//! `HOST[::GUEST][:MODE]`: a host path, its name inside, and its rights.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use wasix_landlock_profile::HostPreopenBuilder;

/// A host path, its name inside, and its rights. In both names `\:` is a colon and `\\` a backslash; a single colon
/// without rights behind it needs no backslash.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapping {
    host: PathBuf,
    guest: Option<String>,
    mode: Option<&'static str>,
}

/// A byte of the text, and whether a backslash stood before it.
type Character = (u8, bool);

const COLON: Character = (b':', false);

impl Mapping {
    /// Takes the text apart; `modes` are the words for rights.
    ///
    /// # Errors
    /// A name that is missing, and a name inside that isn't UTF-8.
    pub fn parse(text: &OsStr, modes: &[&'static str]) -> anyhow::Result<Self> {
        let characters = unescaped(text.as_bytes());
        let mode = modes.iter().copied().find(|mode| {
            let colon = (characters.len().checked_sub(mode.len() + 1)).filter(|at| *at > 0);
            colon.is_some_and(|at| {
                let is_mode = characters[at + 1..].iter().eq(mode
                    .bytes()
                    .map(|byte| (byte, false))
                    .collect::<Vec<_>>()
                    .iter());
                is_mode && characters[at] == COLON && characters[at - 1] != COLON
            })
        });
        let names = &characters[..characters.len() - mode.map_or(0, |mode| mode.len() + 1)];
        let separator = names.windows(2).position(|two| two == [COLON, COLON]);
        let (host, guest) = match separator {
            Some(at) => (&names[..at], Some(&names[at + 2..])),
            None => (names, None),
        };
        let bytes = |characters: &[Character]| characters.iter().map(|(byte, _)| *byte).collect();
        let host = PathBuf::from(OsString::from_vec(bytes(host)));
        ensure!(
            host != Path::new("") && guest.is_none_or(|guest| !guest.is_empty()),
            "a name is missing: expected HOST[::GUEST][:{}], where a colon of a name is `\\:`",
            modes.join("|:")
        );
        let guest = guest
            .map(|guest| String::from_utf8(bytes(guest)).context("the name inside is not UTF-8"))
            .transpose()?;
        Ok(Self { host, guest, mode })
    }

    /// The text that [`Mapping::parse`] takes apart into the same.
    pub fn text(host: &Path, guest: Option<&str>, mode: &str) -> OsString {
        let mut text = escaped(host.as_os_str().as_bytes());
        if let Some(guest) = guest {
            text.extend(b"::");
            text.extend(escaped(guest.as_bytes()));
        }
        text.extend(mode.bytes());
        OsString::from_vec(text)
    }

    /// Describes a directory: everything is allowed unless the rights are fewer.
    pub fn directory<'b>(&self, preopen: &'b mut HostPreopenBuilder) -> &'b mut HostPreopenBuilder {
        let writable = self.mode != Some("ro");
        self.named(preopen.directory(&self.host))
            .read(true)
            .write(writable)
            .create(writable && self.mode != Some("rw"))
    }

    /// Describes a file: it is read unless the rights are more.
    pub fn file<'b>(&self, preopen: &'b mut HostPreopenBuilder) -> &'b mut HostPreopenBuilder {
        let preopen = self.named(preopen.path(&self.host));
        match self.mode {
            Some("create") => preopen.create(true),
            Some("rwc") => preopen.read(true).create(true),
            Some("rw") => preopen.read(true).write(true),
            _ => preopen.read(true),
        }
    }

    fn named<'b>(&self, preopen: &'b mut HostPreopenBuilder) -> &'b mut HostPreopenBuilder {
        match &self.guest {
            Some(guest) => preopen.alias(guest),
            None => preopen,
        }
    }
}

fn unescaped(text: &[u8]) -> Vec<Character> {
    let mut characters = Vec::new();
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = match byte {
            b'\\' => bytes.next_if(|next| b":\\".contains(next)),
            _ => None,
        };
        characters.push((escaped.unwrap_or(byte), escaped.is_some()));
    }
    characters
}

fn escaped(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in name {
        if b":\\".contains(byte) {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MODES: [&str; 2] = ["ro", "rw"];

    fn parsed(text: &str) -> (String, Option<String>, Option<&'static str>) {
        let mapping = Mapping::parse(OsStr::new(text), &MODES).unwrap();
        let host = mapping.host.to_str().unwrap().to_owned();
        (host, mapping.guest, mapping.mode)
    }

    #[test]
    fn names_and_rights_are_told_apart() {
        for (text, host, guest, mode) in [
            ("data", "data", None, None),
            ("data:ro", "data", None, Some("ro")),
            ("data::in:rw", "data", Some("in"), Some("rw")),
            ("data::ro", "data", Some("ro"), None),
            ("a:b", "a:b", None, None),
            (r"x\:ro", "x:ro", None, None),
            (r"x\:ro:ro", "x:ro", None, Some("ro")),
            (r"e\:\:f", "e::f", None, None),
            (r"e\:\:f::g\:\:h:ro", "e::f", Some("g::h"), Some("ro")),
            (r"a\\:ro", r"a\", None, Some("ro")),
            (r"a\b", r"a\b", None, None),
        ] {
            let guest = guest.map(str::to_owned);
            assert_eq!(parsed(text), (host.to_owned(), guest, mode), "{text}");
        }
        for text in ["", "::", "::a", "a::"] {
            let parsed = Mapping::parse(OsStr::new(text), &MODES);
            assert!(parsed.is_err(), "{text}: {parsed:?}");
        }
    }

    #[test]
    fn the_text_of_a_mapping_is_taken_apart_into_the_same() {
        for host in ["x:ro", "e::f", r"\", r"a\:b", ":", "\u{1b}"] {
            for guest in [None, Some("g::h"), Some(r"\:")] {
                for mode in ["", ":ro"] {
                    let text = Mapping::text(Path::new(host), guest, mode);
                    let mapping = Mapping::parse(&text, &MODES).unwrap();
                    assert_eq!(mapping.host, Path::new(host));
                    assert_eq!(mapping.guest.as_deref(), guest);
                    assert_eq!(mapping.mode, mode.strip_prefix(':'));
                }
            }
        }
    }
}
