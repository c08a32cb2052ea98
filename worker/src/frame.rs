//! The frames between host and worker: a kind, a length, and so many bytes.

use std::io::{self, Read, Write};

/// Kinds of frames.
pub(crate) mod kind {
    /// From the host, first: the request, as JSON.
    pub(crate) const REQUEST: u8 = 1;
    /// From the host, second, unless the request names a file: the module or the artifact.
    pub(crate) const MODULE: u8 = 2;
    /// From the host: standard input. An empty one is its end.
    pub(crate) const INPUT: u8 = 3;
    /// From the host, first: the number of the host's process, in four bytes with the lowest first. The process makes
    /// copies of itself from then on.
    pub(crate) const COPIES: u8 = 4;
    /// From the worker, before it looks at the module: the report, as JSON.
    pub(crate) const REPORT: u8 = 11;
    /// From the worker: the compiled module.
    pub(crate) const ARTIFACT: u8 = 12;
    /// From the worker, last: how it ended, as JSON.
    pub(crate) const END: u8 = 13;
}

/// The most that the host puts into a frame, such as an artifact.
#[cfg(any(feature = "program", test))]
pub(crate) const LARGEST: u64 = 1 << 30;

/// The bytes that are made room for before they come.
const SMALL: u64 = 1 << 16;

pub(crate) fn write(to: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let mut head = [kind; 9];
    head[1..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    // As one write for what is small.
    if bytes.len() < 4096 {
        return to.write_all(&[&head, bytes].concat());
    }
    to.write_all(&head)?;
    to.write_all(bytes)
}

/// Reads the kind and the length of a frame; nothing at the end of the stream.
pub(crate) fn head(from: &mut impl Read) -> io::Result<Option<(u8, u64)>> {
    let mut head = [0; 9];
    let first = loop {
        match from.read(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[first..])?;
    let [kind, length @ ..] = head;
    Ok(Some((kind, u64::from_le_bytes(length))))
}

/// Reads the bytes behind a [`head`].
pub(crate) fn body(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    // Grows with what comes, not with what is promised.
    let mut bytes = Vec::with_capacity(length.min(SMALL) as usize);
    let read = from.take(length).read_to_end(&mut bytes)?;
    if (read as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// Reads a frame from the host; nothing at the end of the stream.
#[cfg(any(feature = "program", test))]
pub(crate) fn read(from: &mut impl Read, largest: u64) -> io::Result<Option<(u8, Vec<u8>)>> {
    let Some((kind, length)) = head(from)? else {
        return Ok(None);
    };
    if length > largest {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes"),
        ));
    }
    Ok(Some((kind, body(from, length)?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 4095, 4096, 100_000] {
            let sent = vec![7; length];
            let mut bytes = Vec::new();
            write(&mut bytes, kind::MODULE, &sent).unwrap();
            write(&mut bytes, kind::INPUT, &[]).unwrap();
            let mut rest = bytes.as_slice();
            assert_eq!(
                read(&mut rest, LARGEST).unwrap(),
                Some((kind::MODULE, sent))
            );
            assert_eq!(
                read(&mut rest, LARGEST).unwrap(),
                Some((kind::INPUT, vec![]))
            );
            assert_eq!(read(&mut rest, LARGEST).unwrap(), None);
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_or_too_large_is_an_error() {
        let mut bytes = Vec::new();
        write(&mut bytes, kind::MODULE, &[7; 100]).unwrap();
        for length in 1..bytes.len() {
            assert!(read(&mut &bytes[..length], LARGEST).is_err(), "{length}");
        }
        assert!(read(&mut bytes.as_slice(), 99).is_err());
        let mut huge = vec![kind::MODULE];
        huge.extend(u64::MAX.to_le_bytes());
        assert!(read(&mut huge.as_slice(), LARGEST).is_err());
    }
}
