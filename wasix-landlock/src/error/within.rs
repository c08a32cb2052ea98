//! The error of a policy that comes second.

use std::path::PathBuf;

use crate::{Access, Protection, Right, names::list};

/// A gap between a policy and the one that restricts this process, or the thread's instance, already.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotWithin {
    /// The path isn't granted.
    #[error(
        "{preopen}: {path:?} ({asked}) is outside the grants of this process: {reason}; grant the \
         path in the first build, or use a process per policy"
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
        missing: Vec<Right>,
        /// The reason, in words.
        reason: String,
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
