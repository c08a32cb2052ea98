//! The compilers of modules, by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A compiler of modules that this project is tested with.
///
/// ```
/// use wasix_landlock_profile::Compiler;
///
/// assert_eq!("singlepass".parse(), Ok(Compiler::Singlepass));
/// assert_eq!(Compiler::default().to_string(), "cranelift");
/// assert!("llvm".parse::<Compiler>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compiler {
    /// Slower to compile, faster code. The default.
    #[default]
    Cranelift,
    /// Faster to compile, slower code.
    Singlepass,
}

impl Compiler {
    /// Every compiler.
    pub const ALL: [Self; 2] = [Self::Cranelift, Self::Singlepass];

    /// The name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cranelift => "cranelift",
            Self::Singlepass => "singlepass",
        }
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of no compiler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no compiler `{0}`: use `cranelift` or `singlepass`")]
pub struct CompilerError(String);

impl FromStr for Compiler {
    type Err = CompilerError;

    fn from_str(name: &str) -> Result<Self, CompilerError> {
        let named = Self::ALL.into_iter().find(|known| known.name() == name);
        named.ok_or_else(|| CompilerError(name.to_owned()))
    }
}
