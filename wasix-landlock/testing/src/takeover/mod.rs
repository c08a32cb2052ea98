//! A runtime that was taken over: system calls that native code makes once it runs in the place of
//! the runtime, by name.
//!
//! Each call names the layer that refuses it: Landlock, with the ABI since which it does; a
//! protection of the second layer; or none. [`table`] shows all calls as Markdown. A test checks
//! each entry on the kernel: without a restriction the call must succeed.
//!
//! ```no_run
//! use wasix_landlock_testing::takeover::{self, Victim};
//!
//! let victim = Victim::new("/tmp/of-this-test".as_ref()).expect("it can be made");
//! // In a child, whose parent is the victim:
//! let targets = victim.targets(std::os::unix::process::parent_id());
//! assert_eq!(takeover::run("chmod", &targets), Some(takeover::Outcome::Done));
//! ```

mod files;
mod kernel;
mod metadata;
mod network;
mod processes;
mod table;
mod targets;

use std::io;

pub use table::table;
pub use targets::{Targets, Victim};

use crate::sys;

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The call did its work.
    Done,
    /// The call was refused, with this error number.
    Refused(i32),
    /// The call can't be tried on this machine, or by this user.
    Unavailable(String),
}

/// The part of Landlock that refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landlock {
    /// An access right for files, which a ruleset that handles every right has since this ABI.
    Files(u32),
    /// Being restricted at all, since this ABI.
    Domain(u32),
    /// An access right for TCP ports, since this ABI, where the policy restricts the network.
    Tcp(u32),
    /// An access right for TCP ports, since this ABI, but in newer kernels only: older ones allow
    /// the call.
    TcpFixed(u32),
    /// An access right for UDP ports, as above.
    Udp(u32),
    /// A scope, since this ABI, where the policy asks for it.
    Scope(u32),
    /// Nothing.
    Nothing,
}

impl Landlock {
    /// The ABI since which Landlock refuses the call; `None` if it never does.
    #[must_use]
    pub const fn since(self) -> Option<u32> {
        match self {
            Self::Files(abi)
            | Self::Domain(abi)
            | Self::Tcp(abi)
            | Self::TcpFixed(abi)
            | Self::Udp(abi)
            | Self::Scope(abi) => Some(abi),
            Self::Nothing => None,
        }
    }
}

/// A call of a runtime that was taken over.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The name.
    pub name: &'static str,
    /// The call's effect, in words.
    pub does: &'static str,
    /// The part of Landlock that refuses the call.
    pub landlock: Landlock,
    /// The protection of the second layer that refuses it, by name.
    pub second: Option<&'static str>,
    /// Another protection that refuses it as well.
    pub also: Option<&'static str>,
    /// True if only root may do it, restriction or not.
    pub only_root: bool,
    run: fn(&Targets) -> Attempt,
}

/// The way in which a call is made: an error number, or the reason why it can't be made here.
type Attempt = Result<(), Trouble>;

#[derive(Debug)]
enum Trouble {
    Refused(i32),
    Unavailable(String),
}

impl From<i32> for Trouble {
    fn from(errno: i32) -> Self {
        Self::Refused(errno)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::Refused(errno),
            None => Self::Unavailable(error.to_string()),
        }
    }
}

/// Error numbers that say that this kernel has no such thing, rather than that it is refused.
const MISSING: [i32; 5] = [
    libc::ENOSYS,
    libc::EOPNOTSUPP,
    libc::EAFNOSUPPORT,
    libc::EPROTONOSUPPORT,
    libc::ENOTTY,
];

impl Call {
    const fn new(
        name: &'static str,
        does: &'static str,
        landlock: Landlock,
        second: Option<&'static str>,
        run: fn(&Targets) -> Attempt,
    ) -> Self {
        Self {
            name,
            does,
            landlock,
            second,
            also: None,
            only_root: false,
            run,
        }
    }

    const fn also(self, protection: &'static str) -> Self {
        Self {
            also: Some(protection),
            ..self
        }
    }

    const fn only_root(self) -> Self {
        Self {
            only_root: true,
            ..self
        }
    }

    /// Makes the call.
    #[must_use]
    pub fn run(&self, targets: &Targets) -> Outcome {
        match (self.run)(targets) {
            Ok(()) => Outcome::Done,
            Err(Trouble::Refused(errno)) => Outcome::Refused(errno),
            Err(Trouble::Unavailable(why)) => Outcome::Unavailable(why),
        }
    }
}

/// True if an error number says that the kernel has no such thing.
#[must_use]
pub fn is_missing(errno: i32) -> bool {
    MISSING.contains(&errno)
}

/// Every call.
pub fn calls() -> impl Iterator<Item = &'static Call> {
    [
        files::CALLS,
        metadata::CALLS,
        processes::CALLS,
        network::CALLS,
        kernel::CALLS,
    ]
    .into_iter()
    .flatten()
}

/// Makes a call by its name; `None` if there is no such call.
#[must_use]
pub fn run(name: &str, targets: &Targets) -> Option<Outcome> {
    calls()
        .find(|call| call.name == name)
        .map(|call| call.run(targets))
}

/// Runs a body in a forked child of the calling process, which thereby becomes the victim, and
/// returns what the child wrote.
///
/// # Errors
///
/// What the kernel said; the body's panic is one as well.
pub fn in_a_child(victim: &Victim, body: impl FnOnce(&Targets) -> String) -> io::Result<String> {
    use std::{
        io::{Read, Seek, Write},
        panic::{self, AssertUnwindSafe},
    };

    let mut output = tempfile(&victim.directory)?;
    let ended = sys::fork(|| {
        let targets = victim.targets(std::os::unix::process::parent_id());
        panic::catch_unwind(AssertUnwindSafe(|| body(&targets)))
            .is_ok_and(|text| output.write_all(text.as_bytes()).is_ok())
    })?;
    if !ended {
        return Err(io::Error::other("the child failed"));
    }
    let mut text = String::new();
    output.rewind()?;
    output.read_to_string(&mut text)?;
    Ok(text)
}

fn tempfile(directory: &std::path::Path) -> io::Result<std::fs::File> {
    std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(directory.join("outcomes"))
}
