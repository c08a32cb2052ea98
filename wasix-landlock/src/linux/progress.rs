//! The progress of a restriction, in the report.

use std::time::Instant;

use wasix_landlock_threads::{Probe, Progress};

use crate::{
    EnforceError, Layer, Level, Mode, Protection, ProtectionReport, ProtectionStatus, Report,
    SweepMethod, ThreadsReport, names::list,
};

/// True if the policy doesn't let pass that there is no filter.
pub(super) fn needs_filter(report: &Report) -> bool {
    let needed = report.protections.iter().any(|protection| {
        protection.by.contains(&Layer::Seccomp) && protection.level == Level::Strict
    });
    needed && report.mode == Mode::Enforce
}

/// Notes what the policy lets pass and what was in the way, whether or not restricting succeeded.
pub(super) fn note(progress: &mut Progress, report: &mut Report) {
    if let Some(error) = progress.unreachable.take() {
        lacks_all_threads(report, &EnforceError::of_threads(error, 0).to_string());
    }
    if let Some(error) = progress.unfiltered.take() {
        let why = EnforceError::of_threads(error.into(), 0).to_string();
        lacks(report, &why, |protection| {
            protection.by.contains(&Layer::Seccomp)
        });
    }
    if let Some(error) = progress.handler_stays.take() {
        let warning = format!("the handler of a signal stays installed: {error}");
        report.warnings.push(warning);
    }
    if progress.foreign > 0 {
        report.warnings.push(format!(
            "{} threads had a restriction of their own before, so the probe proves nothing in \
             them",
            progress.foreign
        ));
    }
}

/// Notes the effects on the threads, and those that aren't known to be restricted.
pub(super) fn note_threads(progress: Progress, report: &mut Report) {
    if !progress.synced && progress.proved + progress.inherited > 1 {
        warn_of_single_domains(report);
    }
    for failure in progress.failures {
        // What is restricted is what was asked for here, so nothing has to end.
        let mut why = EnforceError::of_threads(failure, 0).to_string();
        if progress.synced {
            why.push_str(
                "; the kernel reports that thread sync restricted the thread, but no probe \
                 proves it",
            );
        }
        lacks_all_threads(report, &why);
    }
}

/// Warns of the effects of a domain of each thread's own. Only the kernel's own thread
/// synchronisation puts all threads into one, and a scope ends at the domain's border.
fn warn_of_single_domains(report: &mut Report) {
    let scopes = [Protection::SignalScope, Protection::AbstractSocketScope];
    let all = report.protections.iter();
    let enforced = all.filter(|one| scopes.contains(&one.name) && !one.by.is_empty());
    let enforced = list(enforced.map(|one| one.name), ", ");
    if !enforced.is_empty() {
        report.warnings.push(format!(
            "{}: below Landlock ABI 8 each thread that ran before the build is a domain of its \
             own, so such threads can neither connect to each other's abstract sockets nor \
             signal processes that another one starts; start these threads after the build",
            enforced
        ));
    }
}

/// The report of the threads, the calling one among them.
pub(crate) fn threads_report(
    method: SweepMethod,
    started: Instant,
    probe: &Probe,
    progress: &Progress,
) -> ThreadsReport {
    let unreached = progress.failures.len();
    ThreadsReport {
        method,
        total: progress.proved + progress.inherited + unreached,
        proved: progress.proved,
        inherited: progress.inherited,
        gone: progress.gone,
        unreached,
        rounds: progress.rounds,
        probe: (!matches!(probe, Probe::Nothing)).then(|| probe.to_string()),
        elapsed_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

/// Notes that not every thread is restricted.
fn lacks_all_threads(report: &mut Report, why: &str) {
    lacks(report, why, |protection| {
        protection.name == Protection::AllThreads
    });
}

/// Notes that protections which were taken for enforced aren't.
fn lacks(report: &mut Report, why: &str, which: impl Fn(&ProtectionReport) -> bool) {
    for protection in report
        .protections
        .iter_mut()
        .filter(|protection| which(protection))
    {
        report
            .not_enforced
            .push(format!("{}: {why}", protection.name));
        protection.by.clear();
        protection.status = ProtectionStatus::NotEnforced {
            why: why.to_owned(),
        };
    }
}
