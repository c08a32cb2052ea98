//! The plan of the measurement: the operations, the files that each needs, and the same done without a module.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

/// The name of the preopened directory in the module.
pub const PREOPEN: &str = "/work";

/// One operation, so many times.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operation {
    /// The name in the table.
    pub name: String,
    /// The module's export.
    pub call: String,
    /// The number of repetitions.
    pub count: u32,
    /// The path, below the directory that is preopened.
    pub path: String,
    /// The files that have to be there first.
    pub needs: Needs,
}

/// The files that an operation works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Needs {
    /// None.
    Nothing,
    /// One, of this size in bytes, at the path.
    File(usize),
    /// As many as it is done, each with a number behind the path.
    Numbered,
    /// A directory with so many files in it, at the path.
    Entries(u32),
}

const FILE: usize = 4 << 20;
/// The size of a read and of a write in turn.
pub const BLOCK: u32 = 4096;
/// The size of a read and of a write at an offset.
pub const PIECE: usize = 512;

/// The block that a read or write in turn is at, from the start again after the last one.
pub fn block(number: u32) -> u32 {
    number & (FILE as u32 / BLOCK - 1)
}

/// The offset of a read or write at an offset: pieces in no order, each in the file.
pub fn piece(number: u32) -> u32 {
    number.wrapping_mul(15 * PIECE as u32) & (FILE - PIECE) as u32
}

/// The numbers of names in a path below the preopened directory.
const DEPTHS: [usize; 3] = [1, 5, 30];
/// The folder for listings, which stays.
pub const LISTS: &str = "lists";

/// Everything that is measured, in the preopened directory. The
/// counts are divided by `fewer`.
pub fn operations(lists: &[u32], fewer: u32) -> Vec<Operation> {
    let mut all = vec![operation(
        "WASI call",
        "clock",
        100_000,
        "-",
        Needs::Nothing,
    )];
    for depth in DEPTHS {
        let folder = format!("depth{depth}/").repeat(depth - 1);
        let mut add = |name: &str, call: &str, count, needs| {
            let name = if depth == 1 {
                name.to_owned()
            } else {
                format!("{name}, depth {depth}")
            };
            all.push(operation(
                &name,
                call,
                count,
                &format!("{folder}{call}"),
                needs,
            ));
        };
        add(
            "create + write 100 B + close",
            "create",
            1_000,
            Needs::Nothing,
        );
        add("open + close", "open", 5_000, Needs::File(100));
        add("stat", "stat", 10_000, Needs::File(100));
        if depth == 1 {
            add("read 4 KiB", "read", 8_192, Needs::File(FILE));
            add("write 4 KiB", "write", 8_192, Needs::File(FILE));
            add("pread 512 B", "pread", 8_192, Needs::File(FILE));
            add("pwrite 512 B", "pwrite", 8_192, Needs::File(FILE));
        }
        add("unlink", "unlink", 1_000, Needs::Numbered);
        add("rename", "rename", 1_000, Needs::Numbered);
        add("mkdir", "mkdir", 1_000, Needs::Nothing);
    }
    for &entries in lists {
        let (name, count) = (format!("list {entries}"), (20_000 / entries).clamp(1, 500));
        let path = format!("{LISTS}/{entries}");
        all.push(operation(
            &name,
            "list",
            count,
            &path,
            Needs::Entries(entries),
        ));
    }
    for operation in &mut all {
        operation.count = (operation.count / fewer.max(1)).max(1);
    }
    all
}

fn operation(name: &str, call: &str, count: u32, path: &str, needs: Needs) -> Operation {
    let (name, call, path) = (name.to_owned(), call.to_owned(), path.to_owned());
    Operation {
        name,
        call,
        count,
        path,
        needs,
    }
}

/// The path with a number behind it.
pub fn numbered(path: &str, number: u32) -> String {
    format!("{path}{number:08}")
}

/// Returns the path that a path is renamed to; as long as that.
pub fn second(path: &str) -> String {
    path.replace("rename", "eraner")
}

impl Operation {
    /// Makes what the operation needs.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn prepare(&self, root: &Path) -> anyhow::Result<()> {
        let path = root.join(&self.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match self.needs {
            Needs::Nothing => {}
            Needs::File(size) => fs::write(path, vec![7; size])?,
            Needs::Numbered => {
                for number in 0..self.count {
                    fs::write(root.join(numbered(&self.path, number)), [7; 100])?;
                }
            }
            Needs::Entries(_) if path.exists() => {}
            Needs::Entries(entries) => {
                fs::create_dir(&path)?;
                for number in 0..entries {
                    File::create(path.join(format!("entry-{number:08}")))?;
                }
            }
        }
        Ok(())
    }

    /// Does it with the standard library, in the current directory. Returns the microseconds for each.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn native(&self) -> anyhow::Result<f64> {
        let begun = Instant::now();
        self.native_loop().with_context(|| self.name.clone())?;
        Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(self.count))
    }

    fn native_loop(&self) -> anyhow::Result<()> {
        let path = &self.path;
        let mut buffer = vec![0_u8; BLOCK as usize];
        let open = || OpenOptions::new().read(true).write(true).open(path);
        match self.call.as_str() {
            "clock" => {
                for _ in 0..self.count {
                    std::hint::black_box(Instant::now());
                }
            }
            "create" => {
                for number in 0..self.count {
                    File::create(numbered(path, number))?.write_all(&buffer[..100])?;
                }
            }
            "open" => {
                for _ in 0..self.count {
                    drop(File::open(path)?);
                }
            }
            "stat" => {
                for _ in 0..self.count {
                    std::hint::black_box(fs::metadata(path)?);
                }
            }
            "look" => {
                for number in 0..self.count {
                    std::hint::black_box(fs::metadata(numbered(path, number))?);
                }
            }
            "read" | "write" => {
                let mut file = open()?;
                for number in 0..self.count {
                    if self.call == "read" {
                        file.read_exact(&mut buffer)?;
                    } else {
                        file.write_all(&buffer)?;
                    }
                    if block(number + 1) == 0 {
                        file.seek(SeekFrom::Start(0))?;
                    }
                }
            }
            "pread" | "pwrite" => {
                let file = open()?;
                for number in 0..self.count {
                    let offset = u64::from(piece(number));
                    if self.call == "pread" {
                        file.read_exact_at(&mut buffer[..PIECE], offset)?;
                    } else {
                        file.write_all_at(&buffer[..PIECE], offset)?;
                    }
                }
            }
            "list" => {
                let Needs::Entries(entries) = self.needs else {
                    bail!("no number of entries");
                };
                for _ in 0..self.count {
                    let mut found = 0;
                    for entry in fs::read_dir(path)? {
                        std::hint::black_box(entry?.file_type()?);
                        found += 1;
                    }
                    ensure!(found == entries, "{found} of {entries} entries");
                }
            }
            "unlink" => {
                for number in 0..self.count {
                    fs::remove_file(numbered(path, number))?;
                }
            }
            "rename" => {
                for number in 0..self.count {
                    fs::rename(numbered(path, number), numbered(&second(path), number))?;
                }
            }
            "mkdir" => {
                for number in 0..self.count {
                    fs::create_dir(numbered(path, number))?;
                }
            }
            call => bail!("no operation is called {call}"),
        }
        Ok(())
    }
}
