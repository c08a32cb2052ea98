use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wasix_landlock_testing::descriptors::PassedRing;

/// Settings of a subject: its only argument, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Tells one run's subject from every other process.
    pub token: String,
    /// The directory that is granted, for reading.
    pub granted: PathBuf,
    /// A directory within it, with a file for each attempt.
    pub inside: PathBuf,
    /// A directory with a file for each attempt that is not granted.
    pub secrets: PathBuf,
    /// Opens the secrets for writing, since everything may be read.
    pub write: bool,
    /// Threads besides the main one.
    pub threads: usize,
    /// Enforces the policy. The control is a run without.
    pub enforce: bool,
    /// Hardens the policy.
    pub harden: bool,
    /// Has the policy refuse what is open and gives a way out.
    pub refuse: bool,
    /// The subject's additional behaviour.
    pub with: With,
}

impl Settings {
    /// The number of attempts: of each thread, of a thread that each of them starts afterwards, and the special
    /// one.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.special() + usize::from(self.with.tries())
    }

    /// The number of the attempt that isn't an ordinary thread's.
    #[must_use]
    pub fn special(&self) -> usize {
        2 * (self.threads + 1)
    }
}

/// The behaviour of a subject besides starting threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum With {
    /// Nothing.
    #[default]
    Nothing,
    /// The process becomes a daemon; the parent ends so many microseconds after the policy began to be enforced.
    Daemon(u64),
    /// All descriptors but so many are used when the policy is enforced.
    FreeDescriptors(u64),
    /// A thread blocks all signals that the C library lets a program block.
    ThreadThatBlocksSignals,
    /// A thread blocks all signals by the system call.
    ThreadThatBlocksEverySignal,
    /// A thread sets the group of the process all the time, which the C library does by a signal to each thread; another
    /// one blocks all signals that a program can block.
    ThreadThatSetsTheGroup,
    /// A thread takes the last real-time signal by `sigwait(3)`.
    ThreadThatTakesASignal,
    /// A thread takes all signals by `sigwait(3)`.
    ThreadThatTakesAllSignals,
    /// A thread waits for its child as `vfork(2)` does.
    ThreadInVfork,
    /// The C library's helper thread waits for a timer.
    HelperTimer,
    /// A kernel thread polls an io_uring of this process.
    PolledRing,
    /// An io_uring was inherited, with a personality that is registered in it.
    InheritedRing(PassedRing, u16),
    /// An io_uring that a kernel thread polls was inherited from the parent, which has the paths of the file inside and of
    /// the secret at these addresses.
    ParentsRing(PassedRing, [u64; 2]),
}

impl With {
    /// Says that there is an attempt of its own kind.
    #[must_use]
    pub const fn tries(self) -> bool {
        !matches!(
            self,
            Self::Nothing | Self::Daemon(_) | Self::FreeDescriptors(_)
        )
    }
}

/// A line that a subject writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// All threads of the process with this number are there, and nothing is enforced yet. The number is the one in the
    /// process's own PID namespace.
    Ready(u32),
    /// The library's answer.
    Claimed(Claim),
    /// The attempts.
    Tried(Vec<Tried>),
    /// Something that nobody has asked for happened to the program.
    Disturbed(String),
}

/// The library's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// Nobody asked.
    Control,
    /// The policy is enforced.
    Enforced,
    /// The policy is refused.
    Refused {
        /// The error.
        text: String,
        /// Set if the error says that the process must end.
        must_end: bool,
    },
}

/// An attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// The number.
    pub index: usize,
    /// The thread that made it, in words.
    pub who: String,
    /// The error number from opening the file inside.
    pub inside: Option<i32>,
    /// The error number from opening the secret.
    pub secret: Option<i32>,
}
