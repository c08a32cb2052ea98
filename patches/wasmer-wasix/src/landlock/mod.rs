//! Kernel enforcement of the application's preopens.
//!
//! Each preopen that a builder or a runner records becomes a rule of one Landlock ruleset, and at `build()`
//! (and `finalize`, `instantiate`, and whatever a runner runs) every thread of the process is put under it.
//! From then on the kernel refuses what was not granted, to the module, to the WASI layer, and to the rest
//! of the process alike; it can't be undone. A program that only adds the patch lines gets this without any
//! change. What can't be enforced is an error of `build()`, which [`BuildError`] names by its type.
//!
//! What is restricted is chosen by how an instance is made (see [`Scope`] for what each stops):
//! - *process*, without doing anything: `build()` restricts every thread of the process;
//! - *instance*: [`Instance`] gives it threads of its own, in a process that stays free. That stops bugs in the
//!   WASI
//!   layer, **not native code**: threads share their memory;
//! - *worker*: the crate `wasix-landlock-worker` gives it a process of its own.
//!
//! What is new beside upstream's interface:
//! - [`WasiEnvBuilder::preopen`](crate::WasiEnvBuilder::preopen): one host file, which need not exist yet, or
//!   one host directory, each with its rights;
//! - [`WasiEnvBuilder::landlock`](crate::WasiEnvBuilder::landlock): the [`Policy`]: which protections are optional, the
//!   second layer, the network, open descriptors, what else the process needs later;
//! - [`WasiEnvBuilder::build_enforced`](crate::WasiEnvBuilder::build_enforced): `build()` with errors that say by
//!   their type what failed, and whether the process has to end;
//! - [`WasiEnv::landlock_report`](crate::WasiEnv::landlock_report): what was asked, granted, enforced, and refused since;
//! - [`WasiEnv::landlock_denials`](crate::WasiEnv::landlock_denials): what was refused, why, and the line
//!   that would allow it; [`WasiEnv::landlock_explain`](crate::WasiEnv::landlock_explain) says it before;
//! - [`WasiEnvBuilder::landlock_show`](crate::WasiEnvBuilder::landlock_show): what would be enforced;
//!   [`Learning`]: what a program needs;
//! - the variable `WASIX_LANDLOCK_POLICY` ([`POLICY_VARIABLE`]): whoever runs the program takes from what it grants;
//! - the same for [`WasiRunner`](crate::runners::wasi::WasiRunner);
//! - [`FORK`], which only the fork has: name it in a program that must never be built without.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

mod backings;
mod builder;
mod calls;
mod compat;
mod default_tokio;
mod denial;
mod enforce;
mod env;
mod error;
mod exit_code;
#[cfg(feature = "sys-thread")]
mod instance;
mod learn;
#[cfg(feature = "sys-thread")]
mod module_cache;
mod narrow;
mod network;
mod observer;
mod operation;
mod outside;
mod prepare;
mod record;
mod settings;
mod stopped;

pub use compat::WasiState;
pub use denial::counts::DenialCounts;
pub use denial::denials::{Cause, DENIALS_KEPT, Denial, Denials};
pub use denial::nearest::NearestPreopen;
pub use denial::suggestion::Suggestion;
pub use denial::unsaved::UnsavedFile;
pub use error::{BuildError, with_causes};
pub use exit_code::exit_code;
#[cfg(feature = "sys-thread")]
pub use instance::error::InstanceError;
#[cfg(feature = "sys-thread")]
pub use instance::runtime::InstanceRuntime;
#[cfg(feature = "sys-thread")]
pub use instance::spawn::{Instance, InstanceOutcome, Running};
pub use learn::learned::Learned;
pub use learn::learning::Learning;
pub use learn::sensitive::Sensitive;
pub use network::no_network;
pub use operation::Operation;
pub use outside::OutsideError;
pub use wasix_landlock::{
    Access, AuditLog, DENIAL_SCHEMA, DenialEvent, DenialReport, DenialsReport, DescriptorKind,
    DescriptorsReport, EnforceError, Explanation, GrantedPath, HostKind, Inherited, Layer, Level,
    MODE_VARIABLE, Mode, Network, OpenFilesLimit, OperatorError, OutsideReport, POLICY_VARIABLE,
    PathError, Policy, PrepareError, Protection, Protections, RESERVE_VARIABLE, Report,
    SCOPE_VARIABLE, Scope, Verdict, WayOut, current as process_report, explain,
};
pub use wasix_landlock_profile::{HostPreopen, HostPreopenBuilder, PreopenError, UnsavedWrites};

pub(crate) use calls::{Call, no_right, open_options};
pub(crate) use default_tokio::enter_tokio;
pub(crate) use enforce::{Pending, enforce};
#[cfg(feature = "sys-thread")]
pub(crate) use module_cache::fill_module_cache;
pub(crate) use network::{is_no_network, shared_network};
pub(crate) use observer::SharedObserver;
pub(crate) use outside::Outside;
pub(crate) use record::recorded::Recorded;
pub(crate) use settings::Settings;

/// Names the fork. Upstream has no such symbol, so that a program with
///
/// ```
/// const _: &str = wasmer_wasix::landlock::FORK;
/// ```
///
/// does not compile when cargo passed over the patch.
pub const FORK: &str = "wasix-landlock";
