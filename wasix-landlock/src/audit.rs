//! The denials that the kernel's audit log records, as a policy chooses.

use serde::{Deserialize, Serialize};

/// The denials of the Landlock rules that the kernel's audit log records, where auditing is on.
///
/// By default the log has the denials of this program and of the processes that it forks, and none of programs that are
/// executed later: the kernel's own default. The probes by which each thread proves its restriction are kept out where
/// the kernel can do that, see [`AuditLog::proofs`].
///
/// Denials of the second layer, the filter, aren't in the log.
///
/// ```
/// use wasix_landlock::{AuditLog, Policy};
///
/// // No records of this program, which runs modules that try things out.
/// let policy = Policy::default().audit(AuditLog::default().program(false));
/// # drop(policy);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLog {
    program: bool,
    executed: bool,
    nested: bool,
    proofs: bool,
}

impl Default for AuditLog {
    fn default() -> Self {
        Self {
            program: true,
            executed: false,
            nested: true,
            proofs: false,
        }
    }
}

impl AuditLog {
    /// No denial at all.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            program: false,
            executed: false,
            nested: false,
            proofs: false,
        }
    }

    /// Says whether what is denied to this program is recorded, and to what it forks; yes by
    /// default. Turning it off takes ABI 7 (Linux 6.15).
    #[must_use]
    pub const fn program(mut self, recorded: bool) -> Self {
        self.program = recorded;
        self
    }

    /// Says whether what is denied to programs that are executed later is recorded; no by default.
    /// Turning it on takes ABI 7 (Linux 6.15).
    #[must_use]
    pub const fn executed(mut self, recorded: bool) -> Self {
        self.executed = recorded;
        self
    }

    /// Says whether denials of the restrictions are recorded that threads and programs put on
    /// themselves later; yes by default. Turning it off takes ABI 7 (Linux 6.15).
    #[must_use]
    pub const fn nested(mut self, recorded: bool) -> Self {
        self.nested = recorded;
        self
    }

    /// Says whether the denied attempts are recorded that prove each thread's restriction; no by default. Keeping them
    /// out takes ABI 10 (Linux 7.2) while the program's denials are recorded; an older kernel records one for each thread.
    #[must_use]
    pub const fn proofs(mut self, recorded: bool) -> Self {
        self.proofs = recorded;
        self
    }
}

#[cfg(target_os = "linux")]
mod on_linux {
    use wasix_landlock_threads::log_flags::{NEW_EXEC_ON, SAME_EXEC_OFF, SUBDOMAINS_OFF};

    use super::AuditLog;

    /// The ABI that brought the flags, and the one that brought quiet rules.
    const FLAGS_ABI: u32 = 7;
    const QUIET_ABI: u32 = 10;

    impl AuditLog {
        /// Returns the flags for `landlock_restrict_self` that this kernel has.
        pub(crate) const fn flags(self, abi: u32) -> u32 {
            if abi < FLAGS_ABI {
                return 0;
            }
            let mut flags = 0;
            if !self.program {
                flags |= SAME_EXEC_OFF;
            }
            if self.executed {
                flags |= NEW_EXEC_ON;
            }
            if !self.nested {
                flags |= SUBDOMAINS_OFF;
            }
            flags
        }

        /// True if quiet rules keep the proofs out of the log, which takes a kernel that has them.
        pub(crate) const fn quiets_proofs(self, abi: u32) -> bool {
            self.program && !self.proofs && abi >= QUIET_ABI
        }

        /// Describes the difference between this kernel's audit log and the policy. The default asks for
        /// nothing: that older kernels record the proofs is in its documentation.
        pub(crate) fn lacking(self, abi: u32) -> Option<String> {
            let kernels = Self::default().flags(FLAGS_ABI);
            (abi < FLAGS_ABI && self.flags(FLAGS_ABI) != kernels).then(|| {
                format!(
                    "choosing denials for the audit log needs Landlock ABI {FLAGS_ABI}, and this \
                     kernel has {abi}: the log records the denials of this program"
                )
            })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_default_is_the_kernels_but_for_the_proofs() {
            let default = AuditLog::default();
            for abi in 1..=10 {
                assert_eq!(default.flags(abi), 0);
                assert_eq!(default.quiets_proofs(abi), abi >= 10);
                assert_eq!(default.lacking(abi), None);
            }
        }

        #[test]
        fn each_choice_has_its_flag_where_the_kernel_has_it() {
            let all = AuditLog::none().executed(true);
            assert_eq!(all.flags(7), SAME_EXEC_OFF | NEW_EXEC_ON | SUBDOMAINS_OFF);
            assert_eq!(AuditLog::none().flags(10), SAME_EXEC_OFF | SUBDOMAINS_OFF);
            assert_eq!(AuditLog::default().nested(false).flags(7), SUBDOMAINS_OFF);
            assert_eq!(all.flags(6), 0);
            let lacking = all.lacking(6).unwrap_or_default();
            assert!(lacking.contains("has 6"), "{lacking}");
            assert_eq!(all.lacking(7), None);
            // What isn't recorded needs no quiet rule.
            assert!(!AuditLog::none().quiets_proofs(10));
            assert!(!AuditLog::default().proofs(true).quiets_proofs(10));
        }
    }
}
