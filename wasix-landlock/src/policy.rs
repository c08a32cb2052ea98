//! A policy: recorded preopens, the runtime's own paths, and the protections to enforce.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    Access, AuditLog, Error, Inherited, Level, Mode, Network, OutsideReport, PrepareError,
    Prepared, Protection, Protections, Report, Scope, access, operator, platform,
};

/// The time in which [`Prepared::enforce`] tries to reach every thread unless [`Policy::deadline`] says otherwise.
///
/// Visiting 65 threads takes about a millisecond, so five seconds leave room for a machine that is busy.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// The kind of a host path, as the caller names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum HostKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// One of the two, for a mount that only knows a path.
    Either,
}

/// A file or directory of the host behind a preopen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTarget {
    /// The host path. A relative one starts at the working directory when the policy is prepared; a symbolic link is
    /// followed, since the application named it.
    pub path: PathBuf,
    /// The kind that was found.
    pub kind: HostKind,
    /// The access that is granted, as far as [`RecordedPreopen::access`] has it.
    ///
    /// With [`Access::create`], a [`HostKind::File`] that is missing is created, empty, before the restriction: the
    /// kernel has no rule for a path that doesn't exist yet.
    pub access: Access,
}

/// A recorded preopen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedPreopen {
    /// The path under which the module sees the preopen.
    pub guest: String,
    /// The builder call that named the preopen, such as `preopen_dir`, for reports and errors.
    pub origin: &'static str,
    /// The access that was asked for.
    pub access: Access,
    /// The host paths behind the preopen. Empty for a purely virtual one, which needs no rule.
    pub targets: Vec<HostTarget>,
}

/// The arguments of [`Policy::runtime_path`].
#[derive(Clone, Debug)]
pub(crate) struct RuntimePath {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    pub(crate) reason: String,
    /// True if it is an error that nothing is there.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "nothing is granted there")
    )]
    pub(crate) must_exist: bool,
}

/// A restriction for a process.
///
/// The default policy grants nothing.
///
/// ```no_run
/// use wasix_landlock::{Access, Network, Policy, Protection};
/// # let preopens = Vec::new();
///
/// let report = Policy::default()
///     .preopens(preopens)
///     .runtime_path("/var/log/app", Access::ALL, "the program's own log")
///     .network(Network::none().connect(443))
///     .optional(Protection::Truncate) // go on without it on a kernel before 6.2
///     .enforce()?;
/// assert!(report.enforced);
/// # Ok::<(), wasix_landlock::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a policy restricts nothing until it is enforced"]
pub struct Policy {
    pub(crate) preopens: Vec<RecordedPreopen>,
    pub(crate) runtime_paths: Vec<RuntimePath>,
    pub(crate) mode: Option<Mode>,
    pub(crate) warnings: Vec<String>,
    pub(crate) scope: Scope,
    protections: Protections,
    network: Option<Network>,
    pub(crate) inherited: Inherited,
    pub(crate) audit: AuditLog,
    pub(crate) deadline: Option<Duration>,
    pub(crate) outside: Option<OutsideReport>,
    refuses_outside: bool,
}

impl Policy {
    /// Records a preopen.
    pub fn preopen(mut self, preopen: RecordedPreopen) -> Self {
        self.preopens.push(preopen);
        self
    }

    /// Records preopens.
    pub fn preopens(mut self, preopens: impl IntoIterator<Item = RecordedPreopen>) -> Self {
        self.preopens.extend(preopens);
        self
    }

    /// Grants a host path that the runtime or the program around the module needs later: files that resolve names, a
    /// log directory, or the preopens of a policy that is enforced later in this process, see [`Prepared::enforce`].
    ///
    /// The path may also be a character device such as `/dev/null`. It is never created. One that is missing or can't be
    /// granted is in the report and no error, since the runtime copes. `reason` is for the report.
    ///
    /// The whole process gets the grant: native code that has taken the process over can use the path too.
    pub fn runtime_path(
        mut self,
        path: impl Into<PathBuf>,
        access: Access,
        reason: impl Into<String>,
    ) -> Self {
        self.runtime_paths.push(RuntimePath {
            path: path.into(),
            access,
            reason: reason.into(),
            must_exist: false,
        });
        self
    }

