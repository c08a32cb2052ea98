//! The source of standard input, and the destinations of output.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

/// One of the three streams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stream {
    /// Input is at its end, output goes nowhere.
    #[default]
    Null,
    /// The program's own. To a terminal, what would control it arrives inert.
    Inherit,
    /// The bytes of the input; as output, as [`Stream::Null`].
    #[serde(skip)]
    Bytes(Vec<u8>),
    /// Output is kept in memory; as input, as [`Stream::Null`].
    #[serde(skip)]
    Memory(Captured),
}

/// The three streams of a module. All are [`Stream::Null`] unless said.
///
/// # Example
///
/// ```
/// use wasix_landlock_profile::{Captured, Profile, Stream};
///
/// let output = Captured::new(64 * 1024);
/// let mut profile = Profile::new()
///     .stdin(Stream::Bytes(b"input".to_vec()))
///     .stdout(Stream::Memory(output.clone()))
///     .stderr(Stream::Inherit);
/// profile.streams.colours = true;
/// // … run a module with it, and then:
/// assert_eq!(output.bytes(), b"");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Streams {
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// May output to a terminal have colours?
    pub colours: bool,
}

impl Streams {
    /// The program's own three.
    #[must_use]
    pub const fn inherit() -> Self {
        Self {
            stdin: Stream::Inherit,
            stdout: Stream::Inherit,
            stderr: Stream::Inherit,
            colours: false,
        }
    }
}

/// Output that is kept in memory, up to so many bytes. Clones share it.
#[derive(Clone)]
pub struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    most: usize,
}

impl Captured {
    /// Keeps at most so many bytes. What goes beyond fails for the module, as on a full disk.
    ///
    /// [Example](Streams#example).
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            bytes: Arc::default(),
            most,
        }
    }

    /// Returns the bytes that were written so far.
    ///
    /// [Example](Streams#example).
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    /// The number of bytes that were written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True if nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bytes that can still be written.
    #[must_use]
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.len())
    }

    /// Adds as many of the bytes as there is room for, and returns their number.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] where there is no room.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.lock();
        let room = self.most.saturating_sub(kept.len()).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        kept.extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Captured {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes)
    }
}

impl Eq for Captured {}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}
