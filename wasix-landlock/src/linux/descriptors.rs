//! The open descriptors when a policy is enforced.

use std::{collections::BTreeSet, os::fd::RawFd};

use wasix_landlock_descriptors::Census;

use crate::{EnforceError, Inherited, Mode, Report};

/// Checks the open descriptors against the policy, and reports them. `own` are this crate's.
///
/// Called before anything is restricted: `/proc` can't be opened afterwards, and an error leaves
/// the process as it was.
pub(crate) fn check(
    inherited: &Inherited,
    own: &BTreeSet<RawFd>,
    report: &mut Report,
) -> Result<(), EnforceError> {
    let open = match Census::now(own) {
        Ok(open) => open,
        Err(error) if !inherited.refuses_by_kind() => {
            report.warnings.push(format!(
                "the open descriptors can't be listed in /proc/thread-self/fd: {error}; mount /proc"
            ));
            return Ok(());
        }
        Err(source) => return Err(EnforceError::Descriptors { source }),
    };
    match inherited {
        Inherited::RefuseRings => {
            let mut refused = open.rings();
            refused.extend(open.mapped_rings().unwrap_or_default());
            if !refused.is_empty() {
                let error = EnforceError::RingsOpen { refused };
                if report.mode != Mode::BestEffort {
                    return Err(error);
                }
                report.not_enforced.push(error.to_string());
            }
        }
        Inherited::Report => {
            // Where the memory can't be looked at, the descriptors are named nevertheless.
            let mapped = open.mapped_rings().unwrap_or_default();
            let warnings = mapped.into_iter().map(|ring| {
                format!("{ring} gives a way out of the restriction; close it before the build")
            });
            report.warnings.extend(warnings);
        }
        Inherited::Refuse { allowed } => {
            let mut refused = open.refused(allowed);
            let hidden = open.hidden_rings(allowed);
            refused.extend(hidden.map_err(|source| EnforceError::Descriptors { source })?);
            if !refused.is_empty() {
                return Err(EnforceError::DescriptorsOpen { refused });
            }
        }
    }
    report.warnings.extend(open.ways_out().map(|named| {
        format!(
            "open descriptors give a way out of the restriction: descriptor {named}; close them before \
             the build, or refuse them (`Inherited::Refuse`)"
        )
    }));
    report.descriptors = Some(open.into_report());
    Ok(())
}