    /// Adds the protections that a profile asks for. Where both name a protection, the profile's level holds.
    ///
    /// ```
    /// use wasix_landlock::{Level, Policy, Protection, Protections};
    ///
    /// let mut asked = Protections::default();
    /// asked.harden = true;
    /// asked.levels.insert(Protection::UnixSockets, Level::Off);
    /// // The same as `Policy::default().harden().without(Protection::UnixSockets)`.
    /// let policy = Policy::default().protections(&asked);
    /// # drop(policy);
    /// ```
    pub fn protections(mut self, asked: &Protections) -> Self {
        self.protections.harden |= asked.harden;
        self.protections.levels.extend(&asked.levels);
        self
    }

    /// Sets the level of a protection, before or after [`Policy::harden`] and [`Policy::network`].
    pub fn protect(mut self, protection: Protection, level: Level) -> Self {
        self.protections.levels.insert(protection, level);
        self
    }

    /// Lets a kernel do without this protection. The report says whether it did.
    pub fn optional(self, protection: Protection) -> Self {
        self.protect(protection, Level::Degradable)
    }

    /// Requires this protection: a kernel without it is an error.
    pub fn require(self, protection: Protection) -> Self {
        self.protect(protection, Level::Strict)
    }

    /// Turns this protection off, for a program around the module that can't work under it.
    pub fn without(self, protection: Protection) -> Self {
        self.protect(protection, Level::Off)
    }

    /// Restricts the network to these ports. Without this call and [`Policy::harden`] it stays unrestricted.
    ///
    /// The call requires [`Protection::Tcp`], [`Protection::Udp`] and [`Protection::OtherSockets`]. UDP ports need ABI
    /// 10; without any granted, every kernel can refuse UDP altogether, DNS with it: see [`Network::connect`].
    pub fn network(mut self, network: Network) -> Self {
        self.network = Some(network);
        self
    }

    /// Requires every protection that a WASI runtime can live with, and no network unless [`Policy::network`] grants
    /// some: for programs that do little besides running modules.
    ///
    /// The program around the module loses the same abilities: executing programs, changing modes and owners, unix
    /// sockets, and so on; see [`Protection`]. [`Policy::without`] gives one back.
    ///
    /// ```
    /// use wasix_landlock::{Policy, Protection};
    ///
    /// // A program that logs to a unix socket, and else does little besides running modules.
    /// let policy = Policy::default().harden().without(Protection::UnixSockets);
    /// # drop(policy);
    /// ```
    pub fn harden(mut self) -> Self {
        self.protections.harden = true;
        self
    }

    /// Says which descriptors may be open when the policy is enforced; [`Inherited::RefuseRings`] unless
    /// given.
    pub fn inherited(mut self, inherited: Inherited) -> Self {
        self.inherited = inherited;
        self
    }

    /// Says which denials the kernel's audit log records; [`AuditLog::default`] unless given.
    pub fn audit(mut self, audit: AuditLog) -> Self {
        self.audit = audit;
        self
    }

