//! The second layer: a seccomp filter for calls that Landlock doesn't mediate.

use std::{env::consts::ARCH, io};

use seccompiler::{BpfProgram, TargetArch};

use crate::{
    FilterError, Protection, Rules, calls, ioctls,
    refusal::{self, Refusal},
    sockets,
};

/// The newest system call that these rules were written with, `file_setattr` of Linux 6.17, which is
/// the newest of 6.18 as well: `scripts/syscall.tbl` in the kernel's sources, which `aarch64` and other newer
/// architectures share, and for `x86_64` `arch/x86/entry/syscalls/syscall_64.tbl`.
///
/// Raise it only after looking at what each newer call can do.
const NEWEST: u32 = 469;

/// A filter that is complete and not installed.
#[derive(Debug)]
pub struct Filter {
    program: BpfProgram,
    /// The calls that prove, for each protection, that the filter is there.
    refusals: Vec<Refusal>,
}

/// The error of a filter that could not be put on the threads. Nothing was filtered in any of them.
fn failed(error: seccompiler::Error) -> FilterError {
    use seccompiler::Error::{Prctl, Seccomp, ThreadSync};

    match error {
        ThreadSync(tid) => FilterError::Diverges {
            tid: i32::try_from(tid).unwrap_or(0),
        },
        Prctl(source) | Seccomp(source) => FilterError::Rejected { source },
        other => FilterError::Rejected {
            source: io::Error::other(other.to_string()),
        },
    }
}

/// The ports that Landlock's rules grant, as far as the filter has to know them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// True if any TCP port is granted, to bind or to connect.
    pub tcp: bool,
    /// True if any TCP port is granted to bind.
    pub bind_tcp: bool,
    /// True if any UDP port is granted.
    pub udp: bool,
}

impl Filter {
    /// Checks that this machine can have a filter.
    ///
    /// # Errors
    ///
    /// The reason for which it can't, in words.
    pub fn available() -> Result<(), String> {
        TargetArch::try_from(ARCH).map_err(|_| format!("seccomp filters don't support {ARCH}"))?;
        refusal::can_refuse()
            .map_err(|error| format!("this kernel has no seccomp filters: {error}"))
    }

    /// Makes the filter of these protections. `ports` are those that Landlock lets pass.
    ///
    /// # Errors
    ///
    /// The reason for which there is no such filter on this architecture, in words.
    pub fn new(protections: &[Protection], ports: Ports) -> Result<Self, String> {
        Self::up_to(NEWEST, protections, ports)
    }

    /// As [`Filter::new`], for a kernel of which system calls up to `newest` are known.
    fn up_to(newest: u32, protections: &[Protection], ports: Ports) -> Result<Self, String> {
        let mut rules = Rules::default();
        let mut refusals = Vec::new();
        for protection in protections.iter().copied() {
            refusals.extend(calls::add(protection, &mut rules));
            refusals.extend(ioctls::add(protection, &mut rules));
            refusals.extend(sockets::add(protection, ports, protections, &mut rules));
        }
        let program = rules.compile(newest)?;
        Ok(Self { program, refusals })
    }

    /// Makes a filter of these rules, which proves nothing.
    ///
    /// # Errors
    ///
    /// As [`Filter::new`].
    pub fn of(rules: Rules) -> Result<Self, String> {
        Ok(Self {
            program: rules.compile(NEWEST)?,
            refusals: Vec::new(),
        })
    }

    /// Puts every thread of the process under the filter, all or none. From then on,
    /// [`first_not_refused`](crate::first_not_refused) proves it in a thread.
    ///
    /// # Errors
    ///
    /// [`FilterError`].
    pub fn install(self) -> Result<(), FilterError> {
        seccompiler::apply_filter_all_threads(&self.program).map_err(failed)?;
        if !self.refusals.is_empty() {
            refusal::expect(self.refusals);
        }
        Ok(())
    }

    /// Puts the calling thread under the filter, and what it starts. Returns what is not refused
    /// nevertheless.
    ///
    /// # Errors
    ///
    /// [`FilterError::Rejected`].
    pub fn install_here(self) -> Result<Option<Refusal>, FilterError> {
        seccompiler::apply_filter(&self.program).map_err(failed)?;
        Ok(self.refusals.into_iter().find(|refusal| !refusal.holds()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;

    use super::*;
    use crate::calls::recent;

    /// The error number of `file_setattr` without anything to set, in a thread that has this filter.
    fn answer(newest: Option<u32>) -> i32 {
        let call = move || {
            if let Some(newest) = newest {
                let filter = Filter::up_to(newest, &[Protection::Keys], Ports::default()).unwrap();
                rustix::thread::set_no_new_privs(true).unwrap();
                assert_eq!(filter.install_here().unwrap(), None);
            }
            let arguments = [-1, 0, 0, 0, 0];
            let call = Refusal::new(Protection::Metadata, "", recent::FILE_SETATTR, arguments);
            call.answer().unwrap_err()
        };
        thread::spawn(call).join().unwrap()
    }

    #[test]
    fn a_system_call_that_is_newer_than_the_rules_does_not_exist() {
        let here = answer(None);
        if here == libc::ENOSYS {
            println!("SKIPPED: this kernel hasn't the newest system call that the rules know");
            return;
        }
        // The newest one that is known is the rules' business, and the next is nobody's.
        assert_eq!(answer(Some(NEWEST)), here);
        assert_eq!(answer(Some(NEWEST - 1)), libc::ENOSYS);
    }
}
