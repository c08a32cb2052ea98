//! The limits of a module, and the reaction when one is reached.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $code:expr, $key:ident, $text:literal;)*) => {
        /// A limit of a module. Most of them end the module that reaches them, all of its threads and child processes,
        /// with an exit code of its own. Memory, tables and descriptors only don't grow: the module gets the error that
        /// WebAssembly and WASI have for that.
        ///
        /// The codes 112 to 118 are free of other meanings: the error numbers of WASI, with which upstream ends
        /// programs, and those of `sysexits.h` lie below, `timeout`, the shell's and signals from 124 on. A module can
        /// exit with one of them by itself; `WasiEnv::limit_reached` and `WasiEnvBuilder::on_limit` of `wasmer-wasix`
        /// tell it apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Limit { $( $(#[$doc])* $name, )* }

        impl Limit {
            /// Every limit.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The exit code of a module that the limit has ended; `None` for one that ends no module.
            ///
            /// [Example](Limits#example).
            #[must_use]
            pub const fn exit_code(self) -> Option<i32> {
                match self { $( Self::$name => $code, )* }
            }

            /// The key in a profile's table `limits`, with dashes.
            ///
            /// [Example](Limits#example).
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }
        }

        impl Limits {
            /// Returns the value of a limit; `None` if there is none.
            ///
            /// [Example](Limits#example).
            #[must_use]
            pub fn of(&self, limit: Limit) -> Option<u64> {
                match limit { $( Limit::$name => self.$key.map(u64::from), )* }
            }

            /// Sets a limit. More than a field of 32 bits can hold is none.
            ///
            /// [Example](Limits#example).
            pub fn set(&mut self, limit: Limit, most: u64) {
                match limit { $( Limit::$name => self.$key = most.try_into().ok(), )* }
            }
        }
    };
}

limits! {
    /// Pages of a memory. `memory.grow` beyond it is -1.
    Memory = None, memory_pages, "memory-pages";
    /// Elements of a table. `table.grow` beyond it is -1.
    Table = None, table_elements, "table-elements";
    /// As many instructions were executed as it may. Exit code 112.
    Instructions = Some(112), instructions, "instructions";
    /// The time is over. Exit code 113.
    WallClock = Some(113), wall_clock_ms, "wall-clock-ms";
    /// One thread more than it may have at a time. Exit code 114.
    Threads = Some(114), threads, "threads";
    /// One child process more than it may start. Exit code 115.
    Processes = Some(115), processes, "processes";
    /// Open descriptors. One more is `EMFILE`.
    Descriptors = None, descriptors, "descriptors";
    /// More was to be written to files. Exit code 117.
    DiskBytes = Some(117), disk_bytes, "disk-bytes";
    /// More was to be written to standard output and error. Exit code 118.
    StreamBytes = Some(118), stream_bytes, "stream-bytes";
}

