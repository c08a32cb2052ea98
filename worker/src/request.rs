//! A request to a worker: the module to run, and its grants.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use wasix_landlock::{Mode, ModeError};
use wasix_landlock_profile::{Compiler, Profile};

/// The source of the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    File(PathBuf),
    /// In the frame that follows.
    Follows,
}

/// The resource limits of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResourceLimits {
    pub(crate) memory: Option<u64>,
    pub(crate) file_size: Option<u64>,
    pub(crate) tasks: Option<u64>,
}

/// The most bytes of an artifact unless the request says otherwise.
const LARGEST_ARTIFACT: u64 = 256 << 20;

/// A request to run one module once. Its [profile](Request::profile) has what the module gets; the rest is about the
/// process, which is hardened unless the request says otherwise.
///
/// ```
/// use wasix_landlock_worker::{Compiler, Network, Profile, Protection, Level, Request};
///
/// let profile = Profile::as_without()
///     .argument("--quality=80")
///     .environment("LANG", "C")
///     .preopen(|p| p.directory("/srv/a/in").alias("/in").read(true))?
///     .preopen(|p| p.path("/srv/a/out.png").alias("/out.png").create(true))?
///     .network(Network::none().connect(443))
///     .protect(Protection::ResolveUnix, Level::Strict) // needs Linux 7.1
///     .protect(Protection::SignalScope, Level::Degradable) // Linux 6.10 will do
///     .protect(Protection::AbstractSocketScope, Level::Degradable);
/// let request = Request::module_file("/srv/modules/convert.wasm")
///     .profile(profile)
///     .compiler(Compiler::Singlepass)
///     .memory(256 << 20)
///     .file_size(16 << 20)
///     .tasks(200);
/// # drop(request);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a launcher runs it"]
pub struct Request {
    pub(crate) source: Source,
    #[serde(skip)]
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) artifact: bool,
    pub(crate) give_artifact: bool,
    pub(crate) largest_artifact: u64,
    pub(crate) compiler: Compiler,
    pub(crate) program: String,
    pub(crate) profile: Profile,
    pub(crate) harden: bool,
    pub(crate) limits: ResourceLimits,
    pub(crate) input: bool,
    /// The host's process, which the worker compares with its parent.
    pub(crate) host: u32,
    #[serde(skip)]
    pub(crate) mode: Option<Mode>,
}

impl Request {
    fn new(source: Source, bytes: Arc<[u8]>, artifact: bool) -> Self {
        Self {
            source,
            bytes,
            artifact,
            give_artifact: false,
            largest_artifact: LARGEST_ARTIFACT,
            compiler: Compiler::default(),
            program: "module".to_owned(),
            profile: Profile::as_without(),
            harden: true,
            limits: ResourceLimits::default(),
            input: false,
            host: 0,
            mode: None,
        }
    }

    /// A module in binary form, in a file that the worker reads before it is restricted.
    pub fn module_file(path: impl AsRef<Path>) -> Self {
        Self::new(Source::File(absolute(path.as_ref())), Arc::default(), false)
    }

    /// A module, in binary form.
    pub fn module(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Source::Follows, bytes.into().into(), false)
    }

    /// A compiled module: what Wasmer's `Module::serialize` returned, or a worker gave back.
    ///
    /// An artifact is native code: **take it from the host's own compiler, or from a worker of the same tenant.** It has
    /// to come from the same version of Wasmer, with any compiler.
    pub fn artifact(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Source::Follows, bytes.into().into(), true)
    }

    /// As [`artifact`](Self::artifact), in a file.
    pub fn artifact_file(path: impl AsRef<Path>) -> Self {
        Self::new(Source::File(absolute(path.as_ref())), Arc::default(), true)
    }

    /// Makes the worker return the compiled module before it runs the module. The host accepts at most 256 MiB, unless
    /// [`largest_artifact`](Self::largest_artifact) says otherwise.
    pub fn give_artifact(mut self) -> Self {
        self.give_artifact = true;
        self
    }

    /// Sets the largest artifact that the host accepts, in bytes. This bounds the memory that a worker can make the host
    /// use. The host ends a worker that sends more. An artifact is several times as large as its module.
    pub fn largest_artifact(mut self, bytes: u64) -> Self {
        self.largest_artifact = bytes;
        self
    }

    /// The compiler of the module.
    pub fn compiler(mut self, compiler: Compiler) -> Self {
        self.compiler = compiler;
        self
    }

    /// Sets the name that the module sees as its own; `module` by default.
    pub fn program(mut self, name: impl Into<String>) -> Self {
        self.program = name.into();
        self
    }

    /// Sets what the module gets; [`Profile::as_without`] unless said: no argument, variable, file and port, and all of
    /// WASI's functions without a limit.
    ///
    /// [`Stream::Inherit`](wasix_landlock_profile::Stream::Inherit) leads to the streams that the worker is started
    /// with; input and output in memory have no form in a request. The host's variables and host paths are looked up by
    /// the host, when the worker is started.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Turns hardening off or on, besides what the profile says: every protection that a WASI runtime can work under, as
    /// `Policy::harden` requires them. The worker is alone in its process and needs none of the calls that they refuse, so
    /// hardening is on by default. Without hardening, signals and abstract sockets don't end at the process either, unless
    /// the profile names them.
    ///
    /// One protection is turned off by the profile, such as
    /// `protect(`[`Protection::Metadata`](crate::Protection::Metadata)`, `[`Level::Off`](crate::Level::Off)`)`.
    pub fn harden(mut self, harden: bool) -> Self {
        self.harden = harden;
        self
    }

    /// Limits the private writable memory of the worker, in bytes (`RLIMIT_DATA`). The worker itself needs about 30 MiB,
    /// and more while it compiles. The profile's `memory-pages` limits each memory of the module.
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

    /// Sets the mode. By default the host's environment decides.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// The mode that was set, or the one of this process's environment.
    pub(crate) fn mode_or_env(&self) -> Result<Mode, ModeError> {
        self.mode.map_or_else(Mode::from_env, Ok)
    }
}

/// Makes a path absolute, since the worker has another current directory. An empty path stays empty, and the worker
/// refuses it.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