    /// Sets the time in which every thread has to be reached; [`DEFAULT_DEADLINE`] unless given.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the scope; [`Scope::Process`] unless given.
    ///
    /// In a thread that belongs to an instance already, the policy joins that one whatever is given.
    ///
    /// ```no_run
    /// use wasix_landlock::{Policy, Scope};
    ///
    /// std::thread::spawn(|| {
    ///     // This thread and those that it starts; the rest of the process stays free.
    ///     let report = Policy::default().scope(Scope::Instance).enforce()?;
    ///     assert_eq!(report.scope, Scope::Instance);
    ///     Ok::<(), wasix_landlock::Error>(())
    /// });
    /// ```
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets the mode; [`Mode::from_env`] unless given.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Puts a warning into the report, such as that the caller itself checks less than usual.
    pub fn warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// Makes the program ignore the policy that [`POLICY_VARIABLE`](crate::POLICY_VARIABLE) names. The report says so
    /// if the variable is set.
    pub fn refuse_outside_policy(mut self) -> Self {
        self.refuses_outside = true;
        self
    }

    /// True if the program ignores a policy from outside.
    #[must_use]
    pub fn refuses_outside_policy(&self) -> bool {
        self.refuses_outside
    }

    /// Restricts further: each protection has the stricter level of both, and of the ports those stay that both
    /// grant. Where no ports are given, the policy's stay.
    ///
    /// ```
    /// use wasix_landlock::{Network, Policy, Protections};
    ///
    /// let mut operator = Protections::default();
    /// operator.harden = true;
    /// let policy = Policy::default()
    ///     .network(Network::none().connect(443).connect(80))
    ///     .narrow(&operator, Some(&Network::none().connect(443)));
    /// # drop(policy);
    /// ```
    pub fn narrow(mut self, protections: &Protections, network: Option<&Network>) -> Self {
        let granted = self.granted_network();
        self.protections =
            self.protections
                .narrowed(self.network.is_some(), protections, network.is_some());
        if let Some(network) = network {
            // A protection that is off leaves all of its ports open. They are narrowed as if none but those that are
            // named were: less than both grant.
            self.network = Some(
                granted.map_or_else(|| network.clone(), |granted| granted.intersection(network)),
            );
        }
        self
    }

    /// Narrows the paths that the program has granted to the process by [`Policy::preopen`] and
    /// [`Policy::runtime_path`] until now. `narrowed` returns the parts of a path that stay, with the access of each;
    /// more access than before isn't granted.
    pub fn narrow_paths(
        mut self,
        mut narrowed: impl FnMut(&Path, HostKind, Access) -> Vec<(PathBuf, HostKind, Access)>,
    ) -> Self {
        for preopen in &mut self.preopens {
            let targets = std::mem::take(&mut preopen.targets);
            for target in targets {
                let parts = narrowed(&target.path, target.kind, target.access);
                preopen
                    .targets
                    .extend(parts.into_iter().map(|(path, kind, access)| HostTarget {
                        path,
                        kind,
                        access: access.intersection(target.access),
                    }));
            }
        }
        for path in std::mem::take(&mut self.runtime_paths) {
            for (part, _, access) in narrowed(&path.path, HostKind::Either, path.access) {
                self.runtime_paths.push(RuntimePath {
                    path: part,
                    access: access.intersection(path.access),
                    ..path.clone()
                });
            }
        }
        self
    }

    /// Puts into the report what a policy from outside took away.
    pub fn outside(mut self, report: OutsideReport) -> Self {
        self.outside = Some(report);
        self
    }

    /// Returns the Landlock access rights of each [`Access`] as a Markdown table.
    ///
    /// A right that the kernel lacks is left out, see [`Protection`].
    #[must_use]
    pub fn table() -> String {
        access::table()
    }

    /// Resolves and checks every path, creates the files that are to be created, and builds the ruleset. Nothing is
    /// restricted yet. In a process that is restricted already, every path must lie within what is granted.
    ///
    /// On anything but Linux there is nothing to enforce with: that is an error in [`Mode::Enforce`], and in the report
    /// otherwise. On `target_family = "wasm"`, a policy without host paths is fine.
    ///
    /// ```no_run
    /// use wasix_landlock::{Policy, Status};
    /// # let preopens = Vec::new();
    ///
    /// // What would be granted, without restricting anything.
    /// let prepared = Policy::default().preopens(preopens).prepare()?;
    /// for preopen in &prepared.report().preopens {
    ///     println!("{}: {:?}", preopen.guest, preopen.status);
    /// }
    /// # Ok::<(), wasix_landlock::PrepareError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PrepareError`]; files that were created are removed again. In [`Mode::BestEffort`] and [`Mode::Off`] only
    /// [`PrepareError::Mode`] and, on wasm, [`PrepareError::Unsupported`] are left; the rest is in the report.
    pub fn prepare(self) -> Result<Prepared, PrepareError> {
        platform::plan(self, false).map(Prepared)
    }

