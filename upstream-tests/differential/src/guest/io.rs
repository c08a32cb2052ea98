//! Calls on descriptors, as preview 1 has them.

use anyhow::{Context, bail, ensure};

use super::call::{Answer, Call};
use super::{Guest, long, word};
use crate::composite::listing;
use crate::outcome::{Kind, Meta, Outcome};

/// The bytes of a listing per request: less than most directories have.
const LISTING: u32 = 160;
/// The number of times that a listing may go on.
const PIECES: usize = 10_000;

/// Makes a call on a descriptor.
///
/// # Errors
/// If the words are no call, or the module can't be asked.
pub fn call(guest: &mut Guest<'_>, words: &[&str]) -> anyhow::Result<Answer> {
    if let ["poll", milliseconds, events @ ..] = words {
        return poll(guest, milliseconds.parse()?, events);
    }
    let [name, slot, rest @ ..] = words else {
        bail!("no such call");
    };
    let (fd, room) = (guest.fd(slot), guest.room);
    let on = |function: &str| {
        let mut call = Call::new(function, room);
        call.number(fd);
        call
    };
    match (*name, rest) {
        ("read", [size]) => receive(guest, on("fd_read"), size.parse()?, None),
        ("pread", [size, offset]) => {
            receive(guest, on("fd_pread"), size.parse()?, Some(offset.parse()?))
        }
        ("write", [text]) => send(guest, on("fd_write"), text, None),
        ("pwrite", [text, offset]) => send(guest, on("fd_pwrite"), text, Some(offset.parse()?)),
        ("seek", [offset, whence]) => {
            let offset = match offset.parse::<i64>() {
                Ok(offset) => offset.cast_unsigned(),
                Err(_) => offset.parse()?,
            };
            let whence = match *whence {
                "set" => 0_u32,
                "cur" => 1,
                _ => 2,
            };
            let mut seek = on("fd_seek");
            seek.long(offset).number(whence).result(8);
            position(guest, seek)
        }
        ("tell", []) => {
            let mut tell = on("fd_tell");
            tell.result(8);
            position(guest, tell)
        }
        ("fstat", []) => {
            let mut stat = on("fd_filestat_get");
            stat.result(64);
            let clock = guest.clock;
            let answer = guest.calls.call(stat)?;
            Ok(answer.map(|bytes| Outcome::ok().with_meta(&meta(&bytes), clock)))
        }
        ("fdstat", []) => {
            let mut stat = on("fd_fdstat_get");
            stat.result(24);
            let answer = guest.calls.call(stat)?;
            Ok(answer.map(|bytes| {
                let kind = Kind::from_number(bytes[0]);
                // As the C library asks: a terminal can't be positioned.
                let seekable = long(&bytes, 8) & (1 << 2 | 1 << 5) != 0;
                Outcome::ok()
                    .with("type", kind.name())
                    .with("append", bytes[2] & 1 == 1)
                    .with("isatty", kind == Kind::Character && !seekable)
            }))
        }
        ("setflags", [letters]) => {
            let mut set = on("fd_fdstat_set_flags");
            set.number(letters.contains('a'));
            guest.plain(set)
        }
        ("truncate", [size]) => {
            let mut set = on("fd_filestat_set_size");
            set.long(size.parse()?);
            guest.plain(set)
        }
        ("allocate", [offset, size]) => {
            let mut allocate = on("fd_allocate");
            allocate.long(offset.parse()?).long(size.parse()?);
            guest.plain(allocate)
        }
        ("advise", []) => {
            let mut advise = on("fd_advise");
            advise.long(0).long(0).number(3_u32);
            guest.plain(advise)
        }
        ("sync", []) => guest.plain(on("fd_sync")),
        ("datasync", []) => guest.plain(on("fd_datasync")),
        ("ftimes", [pair]) => {
            let (access, modification, flags) = times(pair)?;
            let mut set = on("fd_filestat_set_times");
            set.long(access).long(modification).number(flags);
            guest.plain(set)
        }
        ("list", []) => list(guest, fd),
        _ => bail!("no such call"),
    }
}

fn receive(
    guest: &mut Guest<'_>,
    mut call: Call,
    size: u32,
    offset: Option<u64>,
) -> anyhow::Result<Answer> {
    // The count comes first, the bytes after it.
    call.vector(call.answer_at() + 8, size);
    if let Some(offset) = offset {
        call.long(offset);
    }
    call.result(8);
    call.answer += size;
    let answer = guest.calls.call(call)?;
    Ok(answer.map(|bytes| {
        let used = word(&bytes, 0).min(size) as usize;
        Outcome::ok().with_bytes(&bytes[8..8 + used])
    }))
}

fn send(
    guest: &mut Guest<'_>,
    mut call: Call,
    text: &str,
    offset: Option<u64>,
) -> anyhow::Result<Answer> {
    // The vector is the first of the data, the text follows.
    call.vector(call.data_at() + 8, u32::try_from(text.len())?);
    call.data.extend(text.as_bytes());
    if let Some(offset) = offset {
        call.long(offset);
    }
    call.result(8);
    let answer = guest.calls.call(call)?;
    Ok(answer.map(|bytes| Outcome::ok().with("size", word(&bytes, 0))))
}

