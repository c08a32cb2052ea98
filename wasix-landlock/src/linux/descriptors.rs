//! What is open when a policy is enforced.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::OpenOptionsExt,
    },
    process,
};

use super::sys;
use crate::{DescriptorKind, DescriptorReport, DescriptorsReport, EnforceError, Inherited, Report};

/// How many descriptors a report lists: a server may have ten thousand connections.
const LISTED: usize = 256;

/// The last of the standard streams.
const LAST_STREAM: i32 = 2;

/// Looks at what is open, and does with it what the policy says. `own` are this crate's.
///
/// Called before anything is restricted: `/proc` can't be opened afterwards, and an error leaves
/// the process as it was.
pub(crate) fn settle(
    inherited: &Inherited,
    own: &BTreeSet<i32>,
    report: &mut Report,
) -> Result<(), EnforceError> {
    let numbers = match open_now(own) {
        Ok(numbers) => numbers,
        Err(error) if *inherited == Inherited::Report => {
            report.warnings.push(format!(
                "what is open can't be listed in /proc/self/fd: {error}"
            ));
            return Ok(());
        }
        Err(source) => return Err(EnforceError::Descriptors { source }),
    };
    // A report of many would be long to make and to read; what is refused or closed is looked for
    // among all.
    let looked_at = match inherited {
        Inherited::Report => LISTED,
        _ => usize::MAX,
    };
    let total = numbers.len();
    // What was closed meanwhile by another thread is not open.
    let mut listed: Vec<DescriptorReport> = numbers
        .into_iter()
        .take(looked_at)
        .filter_map(describe)
        .collect();
    match inherited {
        Inherited::Report => {}
        Inherited::Refuse { allowed } => {
            let refused: Vec<String> = listed
                .iter()
                .filter(|descriptor| {
                    let number = descriptor.number;
                    number > LAST_STREAM
                        && !allowed.contains(&number)
                        && leads_outside(descriptor.kind)
                })
                .map(|descriptor| format!("{} ({})", descriptor.number, descriptor.target))
                .collect();
            if !refused.is_empty() {
                return Err(EnforceError::DescriptorsOpen { refused });
            }
        }
        Inherited::CloseInherited { kept } => {
            for descriptor in &mut listed {
                let number = descriptor.number;
                if number > LAST_STREAM && descriptor.passed_on && !kept.contains(&number) {
                    close(descriptor)?;
                }
            }
        }
        Inherited::Close(named) => {
            for number in named {
                match listed.iter_mut().find(|open| open.number == *number) {
                    Some(descriptor) if *number > LAST_STREAM => close(descriptor)?,
                    // Nothing is closed that isn't there, or that this crate needs.
                    _ => return Err(EnforceError::NotOpen { number: *number }),
                }
            }
        }
    }
    listed.truncate(LISTED);
    let unlisted = total.saturating_sub(LISTED);
    report.descriptors = Some(DescriptorsReport { listed, unlisted });
    Ok(())
}

fn close(descriptor: &mut DescriptorReport) -> Result<(), EnforceError> {
    sys::close(descriptor.number).map_err(|source| EnforceError::Descriptors { source })?;
    descriptor.closed = true;
    Ok(())
}

/// Whether it reaches something outside of the process. What is left counts, waits, or connects the
/// process with itself.
fn leads_outside(kind: DescriptorKind) -> bool {
    use DescriptorKind::{Device, Directory, File, Pipe, Socket};

    matches!(kind, File | Directory | Socket | Pipe | Device)
}

/// The descriptors that are open, lowest first.
fn open_now(own: &BTreeSet<i32>) -> io::Result<Vec<i32>> {
    let directory: File = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open("/proc/self/fd")?;
    let mut numbers: Vec<i32> = sys::list_directory(directory.as_fd())?
        .into_iter()
        .filter_map(|name| String::from_utf8(name).ok()?.parse().ok())
        .filter(|number| *number != directory.as_raw_fd() && !own.contains(number))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn describe(number: i32) -> Option<DescriptorReport> {
    let (flags, passed_on) = sys::flags(number).ok()?;
    let target = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    let kind = kind(number, sys::file_type(number).ok()?);
    // A file that is named only can be neither read nor written, whatever its access mode says.
    let access = if flags & libc::O_PATH == 0 {
        flags & libc::O_ACCMODE
    } else {
        -1
    };
    Some(DescriptorReport {
        number,
        kind,
        target: target.to_string_lossy().into_owned(),
        read: matches!(access, libc::O_RDONLY | libc::O_RDWR),
        write: matches!(access, libc::O_WRONLY | libc::O_RDWR),
        passed_on,
        closed: false,
    })
}

fn kind(number: i32, file_type: u32) -> DescriptorKind {
    match file_type {
        libc::S_IFREG => DescriptorKind::File,
        libc::S_IFDIR => DescriptorKind::Directory,
        libc::S_IFIFO => DescriptorKind::Pipe,
        libc::S_IFCHR | libc::S_IFBLK => DescriptorKind::Device,
        libc::S_IFSOCK => {
            let this = i32::try_from(process::id()).ok();
            if sys::is_unnamed_pair(number) && sys::peer_process(number) == this {
                DescriptorKind::SocketPair
            } else {
                DescriptorKind::Socket
            }
        }
        _ => DescriptorKind::Other,
    }
}
