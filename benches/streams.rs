//! The cost of making a module's output inert for a terminal, in MB of output per second.
//!
//! ```text
//! cargo bench --bench streams
//! ```
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::Instant;

use clap::Parser;
use wasix_landlock_benches::Spread;
use wasmer_wasix::profile::terminal::Inert;

/// Measures the filter for terminals.
#[derive(Parser)]
struct Arguments {
    /// Samples for each row.
    #[arg(long, default_value_t = 50)]
    samples: usize,
    /// Bytes in a write.
    #[arg(long, default_value_t = 4096)]
    write: usize,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Bytes in a sample.
const OUTPUT: usize = 4 << 20;

/// Typical output of programs, written again and again.
const KINDS: [(&str, &[u8]); 5] = [
    ("text", b"test stream::a_write_tells_how_much ... ok\n"),
    (
        "text with colours",
        b"\x1b[1;32m   Compiling\x1b[0m wasmer-wasix v0.704.2\n",
    ),
    (
        "German",
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.\n".as_bytes(),
    ),
    (
        "Chinese",
        "天地玄黃,宇宙洪荒。日月盈昃,辰宿列張。\n".as_bytes(),
    ),
    (
        "no text at all",
        b"\x7fELF\x02\x01\x01\0\x1b\xff\xc3\x90\x0f\xe2\x80\xae\x9b\r",
    ),
];

fn main() {
    let arguments = Arguments::parse();
    println!(
        "MB/s of output in writes of {} bytes: median (of the slowest tenth to the fastest), {} samples\n",
        arguments.write, arguments.samples
    );
    println!(
        "{:<18} {:>22} {:>22} {:>22}",
        "output", "copied", "inert", "inert, colours"
    );
    for (name, piece) in KINDS {
        let output: Vec<u8> = piece.iter().copied().cycle().take(OUTPUT).collect();
        let inert = |colours| {
            let mut inert = Inert::new().colours(colours);
            measure(&arguments, &output, move |written, shown| {
                inert.filter(written, shown)
            })
        };
        let copied = measure(&arguments, &output, |written, shown| {
            shown.extend_from_slice(written)
        });
        println!(
            "{name:<18} {copied:>22} {:>22} {:>22}",
            inert(false),
            inert(true)
        );
    }
}

fn measure(
    arguments: &Arguments,
    output: &[u8],
    mut write: impl FnMut(&[u8], &mut Vec<u8>),
) -> String {
    let mut shown = Vec::new();
    let samples: Vec<f64> = (0..arguments.samples)
        .map(|_| {
            let begun = Instant::now();
            for written in output.chunks(arguments.write.max(1)) {
                shown.clear();
                write(black_box(written), &mut shown);
                black_box(&shown);
            }
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    let rate = |micros: f64| OUTPUT as f64 / micros;
    Spread::of(&samples).map_or_else(
        || "no samples".to_owned(),
        |time| {
            format!(
                "{:.0} ({:.0} to {:.0})",
                rate(time.median),
                rate(time.ninetieth),
                rate(time.least)
            )
        },
    )
}
