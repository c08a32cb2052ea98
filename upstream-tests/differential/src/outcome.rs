//! The outcome of a call, in a form that both sides can have.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The time of a sequence, to tell times that were set from those of changes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Clock {
    /// Shortly before the sequence, in nanoseconds.
    pub from: u128,
}

/// The outcome of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// `ok`, the name of an errno of WASI, or `crash`, `hang`, `trap`.
    pub result: String,
    /// The call's results, by name.
    pub fields: Vec<(Cow<'static, str>, String)>,
    /// The device and the inode, where it returned them.
    pub id: Option<(u64, u64)>,
    /// The names of a listing, with their inodes.
    pub inodes: Vec<(String, u64)>,
    /// The message of a crash, a hang or a trap.
    pub detail: Option<String>,
}

/// A file's type, as WASI has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything that WASI has no name for, such as a pipe.
    Unknown,
    /// A block device.
    Block,
    /// A character device.
    Character,
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A socket.
    Socket,
    /// A symbolic link.
    Link,
}

/// The result of `stat`, in WASI's form.
#[derive(Debug, Clone, Copy)]
pub struct Meta {
    /// The device.
    pub device: u64,
    /// The inode.
    pub inode: u64,
    /// The type.
    pub kind: Kind,
    /// The number of names.
    pub links: u64,
    /// The size.
    pub size: u64,
    /// Access, modification, status change; in nanoseconds.
    pub times: [u64; 3],
}

impl Kind {
    /// As preview 1 numbers them.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Block,
            2 => Self::Character,
            3 => Self::Directory,
            4 => Self::File,
            5 | 6 => Self::Socket,
            7 => Self::Link,
            _ => Self::Unknown,
        }
    }

    /// The name that cases and keys have.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Block => "block",
            Self::Character => "char",
            Self::Directory => "dir",
            Self::File => "file",
            Self::Socket => "socket",
            Self::Link => "link",
        }
    }
}

impl Outcome {
    /// A call that succeeded and returned nothing.
    #[must_use]
    pub fn ok() -> Self {
        Self::of("ok")
    }

    /// An outcome without anything returned.
    #[must_use]
    pub fn of(result: &str) -> Self {
        Self {
            result: result.to_owned(),
            ..Self::default()
        }
    }

    /// The outcome of a call that did not return.
    #[must_use]
    pub fn end(result: &str, detail: String) -> Box<Self> {
        Box::new(Self {
            detail: Some(detail),
            ..Self::of(result)
        })
    }

    /// Adds something returned.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name.into(), value.to_string()));
        self
    }

    /// Adds bytes returned, as text of a bounded length.
    #[must_use]
    pub fn with_bytes(self, bytes: &[u8]) -> Self {
        self.with("data", show(bytes))
    }

    /// Adds metadata.
    #[must_use]
    pub fn with_meta(mut self, meta: &Meta, clock: Clock) -> Self {
        self.id = Some((meta.device, meta.inode));
        let Meta {
            kind, links, size, ..
        } = meta;
        self = self.with("type", kind.name()).with("nlink", links);
        // A directory's size is the file system's own business.
        if matches!(kind, Kind::File | Kind::Link) {
            self = self.with("size", size);
        }
        for (name, time) in ["atim", "mtim", "ctim"].into_iter().zip(meta.times) {
            // Whoever follows a link reads it, this program included.
            if *kind != Kind::Link || name != "atim" {
                self = self.with(name, clock.show(time.into()));
            }
        }
        self
    }

    /// True if the call succeeded.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.result == "ok"
    }

    /// True if the process that ran the call is gone.
    #[must_use]
    pub fn is_end(&self) -> bool {
        ["crash", "hang", "trap"].contains(&self.result.as_str())
    }

    /// One line about it.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.result.clone();
        for (name, value) in &self.fields {
            line += &format!(" {name}={value}");
        }
        if let Some(detail) = &self.detail {
            line += &format!(" ({detail})");
        }
        line
    }
}

impl Clock {
    /// The clock of a sequence that begins now.
    #[must_use]
    pub fn start() -> Self {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            // File systems keep time by the tick.
            from: since.as_nanos().saturating_sub(1_000_000_000),
        }
    }

    /// A time: `now` if it lies in the sequence, else nanoseconds.
    #[must_use]
    pub fn show(self, time: u128) -> String {
        let hour = 3_600_000_000_000;
        if (self.from..self.from + hour).contains(&time) {
            return "now".to_owned();
        }
        time.to_string()
    }
}

/// Bytes as text; long ones by their length and a checksum.
#[must_use]
pub fn show(bytes: &[u8]) -> String {
    if bytes.len() > 64 {
        let sum = bytes.iter().fold(0_u32, |sum, byte| {
            sum.rotate_left(5) ^ u32::from(*byte).wrapping_mul(0x9e37_79b1)
        });
        return format!("{} bytes, {sum:08x}", bytes.len());
    }
    format!("[{}]", bytes.escape_ascii())
}
