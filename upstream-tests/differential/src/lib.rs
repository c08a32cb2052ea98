//! Call sequences, run natively and as a module on the fork, and compared call by call.
//!
//! The kernel is the reference. A case ([`case`]) is a list of calls on files, directories, links and descriptors, with
//! changes by the host in between. It runs twice, each time in a fresh directory: with Linux system calls, whose
//! errors get WASI's names ([`native`]), and as WASI preview 1 calls of a module in a process of its own
//! ([`guest`]), with enforcement. Compared are the result of each call and what it returned: data, positions, types,
//! sizes, link counts, times, listings, and which file on the disk a device and inode stand for. After each call the
//! directories are compared, and what differs is attributed to that call. Where the sides have gone apart, the rest of a
//! case is not compared, and counted as such. A call that does not return in time, or ends the process, is a
//! difference.
//!
//! Each case runs through four ways in ([`way`]): the fork's `preopen`, upstream's `.fs(…)` with a preopen by alias,
//! a runner's mounts, and a runner's mapped directories.
//!
//! A difference has a key that doesn't change from run to run, and is looked up in the list of known differences
//! ([`known`]): *known* ones have a reason, *open* ones are faults to be fixed, and all others fail the run. A
//! key of the list that no longer occurs fails the run as well, so that a fault is removed from the list when it is
//! fixed.
//!
//! ```text
//! cargo run --release -p wasix-landlock-differential -- cases [--write | --prune] [NAME…]
//! cargo run --release -p wasix-landlock-differential -- fuzz SECONDS [SEED]
//! cargo run --release -p wasix-landlock-differential -- seed SEED [WAY]
//! cargo run --release -p wasix-landlock-differential -- seeds FIRST COUNT
//! cargo run --release -p wasix-landlock-differential -- other NAME PROGRAM
//! ```
//!
//! - `cases` runs the kept cases (`cases/`), those whose name contains one of the words, and prints the table;
//!   `--write` puts it into `RESULTS.md`, `--prune` removes from the list what no longer occurs. With a word, each
//!   difference is printed with both sides.
//!
//! A generated case has one thread, several in directories of their own, or several that share names, files and
//! descriptors. Of the latter, what has to hold in any order is checked ([`shared`]).
//!
//! - `fuzz` runs the kept cases, and then generated ones. Each new difference is printed with its seed and a sequence
//!   that was made as short as possible: to keep it, append that to `cases/found.txt`. The table that it prints goes into
//!   `generated.md`.
//! - `seed` runs one generated sequence again and prints both sides; `seeds` runs so many, as the test does.
//! - `other` counts the lines of the kept cases that differ on the fork and on another runtime, whatever the list says.
//!   `wasmtime_worker.py` is the program for wasmtime's Python package. The table that it prints goes into
//!   `generated.md` as well.
//!
//! Cases that mount file systems (another device, a full one, a read-only one) need root, which gets a mount
//! namespace of its own; else they are skipped, with the reason.
#![forbid(unsafe_code)]

pub mod case;
pub mod compare;
pub mod composite;
pub mod disk;
pub mod errno;
pub mod fuzz;
pub mod generate;
pub mod guest;
pub mod host;
pub mod known;
pub mod native;
pub mod outcome;
pub mod shared;
pub mod sides;
pub mod situation;
pub mod suite;
pub mod table;
pub mod tally;
pub mod way;
