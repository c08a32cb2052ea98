//! Generated sequences: the same from the same seed.

mod threads;

use fastrand::Rng;

use crate::case::{Case, Input, Step};

const SLOTS: [&str; 4] = ["f0", "f1", "f2", "f3"];

/// The sequence of a seed: of one thread, of several in directories of their own, or of several in one directory.
#[must_use]
pub fn generate(seed: u64) -> Case {
    let rng = &mut Rng::with_seed(seed);
    let mut case = Case::new(&format!("seed-{seed}"), "generated");
    // A read of an empty pipe would wait.
    case.input = pick(rng, &[Input::Null, Input::File]);
    case.harden = (seed / 16) % 4 == 3;
    let lines = match (seed / 4) % 4 {
        2 => threads::apart(rng),
        3 => threads::shared(rng),
        _ => one_thread(rng),
    };
    case.steps = lines.iter().map(|line| Step::parse(line)).collect();
    case
}

fn plain_setup() -> Vec<String> {
    [
        "host write p/f first",
        "host write p/g second",
        "host mkdir p/d",
        "host write p/d/a third",
        "host mkdir p/e",
        "host mkdir q/d",
        "host write q/f other",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn one_thread(rng: &mut Rng) -> Vec<String> {
    let mut lines = plain_setup();
    for _ in 0..rng.usize(..4) {
        lines.push(pick(rng, &SETUP).to_owned());
    }
    lines.dedup();
    let mut seen = Vec::new();
    lines.retain(|line| {
        let place = line.rsplit(' ').next().unwrap_or_default().to_owned();
        let new = !line.contains("symlink") && !line.contains("link") || !seen.contains(&place);
        seen.push(place);
        new
    });
    lines.push("start".to_owned());
    for _ in 0..rng.usize(5..40) {
        lines.push(if rng.u8(..8) == 0 {
            change(rng)
        } else {
            call(rng)
        });
    }
    lines
}

const SETUP: [&str; 8] = [
    "host symlink f p/l",
    "host symlink d p/ld",
    "host symlink nothing p/dang",
    "host symlink ../q/f p/out",
    "host symlink loop p/loop",
    "host link p/f p/h",
    "host symlink ../f p/d/up",
    "host times p/f 1000000000",
];

fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())].clone()
}

fn name(rng: &mut Rng) -> &'static str {
    pick(
        rng,
        &[
            "f", "f", "f", "g", "g", "d", "d", "e", "n", "n", "m", "l", "ld", "dang", "h", "a",
            "loop", "out",
        ],
    )
}

/// A path as programs have it, and some that they rarely have.
fn path(rng: &mut Rng) -> String {
    let path = match rng.u8(..24) {
        0..=14 => name(rng).to_owned(),
        15..=19 => format!("{}/{}", pick(rng, &["d", "d", "e", "ld", "n"]), name(rng)),
        20 => format!("{}/../{}", pick(rng, &["d", "e", "n"]), name(rng)),
        21 => pick(rng, &[".", "..", "../q/f", "d/..", "/f", "''", "{x*300}"]).to_owned(),
        22 => format!("./{}", name(rng)),
        _ => format!("{}//{}", pick(rng, &["d", "e"]), name(rng)),
    };
    if rng.u8(..20) == 0 && path != "''" {
        return path + "/";
    }
    path
}

fn place(rng: &mut Rng) -> String {
    let directory = match rng.u8(..16) {
        0 => pick(rng, &SLOTS),
        1 | 2 => "q",
        _ => "p",
    };
    format!("{directory} {}", path(rng))
}

fn slot(rng: &mut Rng) -> &'static str {
    pick(rng, &SLOTS[..3])
}

fn times(rng: &mut Rng) -> String {
    let one = |rng: &mut Rng| {
        pick(
            rng,
            &[
                "now",
                "omit",
                "0",
                "1000000000123456789",
                "1100000000000000000",
            ],
        )
    };
    format!("{},{}", one(rng), one(rng))
}

