//! The scope of a restriction.

use serde::{Deserialize, Serialize};

/// The scope of a policy.
///
/// | scope | what is restricted | a bug in the WASI layer reaches | native code that took over reaches |
/// |---|---|---|---|
/// | process | every thread of the process | what the process was granted | the same |
/// | instance | one thread, and the threads that it starts | what the instance was granted | **everything that the process can reach**: threads share their memory |
/// | worker | every thread of a process that is there for one instance | what the instance was granted | the same |
///
/// So: *process* for one module per process; *instance* for several modules that are trusted not to break out of
/// the compiler's sandbox, in a process that itself stays free; *worker* for tenants that don't trust each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scope {
    /// Every thread of this process, now and later. The default.
    #[default]
    Process,
    /// The calling thread, and every thread and process that it starts from then on, directly or not. The other
    /// threads of the process stay as they are.
    ///
    /// The threads that it started before are not reached, so it should be restricted before it starts any; and work
    /// that it hands over to a thread of somebody else's, such as one of a pool, runs there unrestricted.
    ///
    /// This scope stops bugs in the WASI layer, not native code, which can write into the memory of
    /// a thread that isn't restricted.
    Instance,
    /// As [`Scope::Process`], in a process that was started for one instance: the report says so.
    Worker,
}