fn position(guest: &mut Guest<'_>, call: Call) -> anyhow::Result<Answer> {
    let answer = guest.calls.call(call)?;
    Ok(answer.map(|bytes| Outcome::ok().with("position", long(&bytes, 0))))
}

/// Lists piece by piece, so that cookies are used.
fn list(guest: &mut Guest<'_>, fd: u32) -> anyhow::Result<Answer> {
    let (mut entries, mut cookie, mut size) = (Vec::new(), 0, LISTING);
    for _ in 0..PIECES {
        let mut read = guest.new_call("fd_readdir");
        read.number(fd)
            .result(size)
            .number(size)
            .long(cookie)
            .result(8);
        let bytes = match guest.calls.call(read)? {
            Ok(bytes) => bytes,
            Err(outcome) => return Ok(Err(outcome)),
        };
        let used = word(&bytes, bytes.len() - 8).min(size);
        let before = entries.len();
        let mut rest = &bytes[..used as usize];
        while let Some((head, behind)) = rest.split_at_checked(24) {
            let Some((name, behind)) = behind.split_at_checked(word(head, 16) as usize) else {
                break;
            };
            cookie = long(head, 0);
            let name = String::from_utf8_lossy(name).into_owned();
            entries.push((name, Kind::from_number(head[20]), long(head, 8)));
            rest = behind;
        }
        if used < size {
            return Ok(Ok(listing(&entries)));
        }
        // A name that doesn't fit.
        if entries.len() == before {
            size *= 2;
            ensure!(size < 0x4_0000, "a listing that never fits");
        }
    }
    let detail = format!("a listing without end: {} names", entries.len());
    Ok(Err(Outcome::end("hang", detail)))
}

fn poll(guest: &mut Guest<'_>, milliseconds: u64, events: &[&str]) -> anyhow::Result<Answer> {
    let mut subscriptions = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let (kind, slot) = match event.split_once(':') {
            Some(("r", slot)) => (1_u8, slot),
            Some(("w", slot)) => (2, slot),
            _ => bail!("{event} is no event"),
        };
        let mut subscription = [0; 48];
        subscription[..8].copy_from_slice(&(index as u64).to_le_bytes());
        subscription[8] = kind;
        subscription[16..20].copy_from_slice(&guest.fd(slot).to_le_bytes());
        subscriptions.extend(subscription);
    }
    let mut timeout = [0; 48];
    timeout[..8].copy_from_slice(&(events.len() as u64).to_le_bytes());
    timeout[16] = 1;
    timeout[24..32].copy_from_slice(&(milliseconds * 1_000_000).to_le_bytes());
    subscriptions.extend(timeout);
    let count = u32::try_from(events.len() + 1)?;
    let mut poll = guest.new_call("poll_oneoff");
    poll.bytes(&subscriptions)
        .result(32 * count)
        .number(count)
        .result(8);
    let bytes = match guest.calls.call(poll)? {
        Ok(bytes) => bytes,
        Err(outcome) => return Ok(Err(outcome)),
    };
    let came = word(&bytes, bytes.len() - 8).min(count) as usize;
    let mut ready: Vec<(u64, String)> = bytes[..32 * came]
        .chunks_exact(32)
        .map(|event| {
            let index = long(event, 0);
            let name = events.get(usize::try_from(index).unwrap_or(usize::MAX));
            let error = match word(event, 8) & 0xffff {
                0 => String::new(),
                number => format!("({number})"),
            };
            (index, format!("{}{error}", name.unwrap_or(&"time")))
        })
        .collect();
    ready.sort();
    // A time that is over beside a descriptor that is ready is as good as without.
    if ready.len() > 1 {
        ready.retain(|(_, name)| name != "time");
    }
    let ready: Vec<String> = ready.into_iter().map(|(_, name)| name).collect();
    Ok(Ok(Outcome::ok().with("ready", ready.join(" "))))
}

/// Metadata, as preview 1 lays it out.
#[must_use]
pub fn meta(bytes: &[u8]) -> Meta {
    Meta {
        device: long(bytes, 0),
        inode: long(bytes, 8),
        kind: Kind::from_number(bytes[16]),
        links: long(bytes, 24),
        size: long(bytes, 32),
        times: [long(bytes, 40), long(bytes, 48), long(bytes, 56)],
    }
}

/// A pair of times, with the flags that go with them.
///
/// # Errors
/// If it is none.
pub fn times(words: &str) -> anyhow::Result<(u64, u64, u32)> {
    let (access, modification) = words.split_once(',').context("two times")?;
    let one = |word: &str, set: u32| {
        Ok::<_, anyhow::Error>(match word {
            "now" => (0, set << 1),
            "omit" => (0, 0),
            number => (number.parse()?, set),
        })
    };
    let (access, first) = one(access, 1)?;
    let (modification, second) = one(modification, 1 << 2)?;
    Ok((access, modification, first | second))
}