impl Limit {
    /// The limit with this name.
    ///
    /// [Example](Limits#example).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|limit| limit.name() == name)
    }

    /// The limit with this exit code.
    ///
    /// [Example](Limits#example).
    #[must_use]
    pub fn from_exit_code(code: i32) -> Option<Self> {
        let all = Self::ALL.iter().copied();
        all.into_iter()
            .find(|limit| limit.exit_code() == Some(code))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The limits of a module. `None` is no limit; only the number of descriptors has one unless it is set, and the
/// groups of threads and processes are off unless they are allowed.
///
/// A limit that is reached ends the module: the call that asked for more does nothing or fails, and the module ends
/// there, or with its next call of WASI. So does, where the limit is of time, a module that waits. A runner returns at
/// once. Memory, tables and descriptors are different: the call fails, as at the end of memory or of the descriptors of
/// any process, and the module goes on.
///
/// A thread that computes and calls nothing is ended by `instructions`, and with the feature `host-interrupt` at every
/// limit: the module's function ends with a trap. That is Wasmer's `experimental-host-interrupt`, which takes `SIGUSR1`
/// for itself and looks into a table at each call; nobody else may send that signal. Without it, `wall_clock` without
/// `instructions` is a warning in the report: a runner returns at the deadline and leaves such a thread behind,
/// computing, and a program that calls the module's function by itself goes on waiting. So does, with either, one that
/// waits in a call of the host's which nothing wakes, such as a read of a fifo. A process around it, as the crate
/// `wasix-landlock-worker` makes one, can be ended at any time, and the program `wasix-landlock` ends its own.
///
/// `memory_pages` and `table_elements` are limits of the engine, and `instructions` is built into the module when it is
/// compiled: the crate `wasix-landlock-engine` makes such engines. A module is refused whose engine or code is without a
/// limit of its profile, and so is, with `instructions`, one that is dynamically linked. A module that needs more memory
/// to start than it may have isn't instantiated.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wasix_landlock_profile::{Limit, Limits};
///
/// let mut limits = Limits::default();
/// assert_eq!(limits.of(Limit::Descriptors), Some(1024));
/// limits
///     .memory_pages(256) // 16 MiB
///     .table_elements(1000)
///     .instructions(1_000_000_000)
///     .wall_clock(Duration::from_secs(10))
///     .threads(4)
///     .processes(0)
///     .descriptors(16)
///     .disk_bytes(1 << 20)
///     .stream_bytes(1 << 16);
/// assert!(Limit::ALL.iter().all(|limit| limits.of(*limit).is_some()));
///
/// // By name, as a command line has it, and by the exit code of a module that was ended.
/// let limit = Limit::named("wall-clock-ms").expect("it is the name of a limit");
/// limits.set(limit, 500);
/// assert_eq!(limits.wall_clock_ms, Some(500));
/// assert_eq!(limit.exit_code(), Some(113));
/// assert_eq!(Limit::from_exit_code(113), Some(limit));
/// assert_eq!(Limit::Descriptors.exit_code(), None);
///
/// assert_eq!(Limits::none().of(Limit::Descriptors), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Limits {
    /// Pages of 64 KiB that each memory may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_pages: Option<u32>,
    /// Elements that each table may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_elements: Option<u32>,
    /// Instructions of WebAssembly, each of them one, whatever it does. A thread that is started gets a part of what its
    /// starter has left, one in `threads` + 1, or in 16; what it leaves behind is there for the next one that is
    /// started. It can't go together with child processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
    /// Milliseconds from `build()` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_clock_ms: Option<u64>,
    /// Threads at a time beside the first one of each process, all processes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Child processes in all, those that have ended too: upstream keeps a record of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Descriptors that a process may have open at a time, the three streams and the preopens included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<u32>,
    /// Bytes written to files, on the host and in memory, also over what was there; and what `fd_allocate` and a
    /// change of size add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Bytes written to standard output and standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_bytes: Option<u64>,
}

/// As many descriptors as POSIX systems give a process by default.
const DESCRIPTORS: u32 = 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            descriptors: Some(DESCRIPTORS),
            ..Self::none()
        }
    }
}

impl Limits {
    /// Nothing is limited.
    ///
    /// [Example](Limits#example).
    #[must_use]
    pub const fn none() -> Self {
        Self {
            memory_pages: None,
            table_elements: None,
            instructions: None,
            wall_clock_ms: None,
            threads: None,
            processes: None,
            descriptors: None,
            disk_bytes: None,
            stream_bytes: None,
        }
    }

    /// Limits each memory to so many pages of 64 KiB.
    ///
    /// [Example](Limits#example).
    pub fn memory_pages(&mut self, pages: u32) -> &mut Self {
        self.memory_pages = Some(pages);
        self
    }

    /// Limits each table to so many elements.
    ///
    /// [Example](Limits#example).
    pub fn table_elements(&mut self, elements: u32) -> &mut Self {
        self.table_elements = Some(elements);
        self
    }

    /// Limits the instructions that are executed.
    ///
    /// [Example](Limits#example).
    pub fn instructions(&mut self, instructions: u64) -> &mut Self {
        self.instructions = Some(instructions);
        self
    }

    /// Limits the time from `build()` on, to whole milliseconds.
    ///
    /// [Example](Limits#example).
    pub fn wall_clock(&mut self, time: Duration) -> &mut Self {
        self.wall_clock_ms = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Limits the threads at a time.
    ///
    /// [Example](Limits#example).
    pub fn threads(&mut self, threads: u32) -> &mut Self {
        self.threads = Some(threads);
        self
    }

    /// Limits the child processes that are started.
    ///
    /// [Example](Limits#example).
    pub fn processes(&mut self, processes: u32) -> &mut Self {
        self.processes = Some(processes);
        self
    }

    /// Limits the open descriptors of a process.
    ///
    /// [Example](Limits#example).
    pub fn descriptors(&mut self, descriptors: u32) -> &mut Self {
        self.descriptors = Some(descriptors);
        self
    }

    /// Limits what is written to files.
    ///
    /// [Example](Limits#example).
    pub fn disk_bytes(&mut self, bytes: u64) -> &mut Self {
        self.disk_bytes = Some(bytes);
        self
    }

    /// Limits what is written to standard output and error.
    ///
    /// [Example](Limits#example).
    pub fn stream_bytes(&mut self, bytes: u64) -> &mut Self {
        self.stream_bytes = Some(bytes);
        self
    }
}