    /// Reports the restriction that would be enforced here: checks what [`Policy::prepare`] checks, makes no file and
    /// restricts nothing.
    ///
    /// A file that would be created is in the report as created, whether or not this user may create it. Threads and open
    /// descriptors are looked at when a policy is enforced.
    ///
    /// # Errors
    ///
    /// As [`Policy::prepare`].
    pub fn show(self) -> Result<Report, PrepareError> {
        Ok(platform::plan(self, true)?.report)
    }

    /// Prepares and enforces.
    ///
    /// # Errors
    ///
    /// What [`Policy::prepare`] and [`Prepared::enforce`] return.
    pub fn enforce(self) -> Result<Arc<Report>, Error> {
        Ok(self.prepare()?.enforce()?)
    }

    /// Returns the scope that the operator asks for with [`SCOPE_VARIABLE`](crate::SCOPE_VARIABLE), for a caller that can
    /// start the threads of an instance: [`Scope::Process`] unless this policy would be the first one to restrict the
    /// calling thread. [`Policy::mode`] makes a policy ignore the variable, and so does [`Mode::Off`].
    ///
    /// # Errors
    ///
    /// [`PrepareError::Operator`] when the variable holds anything but `process` or `instance`, and
    /// [`PrepareError::Mode`].
    pub fn operator_scope(&self) -> Result<Scope, PrepareError> {
        if !self.is_operated() {
            return Ok(Scope::Process);
        }
        let scope = operator::scope()?;
        if self.effective_mode()? == Mode::Off || platform::current().is_some() {
            return Ok(Scope::Process);
        }
        Ok(scope)
    }

    /// True if the operator's variables count: the program sets no mode.
    pub(crate) const fn is_operated(&self) -> bool {
        self.mode.is_none()
    }

    /// Returns the paths that the operator reserves for later policies of the process.
    #[cfg(target_os = "linux")]
    pub(crate) fn reserved(&self) -> Result<Vec<RuntimePath>, PrepareError> {
        if !self.is_operated() || self.scope != Scope::Process {
            return Ok(Vec::new());
        }
        let reserved = |path| RuntimePath {
            path,
            access: Access::ALL,
            reason: operator::RESERVE_VARIABLE.to_owned(),
            must_exist: true,
        };
        Ok(operator::reserved()?.into_iter().map(reserved).collect())
    }

    /// The mode that holds, asking the environment when none was given.
    pub(crate) fn effective_mode(&self) -> Result<Mode, PrepareError> {
        match self.mode {
            Some(mode) => Ok(mode),
            None => Ok(Mode::from_env()?),
        }
    }

    /// True if the policy sets the level of this protection by name.
    #[must_use]
    pub fn names(&self, protection: Protection) -> bool {
        self.protections.levels.contains_key(&protection)
    }

    /// Returns the level of this protection.
    #[must_use]
    pub fn level(&self, protection: Protection) -> Level {
        self.protections.level(protection, self.network.is_some())
    }

    /// The ports that are granted; `None` if the network isn't restricted.
    #[must_use]
    pub fn granted_network(&self) -> Option<Network> {
        let asked = [Protection::Tcp, Protection::Udp]
            .iter()
            .any(|protection| self.level(*protection) != Level::Off);
        asked.then(|| self.network.clone().unwrap_or_default())
    }
}
