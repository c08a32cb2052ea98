//! The way in which a worker is restricted, and how much it may take.

use wasix_landlock::{Level, Network, Protection};

use super::Request;

/// The way in which the worker is restricted. It is on its own in its process, so every request is hardened and without network
/// unless it says otherwise.
///
/// ```
/// use wasix_landlock_worker::{Network, Protection, Request};
///
/// let request = Request::module_file("/srv/modules/fetch.wasm")
///     .network(Network::none().connect(443))
///     .require(Protection::ResolveUnix) // needs Linux 7.1
///     .optional(Protection::SignalScope) // Linux 6.10 will do
///     .optional(Protection::AbstractSocketScope)
///     .file_size(1 << 20)
///     .tasks(200);
/// # drop(request);
/// ```
impl Request {
    /// Turns hardening off, or on again: every protection that a WASI runtime can live with, as `Policy::harden`
    /// requires them. A worker's own work needs none of what they refuse.
    pub fn harden(mut self, harden: bool) -> Self {
        self.harden = harden;
        self
    }

    /// Says how much a protection is wanted, as `Policy::protect` does.
    pub fn protect(mut self, protection: Protection, level: Level) -> Self {
        self.levels.insert(protection, level);
        self
    }

    /// Lets a kernel do without this protection, as `Policy::optional` does.
    pub fn optional(self, protection: Protection) -> Self {
        self.protect(protection, Level::Degradable)
    }

    /// Makes it an error when this protection can't be had, as `Policy::require` does.
    pub fn require(self, protection: Protection) -> Self {
        self.protect(protection, Level::Strict)
    }

    /// Does without this protection, as `Policy::without` does.
    pub fn without(self, protection: Protection) -> Self {
        self.protect(protection, Level::Off)
    }

    /// Grants these ports to the worker's process and to the module. Without this there is no network, hardened or not.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// The way in which much memory the worker may have, in bytes: private writable memory, the kernel's `RLIMIT_DATA`. The
    /// worker itself takes about 30 MiB, and more while it compiles.
    ///
    /// A module that asks for more gets -1 of `memory.grow`; where the worker itself needs more, it aborts.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(bytes);
        self
    }

    /// The way in which large a file may become that the worker writes to, in bytes: the kernel's `RLIMIT_FSIZE`. It counts for
    /// each file, standard output and error included where these are files.
    ///
    /// A module that writes beyond it gets an error.
    pub fn file_size(mut self, bytes: u64) -> Self {
        self.limits.file_size = Some(bytes);
        self
    }

    /// The number of threads and processes the worker's *user* may have while the worker starts one: the kernel's
    /// `RLIMIT_NPROC`. It counts those of other workers and of the host, if they are the same user's, and doesn't
    /// hold for root.
    ///
    /// It is threads that this bounds: a worker can't start any process, whatever is said here.
    pub fn tasks(mut self, tasks: u64) -> Self {
        self.limits.tasks = Some(tasks);
        self
    }
}
