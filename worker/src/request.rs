//! A request to a worker: the module to run, and its grants.

mod policy;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use wasix_landlock::{Access, Level, Mode, Network, Protection};

/// A compiler of modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compiler {
    /// Slower to compile, faster code. The default.
    #[default]
    Cranelift,
    /// Faster to compile, slower code.
    Singlepass,
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cranelift => "cranelift",
            Self::Singlepass => "singlepass",
        })
    }
}

impl FromStr for Compiler {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Cranelift, Self::Singlepass]
            .into_iter()
            .find(|compiler| compiler.to_string() == name)
            .ok_or_else(|| format!("`{name}` is no compiler: use `cranelift` or `singlepass`"))
    }
}

/// A host file or directory that the module may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Preopen {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
    pub(crate) file: bool,
    pub(crate) access: Access,
}

/// The source of the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    File(PathBuf),
    /// In the frame that follows.
    Follows,
}

/// The resource limits of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    pub(crate) memory: Option<u64>,
    pub(crate) file_size: Option<u64>,
    pub(crate) tasks: Option<u64>,
}

/// The most bytes of an artifact unless the request says otherwise.
const LARGEST_ARTIFACT: u64 = 256 << 20;

/// A request to run one module once. The module gets only what the request names: arguments, variables, files and
/// ports. The worker is hardened unless the request says otherwise.
///
/// ```
/// use wasix_landlock_worker::{Access, Compiler, Request};
///
/// let request = Request::module_file("/srv/modules/convert.wasm")
///     .compiler(Compiler::Singlepass)
///     .argument("--quality=80")
///     .variable("LANG", "C")
///     .directory("/srv/a/in", "/in", Access::READ)
///     .file("/srv/a/out.png", "/out.png", Access::CREATE.union(Access::WRITE))
///     .memory(256 << 20)
///     .file_size(16 << 20);
/// # drop(request);
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
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) preopens: Vec<Preopen>,
    pub(crate) harden: bool,
    pub(crate) levels: BTreeMap<Protection, Level>,
    pub(crate) network: Network,
    pub(crate) limits: Limits,
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
            arguments: Vec::new(),
            variables: Vec::new(),
            preopens: Vec::new(),
            harden: true,
            levels: BTreeMap::new(),
            network: Network::none(),
            limits: Limits::default(),
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

    /// Adds an argument.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds an environment variable.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Grants a host directory, which the module sees as `guest`.
    pub fn directory(
        self,
        host: impl AsRef<Path>,
        guest: impl Into<String>,
        access: Access,
    ) -> Self {
        self.preopen(host.as_ref(), guest.into(), false, access)
    }

    /// Grants a single host file, which the module sees as `guest`. With [`Access::create`] it need not exist.
    pub fn file(self, host: impl AsRef<Path>, guest: impl Into<String>, access: Access) -> Self {
        self.preopen(host.as_ref(), guest.into(), true, access)
    }

    fn preopen(mut self, host: &Path, guest: String, file: bool, access: Access) -> Self {
        self.preopens.push(Preopen {
            host: absolute(host),
            guest,
            file,
            access,
        });
        self
    }

    /// Sets the mode. By default the host's environment decides.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }
}

/// Makes a path absolute, since the worker has another current directory. An empty path stays empty, and the worker
/// refuses it.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
