//! Restricting a worker: the policy of its request, and the bounds that every worker has.

use wasmer_wasix::landlock::{Instance, InstanceRuntime};

use super::bounds;
use crate::{Level, Mode, Report, Request};

/// Restricts this process as the request says.
pub(super) fn enforce(request: &Request) -> anyhow::Result<InstanceRuntime> {
    let mut instance = Instance::new("worker").landlock(|l| {
        if request.harden {
            l.harden();
        }
        for (protection, level) in &request.levels {
            match level {
                Level::Strict => l.require(*protection),
                Level::Degradable => l.optional(*protection),
                Level::Off => l.without(*protection),
            };
        }
        l.network(request.network.clone())
    });
    for preopen in &request.preopens {
        instance = instance.preopen(|p| {
            let p = if preopen.file {
                p.path(&preopen.host)
            } else {
                p.directory(&preopen.host)
            };
            p.alias(&preopen.guest)
                .read(preopen.access.read)
                .write(preopen.access.write)
                .create(preopen.access.create)
        })?;
    }
    Ok(instance.take_process()?)
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
