//! Sequences of several threads.

use fastrand::Rng;

use super::{SETUP, call, change, pick, plain_setup};
use crate::case::Kind;
use crate::guest::threads::MOST;

/// Blocks of threads, each in its own directories, with calls of the program and changes of the host in between.
pub(super) fn apart(rng: &mut Rng) -> Vec<String> {
    let count = rng.u32(2..=MOST);
    let mut lines = plain_setup();
    for thread in 1..=count {
        lines.extend(["p", "q"].map(|directory| format!("host mkdir {directory}/t{thread}")));
        let mut own = plain_setup();
        own.extend((0..rng.usize(..3)).map(|_| pick(rng, &SETUP).to_owned()));
        own.dedup();
        lines.extend(own.iter().filter_map(|line| confine(line, thread)));
    }
    let mut seen = Vec::new();
    lines.retain(|line| {
        let place = line.rsplit(' ').next().unwrap_or_default().to_owned();
        let new = !line.contains("link") || !seen.contains(&place);
        seen.push(place);
        new
    });
    lines.push("start".to_owned());
    for _ in 0..rng.usize(1..3) {
        between(rng, &mut lines, count);
        let length = rng.usize(4..30);
        for thread in 1..=count {
            for _ in 0..length {
                lines.push(format!(
                    "{} {thread} {}",
                    Kind::Apart.name(),
                    own_line(rng, thread)
                ));
            }
        }
    }
    between(rng, &mut lines, count);
    lines
}

/// The calls of the program while it has one thread.
fn between(rng: &mut Rng, lines: &mut Vec<String>, count: u32) {
    for _ in 0..rng.usize(..5) {
        let thread = rng.u32(1..=count);
        lines.push(own_line(rng, thread));
    }
}

/// A call or a change of the host, in the directories of one thread.
fn own_line(rng: &mut Rng, thread: u32) -> String {
    loop {
        let line = match rng.u8(..8) {
            0 => change(rng),
            _ => call(rng),
        };
        if let Some(line) = confine(&line, thread) {
            return line;
        }
    }
}

/// The same line with paths in the thread's own directories; none if it could lead out of them, or to what the threads
/// have in common.
fn confine(line: &str, thread: u32) -> Option<String> {
    let common = ["..", " /f", "std", " . ", "host replace"];
    if common.iter().any(|part| line.contains(part)) || line.ends_with(" .") {
        return None;
    }
    let words: Vec<&str> = line.split(' ').collect();
    let is_host = words[0] == "host";
    let mut confined = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let is_path = index > 0 && ["p", "q"].contains(&words[index - 1]) && *word != "''";
        confined.push(match word.split_once('/') {
            _ if is_path => format!("t{thread}/{word}"),
            Some((directory @ ("p" | "q"), rest)) if is_host => {
                format!("{directory}/t{thread}/{rest}")
            }
            _ => (*word).to_owned(),
        });
    }
    Some(confined.join(" "))
}

/// A block of threads that have names, files and descriptors in common.
pub(super) fn shared(rng: &mut Rng) -> Vec<String> {
    let kind = pick(rng, &[Kind::Shared, Kind::Shared, Kind::Chaos]);
    let mut lines: Vec<String> = [
        "host mkdir p/s",
        "host write p/s/stable stays",
        "host write p/s/tok token",
        "host write p/s/log ''",
        "host write p/s/offset ''",
        "host write p/s/regions ''",
        "start",
        "open p s/regions rw as f1",
        "open p s/offset rw as f2",
        "open p s/log wa as f3",
        "open p s d as f0",
    ]
    .map(str::to_owned)
    .to_vec();
    let length = rng.usize(5..60);
    for thread in 1..=rng.u32(2..=MOST) {
        let mut last = String::new();
        for index in 0..length {
            let line = match kind {
                Kind::Chaos if rng.bool() => of_descriptor(rng),
                _ => in_common(rng, thread, index, &mut last),
            };
            lines.push(format!("{} {thread} {line}", kind.name()));
        }
    }
    for line in [
        "mkdir p after",
        "put p after/a text",
        "ls p after",
        "get p after/a",
    ] {
        lines.push(line.to_owned());
    }
    lines
}

/// A call of which [`crate::shared`] knows what has to come of it, whatever the others do.
fn in_common(rng: &mut Rng, thread: u32, index: usize, region: &mut String) -> String {
    let (directory, file) = (rng.u8(..2), rng.u8(..3));
    let at = thread * 100;
    match rng.u8(..24) {
        0..=2 => format!("mkdir p s/d{directory}"),
        3 | 4 => format!("rmdir p s/d{directory}"),
        5..=7 => format!("try p s/x{file} wcx"),
        8 => format!("link p s/stable p s/x{file}"),
        9 => format!("symlink stable p s/x{file}"),
        10 | 11 => format!("unlink {}x{file}", pick(rng, &["p s/", "f0 "])),
        12 => format!("rename p s/tok p s/tok.{thread}"),
        13 => format!("rename p s/tok.{thread} p s/tok"),
        14 => format!("add p s/log {thread}.{index};"),
        15 => format!("write f3 {thread}.{index};"),
        16 => format!("write f2 {thread}.{index};"),
        17 => {
            *region = format!("{thread}.{index};");
            format!("pwrite f1 {region} {at}")
        }
        18 if !region.is_empty() => format!("pread f1 {} {at}", region.len()),
        19 => pick(rng, &["ls p s", "list f0"]).to_owned(),
        20 => "get p s/stable".to_owned(),
        21 => format!(
            "{} p s/{}",
            pick(rng, &["stat", "lstat"]),
            pick(rng, &["x0", "d0", "tok"])
        ),
        22 => "stat p s/stable".to_owned(),
        _ => format!("fstat f{file}"),
    }
}

/// A call on a descriptor that others close, renumber and open anew meanwhile.
fn of_descriptor(rng: &mut Rng) -> String {
    let one = rng.u8(..4);
    match rng.u8(..16) {
        0..=2 => format!("close f{one}"),
        3..=5 => format!(
            "open p s/{} {} as f{one}",
            pick(rng, &["stable", "regions", "x0"]),
            pick(rng, &["r", "rw", "wa", "rwc"])
        ),
        6 => format!("open p s d as f{one}"),
        7 | 8 => format!("renumber f{one} f{}", rng.u8(..4)),
        9 => format!("read f{one} 9"),
        10 => format!("write f{one} text"),
        11 => format!("seek f{one} 0 {}", pick(rng, &["set", "end", "cur"])),
        12 => format!("fdstat f{one}"),
        13 => format!("list f{one}"),
        14 => format!("truncate f{one} {}", rng.u8(..9)),
        _ => format!("setflags f{one} {}", pick(rng, &["a", "-"])),
    }
}
