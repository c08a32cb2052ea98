//! What is open when a policy is enforced.

use std::collections::BTreeSet;

/// What becomes of the descriptors that are open when a policy is enforced.
///
/// No restriction touches what is open already: whoever takes the process over can go on reading a
/// file that the program had open. The standard streams are left alone by all of these, and so are
/// this crate's own descriptors.
///
/// ```
/// use std::collections::BTreeSet;
/// use wasix_landlock::{Inherited, Policy};
///
/// // A socket that the service manager has passed as number 3 may be open, and nothing else.
/// let allowed = BTreeSet::from([3]);
/// let policy = Policy::default().inherited(Inherited::Refuse { allowed });
/// # drop(policy);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inherited {
    /// They stay open, and the report lists them.
    #[default]
    Report,
    /// An error that names them, before anything is restricted, if one is a file, directory,
    /// socket, pipe or device that isn't in this set. Socket pairs, timers, counters and the like
    /// that the process made for itself are not meant.
    Refuse {
        /// Descriptors that may be open.
        allowed: BTreeSet<i32>,
    },
    /// Those are closed that a program which is executed would get too, other than these. They came
    /// from the process that started this one, as what Rust opens isn't passed on.
    ///
    /// One that is in use by a part of the program, such as a socket that a service manager passed
    /// in, has to be in this set: see [`Inherited::Close`].
    CloseInherited {
        /// Descriptors that stay open.
        kept: BTreeSet<i32>,
    },
    /// These are closed.
    ///
    /// Closing a descriptor that a part of the program still uses is an error in that program: its
    /// number is given to whatever is opened next, which is then read, written and closed in the
    /// place of what it was. So don't name one that a `File`, `OwnedFd` or runtime owns; drop that
    /// instead.
    Close(BTreeSet<i32>),
}
