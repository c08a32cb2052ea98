//! The messages between a host and a process that makes copies of itself.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use nix::libc::c_int;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The standard streams of a copy. Asking for a copy sends them.
#[derive(Debug)]
pub(crate) struct Streams {
    /// The worker's end of its socket.
    pub(crate) control: OwnedFd,
    pub(crate) output: OwnedFd,
    pub(crate) errors: OwnedFd,
}

/// The answers of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A copy with this number was made. Its pidfd comes with the answer.
    Made(c_int),
    /// No copy was made, for this error.
    NotMade(c_int),
    /// A copy has ended, with this status of wait(2).
    Ended(c_int, c_int),
}

/// The length of an answer: its kind, and two numbers.
const LENGTH: usize = 12;

impl Answer {
    #[cfg(any(feature = "program", test))]
    fn to_bytes(self) -> [u8; LENGTH] {
        let (kind, first, second) = match self {
            Self::Made(id) => (1, id, 0),
            Self::NotMade(errno) => (2, errno, 0),
            Self::Ended(id, status) => (3, id, status),
        };
        let mut bytes = [0; LENGTH];
        for (place, number) in bytes.chunks_exact_mut(4).zip([kind, first, second]) {
            place.copy_from_slice(&c_int::to_le_bytes(number));
        }
        bytes
    }

    fn of_bytes(bytes: [u8; LENGTH]) -> Option<Self> {
        let (numbers, _) = bytes.as_chunks();
        let [kind, first, second] = <[[u8; 4]; 3]>::try_from(numbers)
            .ok()?
            .map(c_int::from_le_bytes);
        match kind {
            1 => Some(Self::Made(first)),
            2 => Some(Self::NotMade(first)),
            3 => Some(Self::Ended(first, second)),
            _ => None,
        }
    }
}

/// Asks for a copy with these streams.
pub(crate) fn ask(control: &UnixStream, streams: &Streams) -> io::Result<()> {
    let descriptors = [&streams.control, &streams.output, &streams.errors].map(AsFd::as_fd);
    send(control, &[0], &descriptors)
}

/// Receives the streams of a copy that is asked for; nothing at the end of the host.
#[cfg(feature = "program")]
pub(crate) fn asked(control: &UnixStream) -> io::Result<Option<io::Result<Streams>>> {
    let mut byte = [0];
    let (length, descriptors) = receive(control, &mut byte)?;
    if length == 0 {
        return Ok(None);
    }
    let streams = <[OwnedFd; 3]>::try_from(descriptors);
    Ok(Some(streams.map_or_else(
        // What doesn't fit into this process's table is left out.
        |_| Err(nix::errno::Errno::EMFILE.into()),
        |[control, output, errors]| {
            Ok(Streams {
                control,
                output,
                errors,
            })
        },
    )))
}

/// Answers the host.
#[cfg(feature = "program")]
pub(crate) fn tell(
    control: &UnixStream,
    answer: Answer,
    process: Option<&OwnedFd>,
) -> io::Result<()> {
    let process: Vec<_> = process.map(AsFd::as_fd).into_iter().collect();
    send(control, &answer.to_bytes(), &process)
}

/// Receives an answer; nothing at the end of the process.
pub(crate) fn answer(control: &UnixStream) -> io::Result<Option<(Answer, Option<OwnedFd>)>> {
    let mut bytes = [0; LENGTH];
    let (length, mut descriptors) = receive(control, &mut bytes)?;
    if length == 0 {
        return Ok(None);
    }
    let answer = (length == LENGTH)
        .then(|| Answer::of_bytes(bytes))
        .flatten();
    let answer = answer.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some((answer, descriptors.pop())))
}

fn send(
    control: &UnixStream,
    bytes: &[u8],
    descriptors: &[std::os::fd::BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let sent = rustix::io::retry_on_intr(|| {
        sendmsg(
            control,
            &[IoSlice::new(bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
    })?;
    // A message this short goes at once, or the other end is gone.
    match sent == bytes.len() {
        true => Ok(()),
        false => Err(io::ErrorKind::WriteZero.into()),
    }
}

fn receive(control: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        let bytes = &mut [IoSliceMut::new(bytes)];
        recvmsg(control, bytes, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok((received.bytes, descriptors.flatten().collect()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        for answer in [
            Answer::Made(1),
            Answer::NotMade(11),
            Answer::Ended(i32::MAX, 139),
        ] {
            assert_eq!(Answer::of_bytes(answer.to_bytes()), Some(answer));
        }
        assert_eq!(Answer::of_bytes([0; LENGTH]), None);
    }
}
