//! The second layer: a seccomp filter for calls that Landlock doesn't mediate.

use std::{collections::BTreeMap, env::consts::ARCH, io};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use crate::{
    FilterError, Protection, calls, ioctls,
    refusal::{self, Refusal},
    sockets,
};

/// The error number of a refused system call. Landlock's own answer to most is `EACCES`, so this one also
/// tells which layer it was.
const REFUSED: u32 = libc::EPERM as u32;

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
        let arch = TargetArch::try_from(ARCH).map_err(|error| error.to_string())?;
        let rules: BTreeMap<i64, Vec<SeccompRule>> = rules
            .0
            .into_iter()
            .map(|(number, rules)| (number, rules.unwrap_or_default()))
            .collect();
        let namespaces = protections.contains(&Protection::Namespaces);
        let compiled: BpfProgram = SeccompFilter::new(
            rules,
            SeccompAction::Allow,
            SeccompAction::Errno(REFUSED),
            arch,
        )
        .and_then(TryInto::try_into)
        .map_err(|error| error.to_string())?;
        let mut program = preamble(&compiled, namespaces, newest);
        program.extend(compiled);
        Ok(Self { program, refusals })
    }

    /// Puts every thread of the process under the filter, all or none. From then on,
    /// [`first_not_refused`](crate::first_not_refused) proves it in a thread.
    ///
    /// # Errors
    ///
    /// [`FilterError`].
    pub fn install(self) -> Result<(), FilterError> {
        seccompiler::apply_filter_all_threads(&self.program).map_err(failed)?;
        refusal::expect(self.refusals);
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

/// Returns the steps before the compiled program: it knows one architecture's calls and ends the process on
/// any other's, and it has one answer for all.
///
/// A 64-bit process can make 32-bit calls (`int 0x80`), and on `x86_64` such of the x32 ABI, whose
/// numbers have bit 30 set. Both would pass by the rules, so they don't exist here, and neither
/// does `clone3`, where namespaces are refused: its flags are in memory, which a filter can't read.
/// Nor do calls exist that are newer than these rules: a program that makes one goes on as on an
/// older kernel.
fn preamble(compiled: &[sock_filter], without_clone3: bool, newest: u32) -> BpfProgram {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const ABOVE: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    /// The offset of the number in `struct seccomp_data`.
    const NUMBER: u32 = 0;
    /// The offset of the architecture.
    const ARCHITECTURE: u32 = 4;
    const X32: u32 = 1 << 30;

    let step = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    let missing = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    // The compiled program starts with the same check, and so knows the value.
    let native = compiled
        .iter()
        .find(|step| step.code == EQUAL)
        .map_or(0, |step| step.k);
    let mut steps = vec![
        step(LOAD, ARCHITECTURE, 0, 0),
        step(EQUAL, native, 1, 0),
        step(RETURN, missing, 0, 0),
        step(LOAD, NUMBER, 0, 0),
    ];
    if cfg!(target_arch = "x86_64") {
        steps.push(step(AT_LEAST, X32, 0, 1));
        steps.push(step(RETURN, missing, 0, 0));
    }
    steps.push(step(ABOVE, newest, 0, 1));
    steps.push(step(RETURN, missing, 0, 0));
    if without_clone3 {
        let clone3 = u32::try_from(libc::SYS_clone3).unwrap_or(0);
        steps.push(step(EQUAL, clone3, 0, 1));
        steps.push(step(RETURN, missing, 0, 0));
    }
    steps
}

/// Rules by system call; `None` refuses it whatever its arguments are.
#[derive(Debug, Default)]
pub(crate) struct Rules(BTreeMap<i64, Option<Vec<SeccompRule>>>);

impl Rules {
    /// Refuses a system call.
    pub(crate) fn refuse(&mut self, number: i64) {
        self.0.insert(number, None);
    }

    /// Refuses a system call where all of these hold.
    pub(crate) fn refuse_where(&mut self, number: i64, conditions: &[Condition]) {
        let conditions: Vec<SeccompCondition> = conditions
            .iter()
            .filter_map(|condition| condition.compile())
            .collect();
        let Ok(rule) = SeccompRule::new(conditions) else {
            // No condition at all.
            return self.refuse(number);
        };
        if let Some(rules) = self.0.entry(number).or_insert_with(|| Some(Vec::new())) {
            rules.push(rule);
        }
    }
}

/// A condition on a system call's argument, of which the kernel reads the lower 32 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition {
    /// The argument is this value.
    Is(u8, u32),
    /// The argument isn't this value.
    IsNot(u8, u32),
    /// The argument is this value under this mask, which comes first.
    Masked(u8, u32, u32),
    /// The argument is a pointer to something.
    NotNull(u8),
}

impl Condition {
    fn compile(self) -> Option<SeccompCondition> {
        use SeccompCmpArgLen::{Dword, Qword};
        use SeccompCmpOp::{Eq, MaskedEq, Ne};

        let (argument, length, operation, value) = match self {
            Self::Is(argument, value) => (argument, Dword, Eq, value),
            Self::IsNot(argument, value) => (argument, Dword, Ne, value),
            Self::Masked(argument, mask, value) => (argument, Dword, MaskedEq(mask.into()), value),
            Self::NotNull(argument) => (argument, Qword, Ne, 0),
        };
        SeccompCondition::new(argument, length, operation, value.into()).ok()
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
