//! Commands that `ioctl(2)` takes.

use crate::{Condition, Protection, Refusal, Rules};

/// No descriptor.
const NO: i64 = -1;

/// Commands that a WASI runtime, tokio, Rust's standard library and the C libraries need, from
/// `asm-generic/ioctls.h`. All of them are about the descriptor or a terminal's settings.
const ALLOWED: [u32; 13] = [
    0x5450,      // FIONCLEX
    0x5451,      // FIOCLEX: the standard library, for what it opens
    0x5421,      // FIONBIO: the standard library and mio, for sockets and pipes
    0x541b,      // FIONREAD: how much of a pipe or socket can be read
    0x5401,      // TCGETS: isatty
    0x5402,      // TCSETS: WASIX's terminal calls, with the next two
    0x5403,      // TCSETSW
    0x5404,      // TCSETSF
    0x802c_542a, // TCGETS2: the same four in glibc 2.42 and rustix
    0x402c_542b, // TCSETS2
    0x402c_542c, // TCSETSW2
    0x402c_542d, // TCSETSF2
    0x5413,      // TIOCGWINSZ: how large a terminal is, and isatty in musl
];

/// Commands of any file system that change an inode, from `linux/fs.h`, `linux/fsverity.h` and
/// `linux/fscrypt.h`: flags, version, verity, encryption; with their 32-bit twins.
const INODE: [u32; 7] = [
    0x4008_6602, // FS_IOC_SETFLAGS
    0x4004_6602, // FS_IOC32_SETFLAGS
    0x401c_5820, // FS_IOC_FSSETXATTR
    SET_VERSION,
    0x4004_7602, // FS_IOC32_SETVERSION
    0x4080_6685, // FS_IOC_ENABLE_VERITY
    0x800c_6613, // FS_IOC_SET_ENCRYPTION_POLICY
];

/// `FS_IOC_SETVERSION`.
const SET_VERSION: u32 = 0x4008_7602;

/// `TIOCSTI` in `asm-generic/ioctls.h`: typing.
const TYPE: u32 = 0x5412;

/// [`TYPE`], and `TIOCLINUX`: pasting on a console.
const TERMINAL_INPUT: [u32; 2] = [TYPE, 0x541c];

/// Adds the rules of a protection, and returns the calls that prove them.
pub(crate) fn add(protection: Protection, rules: &mut Rules) -> Vec<Refusal> {
    let (refused, name, shown): (&[u32], _, _) = match protection {
        Protection::Metadata => (&INODE, "ioctl(FS_IOC_SETVERSION)", SET_VERSION),
        Protection::TerminalInput => (&TERMINAL_INPUT, "ioctl(TIOCSTI)", TYPE),
        Protection::Ioctl => {
            let others = ALLOWED.map(|command| Condition::IsNot(1, command));
            rules.refuse_where(libc::SYS_ioctl, &others);
            // Any other will do, such as the one that no kernel has.
            (&[], "ioctl", 0)
        }
        _ => return Vec::new(),
    };
    for command in refused {
        rules.refuse_where(libc::SYS_ioctl, &[Condition::Is(1, *command)]);
    }
    let arguments = [NO, shown.into(), 0, 0, 0];
    vec![Refusal::new(protection, name, libc::SYS_ioctl, arguments)]
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each C library has a type of its own for them.
    #[allow(clippy::unnecessary_cast)]
    #[test]
    fn commands_have_the_numbers_that_libc_knows() {
        for (command, libc) in [
            (ALLOWED[0], libc::FIONCLEX),
            (ALLOWED[1], libc::FIOCLEX),
            (ALLOWED[2], libc::FIONBIO),
            (ALLOWED[3], libc::FIONREAD),
            (ALLOWED[4], libc::TCGETS),
            (ALLOWED[5], libc::TCSETS),
            (ALLOWED[6], libc::TCSETSW),
            (ALLOWED[7], libc::TCSETSF),
            (ALLOWED[8], libc::TCGETS2),
            (ALLOWED[9], libc::TCSETS2),
            (ALLOWED[10], libc::TCSETSW2),
            (ALLOWED[11], libc::TCSETSF2),
            (ALLOWED[12], libc::TIOCGWINSZ),
            (INODE[0], libc::FS_IOC_SETFLAGS),
            (INODE[3], libc::FS_IOC_SETVERSION),
            (TERMINAL_INPUT[0], libc::TIOCSTI),
            (TERMINAL_INPUT[1], libc::TIOCLINUX),
        ] {
            assert_eq!(
                u64::from(command),
                libc as u64 & 0xffff_ffff,
                "{command:#x}"
            );
        }
    }

    #[test]
    fn nothing_is_allowed_that_is_refused_by_name() {
        for command in INODE.iter().chain(&TERMINAL_INPUT) {
            assert!(!ALLOWED.contains(command), "{command:#x}");
        }
    }
}