/// A change by the host.
fn change(rng: &mut Rng) -> String {
    let at = |rng: &mut Rng| {
        let directory = pick(rng, &["p", "p", "p", "q", "p/d"]);
        format!("{directory}/{}", name(rng))
    };
    let (one, other) = (at(rng), at(rng));
    match rng.u8(..12) {
        0 | 1 => format!("host write {one} by-the-host"),
        2 => format!("host append {one} more"),
        3 => format!("host replace {one} another"),
        4 => format!("host truncate {one} {}", rng.u8(..9)),
        5 => format!("host mkdir {one}"),
        6 => format!("host rm {one}"),
        7 => format!("host rmdir {one}"),
        8 | 9 => format!("host rename {one} {other}"),
        10 => format!("host link {one} {other}"),
        _ => format!("host times {one} {}", 1_000_000_000 + u32::from(rng.u8(..))),
    }
}

const OPEN: [&str; 16] = [
    "r", "r", "rw", "rw", "w", "wa", "rwc", "rwc", "wct", "wcx", "rwca", "d", "d", "rn", "wt",
    "rwcn",
];

/// A call.
fn call(rng: &mut Rng) -> String {
    let (one, fd) = (place(rng), slot(rng));
    match rng.u8(..64) {
        0..=9 => format!(
            "open {one} {} as {}",
            pick(rng, &OPEN),
            pick(rng, &SLOTS[..3])
        ),
        10 | 11 => format!("open {one} d as f3"),
        12 => format!("close {}", pick(rng, &SLOTS)),
        13..=15 => format!("read {fd} {}", pick(rng, &[0, 1, 3, 99])),
        16..=18 => format!(
            "write {fd} {}",
            pick(rng, &["x", "text", "longer-text", "''"])
        ),
        19 => format!("pread {fd} 9 {}", rng.u8(..12)),
        20 => format!("pwrite {fd} over {}", rng.u8(..12)),
        21 => format!(
            "seek {fd} {} {}",
            rng.i8(-2..9),
            pick(rng, &["set", "cur", "end"])
        ),
        22 => format!("tell {fd}"),
        23..=25 => format!("fstat {fd}"),
        26 => format!("fdstat {fd}"),
        27 => format!("setflags {fd} {}", pick(rng, &["a", "-"])),
        28 => format!("truncate {fd} {}", rng.u8(..20)),
        29 => format!("allocate {fd} {} {}", rng.u8(..9), rng.u8(..30)),
        30 => format!("{} {fd}", pick(rng, &["sync", "datasync", "advise"])),
        31 => format!("{} {}", pick(rng, &["sync", "fstat"]), "f3"),
        32 => format!("ftimes {} {}", pick(rng, &["f0", "f1", "f3"]), times(rng)),
        33 => format!("list {}", pick(rng, &["f3", "f3", "f0"])),
        34 => format!(
            "renumber {fd} {}",
            pick(rng, &["f0", "f1", "f2", "f3", "stdout"])
        ),
        35..=37 => format!("stat {one}"),
        38 | 39 => format!("lstat {one}"),
        40 => format!("readlink {one} {}", pick(rng, &[0, 3, 99])),
        41..=43 => format!("mkdir {one}"),
        44 => format!("rmdir {one}"),
        45 | 46 => format!("unlink {one}"),
        47..=50 => format!("rename {one} {}", place(rng)),
        51 | 52 => format!("link {one} {}", place(rng)),
        53 | 54 => format!(
            "symlink {} {one}",
            pick(rng, &["f", "d", "nothing", "../f", "d/a", "."])
        ),
        55 => format!("{} {one} {}", pick(rng, &["times", "ltimes"]), times(rng)),
        56..=58 => format!("get {one}"),
        59 => format!("put {one} new-text"),
        60 => format!("add {one} added"),
        61 => format!("ls {one}"),
        62 => format!("cut {one} {}", rng.u8(..9)),
        _ => pick(rng, &["poll 0", "poll 1", "poll 0 r:f0", "poll 0 r:stdin"]).to_owned(),
    }
}
