//! The error of a policy that comes second.

use std::{fmt, path::PathBuf};

use crate::{Access, Protection, RESERVE_VARIABLE, Right, SCOPE_VARIABLE, names::list};

/// A gap between a policy and the one that restricts this process, or the thread's instance, already.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotWithin {
    /// The path isn't granted.
    #[error(
        "{preopen}: {path:?} ({asked}) is outside the grants of this process: {reason}; {}grant the \
         path in the first build, or use a process per policy",
        Operated(reserve.as_deref())
    )]
    Path {
        /// The builder call and the guest path, or the reason of a runtime path.
        preopen: String,
        /// The host path.
        path: PathBuf,
        /// The access that was asked for.
        asked: Access,
        /// The rights that no enforced grant covers; empty when the kernel said no although our
        /// record says yes.
        missing: Box<[Right]>,
        /// The reason, in words.
        reason: Box<str>,
        /// The value of [`RESERVE_VARIABLE`] that would grant the path in the first build; `None` where the operator's
        /// variables don't count.
        reserve: Option<Box<str>>,
    },

    /// A required protection isn't enforced.
    #[error(
        "this process was restricted without `{protection}`, which this policy requires; require \
         it in the first policy, or make it optional in this one"
    )]
    Protection {
        /// The protection.
        protection: Protection,
    },

    /// The ports aren't granted.
    #[error(
        "the ports ({}) are outside the grants of this process; grant them in the first build, or \
         use a process per policy",
        list(ports, ", ")
    )]
    Ports {
        /// The ports that aren't granted, in words.
        ports: Vec<String>,
    },
}

/// The part of a message that says what the operator can do, with the value of [`RESERVE_VARIABLE`].
struct Operated<'v>(Option<&'v str>);

impl fmt::Display for Operated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = self.0 else {
            return Ok(());
        };
        write!(
            f,
            "set {RESERVE_VARIABLE}={value} to grant all of that to every module, or {SCOPE_VARIABLE}=instance to \
             restrict each environment by itself; in the program, "
        )
    }
}
