//! The rules of a filter, and the program for the kernel that they become.
//!
//! The kernel translates a program when it is installed, which takes most of the time of hardening a process. So a call that
//! is refused whatever its arguments are takes one step here, where `seccompiler` takes five.

use std::{collections::BTreeMap, env::consts::ARCH};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

/// The error number of a refused system call. Landlock's own answer to most is `EACCES`, so this one also
/// tells which layer it was.
const REFUSED: u32 = libc::EPERM as u32;
/// The error number of a system call that a kernel doesn't have.
const MISSING: u32 = libc::ENOSYS as u32;

/// Rules by system call. A call without a rule passes.
#[derive(Debug, Default)]
pub struct Rules(BTreeMap<i64, Rule>);

#[derive(Debug)]
enum Rule {
    /// The answer is this error number, whatever the arguments are.
    Always(u32),
    /// The call is refused if one of these matches.
    Where(Vec<SeccompRule>),
}

impl Rules {
    /// Refuses a system call, with `EPERM`.
    pub fn refuse(&mut self, number: i64) {
        self.0.insert(number, Rule::Always(REFUSED));
    }

    /// Answers a system call with `ENOSYS`, as a kernel does that doesn't have it. This replaces other rules for the call.
    pub fn hide(&mut self, number: i64) {
        self.0.insert(number, Rule::Always(MISSING));
    }

    /// Refuses a system call where all of these hold.
    pub fn refuse_where(&mut self, number: i64, conditions: &[Condition]) {
        let conditions: Vec<SeccompCondition> = conditions
            .iter()
            .filter_map(|condition| condition.compile())
            .collect();
        let Ok(rule) = SeccompRule::new(conditions) else {
            // No condition at all.
            return self.refuse(number);
        };
        let rules = self.0.entry(number);
        if let Rule::Where(rules) = rules.or_insert_with(|| Rule::Where(Vec::new())) {
            rules.push(rule);
        }
    }

    /// Makes the program, for a kernel of which system calls up to `newest` are known.
    pub(crate) fn compile(self, newest: u32) -> Result<BpfProgram, String> {
        let arch = TargetArch::try_from(ARCH).map_err(|error| error.to_string())?;
        let mut always: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut conditional = BTreeMap::new();
        for (number, rule) in self.0 {
            match rule {
                Rule::Always(errno) => {
                    let number = u32::try_from(number).map_err(|error| error.to_string())?;
                    always.entry(errno).or_default().push(number);
                }
                Rule::Where(rules) => {
                    conditional.insert(number, rules);
                }
            }
        }
        let action = SeccompAction::Errno(REFUSED);
        let compiled: BpfProgram =
            SeccompFilter::new(conditional, SeccompAction::Allow, action, arch)
                .and_then(TryInto::try_into)
                .map_err(|error| error.to_string())?;
        let mut program = preamble(&compiled, newest);
        for (errno, numbers) in always {
            program.extend(answers(&numbers, errno));
        }
        program.extend(compiled);
        Ok(program)
    }
}

/// A condition on a system call's argument, of which the kernel reads the lower 32 bits.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
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

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const GO_ON: u16 = 0x05; // BPF_JMP | BPF_JA
const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const ABOVE: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn return_error(errno: u32) -> sock_filter {
    step(RETURN, libc::SECCOMP_RET_ERRNO | errno, 0, 0)
}

/// Returns the first steps. They end with the call's number loaded.
///
/// They know one architecture's calls, and have one answer for all others: a 64-bit process can make 32-bit calls
/// (`int 0x80`), and on `x86_64` such of the x32 ABI, whose numbers have bit 30 set. Both would pass by the rules, so they
/// don't exist here. Nor do calls exist that are newer than these rules: a program that makes one goes on as on an older
/// kernel.
fn preamble(compiled: &[sock_filter], newest: u32) -> BpfProgram {
    /// The offset of the number in `struct seccomp_data`.
    const NUMBER: u32 = 0;
    /// The offset of the architecture.
    const ARCHITECTURE: u32 = 4;
    const X32: u32 = 1 << 30;

    // The compiled program starts with the same check, and so knows the value.
    let native = compiled
        .iter()
        .find(|step| step.code == EQUAL)
        .map_or(0, |step| step.k);
    let mut steps = vec![
        step(LOAD, ARCHITECTURE, 0, 0),
        step(EQUAL, native, 1, 0),
        return_error(MISSING),
        step(LOAD, NUMBER, 0, 0),
    ];
    if cfg!(target_arch = "x86_64") {
        steps.push(step(AT_LEAST, X32, 0, 1));
        steps.push(return_error(MISSING));
    }
    steps.push(step(ABOVE, newest, 0, 1));
    steps.push(return_error(MISSING));
    steps
}

/// Returns the steps that answer these calls with an error: one for each, and the answer behind them.
fn answers(numbers: &[u32], errno: u32) -> BpfProgram {
    let mut steps = Vec::new();
    // A jump leads over 255 steps at most.
    for numbers in numbers.chunks(usize::from(u8::MAX)) {
        for (number, left) in numbers.iter().zip((1..=u8::MAX).take(numbers.len()).rev()) {
            steps.push(step(EQUAL, *number, left, 0));
        }
        steps.push(step(GO_ON, 1, 0, 0));
        steps.push(return_error(errno));
    }
    steps
}
