//! Restricting a worker: the policy of its request, and the bounds that every worker has.

use wasix_landlock::Policy;
use wasmer_wasix::landlock::{Instance, InstanceRuntime};

use super::bounds;
use crate::{Mode, Protection, Report, Request};

/// Restricts this process as the request says.
pub(super) fn enforce(request: &Request) -> anyhow::Result<InstanceRuntime> {
    let named = &request.profile.enforcement.levels;
    let instance = Instance::new("worker").landlock(|policy| {
        if request.harden {
            return policy.harden();
        }
        [Protection::SignalScope, Protection::AbstractSocketScope]
            .into_iter()
            .filter(|scope| !named.contains_key(scope))
            .fold(policy, Policy::without)
    });
    Ok(instance.profile(&request.profile)?.take_process()?)
}

/// Adds what bounds a restricted worker, and returns the report with what can't be had.
pub(super) fn bound(inside: &InstanceRuntime) -> anyhow::Result<Report> {
    let mut report = (**inside.report()).clone();
    let _tokio = inside.tokio().enter();
    let mut bounds: Vec<fn() -> anyhow::Result<()>> = vec![bounds::survive_large_files];
    if report.mode != Mode::Off {
        bounds.extend([bounds::hide_memory, bounds::filter] as [fn() -> _; 2]);
    }
    for bound in bounds {
        match bound() {
            Err(error) if report.mode != Mode::Enforce => {
                report.not_enforced.push(format!("{error:#}"));
            }
            done => done?,
        }
    }
    Ok(report)
}
