//! The restriction and the resource limits of a worker.

use wasix_landlock::{Level, Network, Protection};

use super::Request;

/// The restriction of the worker. The worker is alone in its process, so every request is hardened and has no network
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
    /// Turns hardening off or on: every protection that a WASI runtime can work under, as `Policy::harden` requires them.
    /// The worker itself needs none of the calls that they refuse.
    pub fn harden(mut self, harden: bool) -> Self {
        self.harden = harden;
        self
    }

    /// Sets the level of a protection, as `Policy::protect` does.
    pub fn protect(mut self, protection: Protection, level: Level) -> Self {
        self.levels.insert(protection, level);
        self
    }

    /// Makes a protection optional, as `Policy::optional` does.
    pub fn optional(self, protection: Protection) -> Self {
        self.protect(protection, Level::Degradable)
    }

    /// Makes a missing protection an error, as `Policy::require` does.
    pub fn require(self, protection: Protection) -> Self {
        self.protect(protection, Level::Strict)
    }

    /// Turns a protection off, as `Policy::without` does.
    pub fn without(self, protection: Protection) -> Self {
        self.protect(protection, Level::Off)
    }

    /// Grants these ports to the worker's process and to the module. By default there is no network, hardened or not.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Limits the private writable memory of the worker, in bytes (`RLIMIT_DATA`). The worker itself needs about 30 MiB,
    /// and more while it compiles.
    ///
    /// Beyond the limit, `memory.grow` returns -1 to the module. If the worker itself needs more, it aborts.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(bytes);
        self
    }

    /// Limits the size of each file that the worker writes, in bytes (`RLIMIT_FSIZE`). The limit includes standard output
    /// and error if they are files.
    ///
    /// A module that writes beyond the limit gets an error.
    pub fn file_size(mut self, bytes: u64) -> Self {
        self.limits.file_size = Some(bytes);
        self
    }

    /// Limits the threads that the worker's *user* may have when the worker starts one (`RLIMIT_NPROC`). The limit counts
    /// the threads and processes of other workers and of the host, if they run as the same user. It doesn't apply to
    /// root.
    ///
    /// A worker can start threads only: it never starts a process, whatever this limit is.
    pub fn tasks(mut self, tasks: u64) -> Self {
        self.limits.tasks = Some(tasks);
        self
    }
}
