//! An io_uring, made and used without a library.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, OwnedFd},
    ptr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use super::{
    own,
    raw::{Argument, call},
};

/// `struct io_uring_params` in `linux/io_uring.h`, and where it has the flags, how long the polling
/// thread stays awake, and the offsets in the two rings.
const PARAMETERS: usize = 120;
const FLAGS: usize = 8;
const AWAKE: usize = 16;
const SUBMISSION: usize = 40;
const COMPLETION: usize = 80;
/// `struct io_uring_sqe`.
const ENTRY: usize = 64;
const OPENAT: u8 = 18;
const MKDIRAT: u8 = 37;
/// `IORING_SETUP_SQPOLL`.
const POLLED: u32 = 2;
/// `IORING_ENTER_SQ_WAKEUP`.
const WAKE_UP: i64 = 2;
/// `IORING_REGISTER_PERSONALITY`.
const REGISTER_PERSONALITY: i64 = 9;
const PAGE: usize = 4096;

/// A ring with one entry, mapped into this process.
#[derive(Debug)]
pub(crate) struct Ring {
    descriptor: Option<OwnedFd>,
    polled: bool,
    parameters: [u8; PARAMETERS],
    rings: *mut u8,
    entries: *mut u8,
}

impl Ring {
    pub(crate) fn new(polled: bool) -> Result<Self, i32> {
        let mut parameters = [0_u8; PARAMETERS];
        if polled {
            put(&mut parameters, FLAGS, &POLLED.to_ne_bytes());
            put(&mut parameters, AWAKE, &60_000_u32.to_ne_bytes());
        }
        let number = call(
            libc::SYS_io_uring_setup,
            [Argument::Value(1), Argument::Output(&mut parameters)],
        )?;
        let ring = Self::map(own(number)?, polled, parameters)?;
        if polled {
            ring.wake()?;
        }
        Ok(ring)
    }

    /// Takes what another process has passed on: the descriptor's number and the offsets.
    pub(crate) fn take(number: i32, polled: bool, offsets: [[u32; 10]; 2]) -> Result<Self, i32> {
        let mut parameters = [0_u8; PARAMETERS];
        for (start, words) in [SUBMISSION, COMPLETION].into_iter().zip(offsets) {
            for (at, word) in (start..).step_by(4).zip(words) {
                put(&mut parameters, at, &word.to_ne_bytes());
            }
        }
        Self::map(own(number.into())?, polled, parameters)
    }

    /// Has a program that is executed get the descriptor, which nothing closes. Returns the offsets.
    pub(crate) fn pass_on(self) -> Result<[[u32; 10]; 2], i32> {
        let [number, operation, flags] = [self.number(), libc::F_SETFD, 0];
        let arguments = [number, operation, flags].map(|value| Argument::Value(value.into()));
        call(libc::SYS_fcntl, arguments)?;
        let word = |at: usize| u32::try_from(self.offset(at)).unwrap_or(0);
        let words = |start: usize| std::array::from_fn(|index| word(start + 4 * index));
        let offsets = [SUBMISSION, COMPLETION].map(words);
        std::mem::forget(self);
        Ok(offsets)
    }

    fn map(descriptor: OwnedFd, polled: bool, parameters: [u8; PARAMETERS]) -> Result<Self, i32> {
        // `IORING_OFF_SQ_RING`, which since Linux 5.4 holds both rings, and `IORING_OFF_SQES`.
        let (rings, entries) = (map(&descriptor, 0)?, map(&descriptor, 0x1000_0000)?);
        Ok(Self {
            descriptor: Some(descriptor),
            polled,
            parameters,
            rings,
            entries,
        })
    }

    /// Has the polling thread do nothing once, as it sleeps until it is first needed, and then stays
    /// awake.
    fn wake(&self) -> Result<(), i32> {
        let arguments = [self.number().into(), 0, 0, WAKE_UP].map(Argument::Value);
        self.submit([0; ENTRY]);
        call(libc::SYS_io_uring_enter, arguments)?;
        self.complete().map(drop)
    }

