//! Errors of profiles. Each names the key of a profile's file.

use std::path::{Path, PathBuf};

/// An error of reading, writing or applying a profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The file, or one that it extends, can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The text is not a profile: not TOML, an unknown key, or a value of the wrong type.
    #[error("the text is not a profile: {0}")]
    Parse(#[from] toml::de::Error),
    /// The profile has no form as text.
    #[error("the profile can't be written: {0}")]
    Write(#[from] toml::ser::Error),
    /// An argument that can't be given to a module.
    #[error("`arguments[{index}]` {problem}")]
    Argument {
        /// The place, from 0.
        index: usize,
        /// The problem.
        problem: &'static str,
    },
    /// A variable that can't be given to a module.
    #[error("`{key}`: the environment variable `{}` {problem}", name.escape_debug())]
    Variable {
        /// The key: `environment` or `environment-from-host`.
        key: &'static str,
        /// The name of the variable.
        name: String,
        /// The problem.
        problem: &'static str,
    },
    /// A preopen that can't be made.
    #[error("`preopen[{index}].{}`: {source}", source.key())]
    Preopen {
        /// The place, from 0.
        index: usize,
        /// The problem.
        source: PreopenError,
    },
    /// Two settings that exclude each other.
    #[error("`{key}` {problem}")]
    Conflict {
        /// One of the keys.
        key: &'static str,
        /// The problem, with the other key.
        problem: &'static str,
    },
}

/// An error of reading a profile or a ceiling from a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The text is no TOML, or has an unknown key or a value of the wrong type.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Parse {
        /// The file; empty for a text.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The problem.
        message: String,
    },
    /// A file extends itself, through others or directly.
    #[error("a file can't extend itself: {}", joined(chain))]
    Cycle {
        /// The files, each extended by the one before; the last one is in the chain already.
        chain: Vec<PathBuf>,
    },
    /// A file and its base together are not a profile.
    #[error("{}: together with the file that it extends, this is not a profile: {message}", path.display())]
    Merge {
        /// The file.
        path: PathBuf,
        /// The problem.
        message: String,
    },
    /// The directory has no file to read.
    #[error("the directory {} has no file `*.toml`: write one, or name a file", directory.display())]
    Empty {
        /// The directory.
        directory: PathBuf,
    },
    /// A text extends a file.
    #[error("`extends` counts from the folder of a file, and this is a text: load a file instead")]
    NoFile,
}

impl FileError {
    pub(crate) fn parse(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let before = before.unwrap_or_default();
        let line_before = before.rsplit('\n').next().unwrap_or_default();
        Self::Parse {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: line_before.chars().count() + 1,
            message: error.message().to_owned(),
        }
    }
}

fn joined(files: &[PathBuf]) -> String {
    let files: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    files.join(" extends ")
}

/// A preopen that can't be made, found without a look at the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreopenError {
    /// The preopen has no host path.
    #[error("a preopen needs a host path: call `path` for a file or `directory`")]
    NoHost,
    /// The preopen is neither named a file nor a directory.
    #[error("the preopen `{}` has to be a file or a directory", host.display())]
    NoKind {
        /// The host path.
        host: PathBuf,
    },
    /// The preopen allows nothing.
    #[error("the preopen `{}` allows nothing: set at least one of read, write, create", host.display())]
    NoAccess {
        /// The host path.
        host: PathBuf,
    },
    /// The host path can't be its own name inside.
    #[error(
        "the host path `{}` is not UTF-8, so it can't be its own name inside: give it an alias",
        host.display()
    )]
    NotUtf8 {
        /// The host path.
        host: PathBuf,
    },
    /// The name inside can't be used.
    #[error("the name of the preopen `{}` {problem}", guest.escape_debug())]
    Guest {
        /// The name.
        guest: String,
        /// The problem.
        problem: &'static str,
    },
}

impl PreopenError {
    /// The key in the table of the preopen.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::NoHost | Self::NotUtf8 { .. } => "host",
            Self::NoKind { .. } => "kind",
            Self::NoAccess { .. } => "read",
            Self::Guest { .. } => "guest",
        }
    }
}