    pub(crate) fn number(&self) -> i32 {
        self.descriptor.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Closes the descriptor. The mapping keeps the ring.
    pub(crate) fn close(&mut self) {
        self.descriptor = None;
    }

    /// Registers the rights of the calling thread, and returns by which number operations have them.
    pub(crate) fn register_personality(&self) -> Result<u16, i32> {
        let [ring, what] = [self.number().into(), REGISTER_PERSONALITY].map(Argument::Value);
        let [nothing, none] = [0, 0].map(Argument::Value);
        let registered = call(libc::SYS_io_uring_register, [ring, what, nothing, none])?;
        Ok(u16::try_from(registered).unwrap_or(0))
    }

    /// Opens a file for reading, with registered rights unless `personality` is 0.
    pub(crate) fn open(&self, path: &CStr, personality: u16) -> Result<i32, i32> {
        self.open_at(path.as_ptr() as u64, personality)
    }

    /// Opens a file whose path is at an address, which the kernel checks, in the memory of whoever made a polled ring.
    pub(crate) fn open_at(&self, path: u64, personality: u16) -> Result<i32, i32> {
        self.run(OPENAT, path, 0, personality)
    }

    /// Makes a directory.
    pub(crate) fn make_directory(&self, path: &CStr) -> Result<i32, i32> {
        self.run(MKDIRAT, path.as_ptr() as u64, 0o700, 0)
    }

    fn run(&self, operation: u8, path: u64, mode: u32, personality: u16) -> Result<i32, i32> {
        // The operation, the directory, the path, the mode, the rights.
        let mut entry = [0_u8; ENTRY];
        put(&mut entry, 0, &[operation]);
        put(&mut entry, 4, &libc::AT_FDCWD.to_ne_bytes());
        put(&mut entry, 16, &path.to_ne_bytes());
        put(&mut entry, 24, &mode.to_ne_bytes());
        put(&mut entry, 42, &personality.to_ne_bytes());
        self.submit(entry);
        if !self.polled {
            let arguments = [self.number().into(), 1, 1, 1].map(Argument::Value);
            call(libc::SYS_io_uring_enter, arguments)?;
        }
        self.complete()
    }

    /// Puts an entry where the kernel looks for it.
    fn submit(&self, entry: [u8; ENTRY]) {
        // SAFETY: with one entry, the mapping is a page, which nobody else writes to.
        unsafe { ptr::copy_nonoverlapping(entry.as_ptr(), self.entries, ENTRY) };
        // The array has the entry's index, and the tail says that there is one more.
        self.at(SUBMISSION + 24).store(0, Ordering::Relaxed);
        self.at(SUBMISSION + 4).fetch_add(1, Ordering::Release);
    }

    /// Waits for an entry's completion, and returns its result.
    fn complete(&self) -> Result<i32, i32> {
        let done = self.at(COMPLETION).load(Ordering::Acquire);
        let until = Instant::now() + Duration::from_secs(10);
        while self.at(COMPLETION + 4).load(Ordering::Acquire) == done {
            if Instant::now() >= until {
                return Err(libc::ETIMEDOUT);
            }
            std::thread::yield_now();
        }
        self.at(COMPLETION).fetch_add(1, Ordering::Release);
        let mask = self.offset(COMPLETION + 8);
        // SAFETY: as in `at`; the mask is read from its place.
        let mask = unsafe { self.rings.add(mask).cast::<u32>().read() };
        let index = usize::try_from(done & mask).unwrap_or(0);
        // `struct io_uring_cqe`: 16 bytes, of which the result comes after 8.
        let at = self.offset(COMPLETION + 20) + index * 16 + 8;
        // SAFETY: the kernel's offsets lie within the mapping.
        let result = unsafe { self.rings.add(at).cast::<i32>().read_volatile() };
        if result < 0 { Err(-result) } else { Ok(result) }
    }

    /// A counter of the rings, whose place the parameters have.
    fn at(&self, parameter: usize) -> &AtomicU32 {
        // SAFETY: the kernel's offsets lie within the mapping and are aligned.
        unsafe { &*self.rings.add(self.offset(parameter)).cast() }
    }

    fn offset(&self, parameter: usize) -> usize {
        let bytes = self.parameters.get(parameter..parameter + 4);
        let bytes = bytes.unwrap_or_default().try_into().unwrap_or_default();
        usize::try_from(u32::from_ne_bytes(bytes)).unwrap_or(0)
    }
}

// SAFETY: the mappings are the process's, and no other value points to them.
unsafe impl Send for Ring {}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mappings are this ring's own, and nothing uses them any more.
        unsafe {
            libc::munmap(self.rings.cast(), PAGE);
            libc::munmap(self.entries.cast(), PAGE);
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(field) = bytes.get_mut(at..at + value.len()) {
        field.copy_from_slice(value);
    }
}

fn map(ring: &OwnedFd, offset: i64) -> Result<*mut u8, i32> {
    // SAFETY: a mapping of the ring, at an address of the kernel's choice.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            ring.as_raw_fd(),
            offset,
        )
    };
    if address == libc::MAP_FAILED {
        Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
    } else {
        Ok(address.cast())
    }
}

/// Opens a file for reading by io_uring.
pub(crate) fn open_by_uring(path: &CStr) -> Result<i32, i32> {
    Ring::new(false)?.open(path, 0)
}
