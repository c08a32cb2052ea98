//! Reads, writes and listings of the guest, piece by piece.

use wasmer::Value;
use wasmer_wasix::wasmer_wasix_types::wasi::Rights;

use super::guest::{BUFFER, FIRST_PATH, Guest, Outcome, RESULT, VECTOR, address, length, result};

/// The address of the guest's listings, behind its other buffers.
const LISTING: u64 = 32768;

/// The metadata of a file, as WASI has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub device: u64,
    pub inode: u64,
    pub kind: u8,
    pub links: u64,
    pub size: u64,
    pub modified: u64,
}

impl Guest {
    /// Opens a file that is there with these rights.
    #[track_caller]
    pub fn open_with(&mut self, directory: i32, path: &str, rights: Rights) -> Outcome<i32> {
        self.path_open(directory, path, 0, [rights.bits().cast_signed(), 0], 0)
    }

    /// Reads so many bytes: at the offset, or where the descriptor is.
    #[track_caller]
    pub fn read_some(&mut self, fd: i32, offset: Option<u64>, size: u32) -> Outcome<Vec<u8>> {
        let vector = self.vector(&[(BUFFER as u32, size)]);
        match offset {
            None => self.call("fd_read", &[fd.into(), vector, 1.into(), result()])?,
            Some(offset) => {
                let offset = Value::I64(offset.cast_signed());
                self.call("fd_pread", &[fd.into(), vector, 1.into(), offset, result()])?;
            }
        }
        let read = self.number() as usize;
        Ok(self.get::<8192>(BUFFER)[..read].to_vec())
    }

    /// Writes: at the offset, or where the descriptor is.
    #[track_caller]
    pub fn write_some(&mut self, fd: i32, offset: Option<u64>, bytes: &[u8]) -> Outcome<u32> {
        self.put(BUFFER, bytes);
        let vector = self.vector(&[(BUFFER as u32, u32::try_from(bytes.len()).unwrap())]);
        self.write_vectors(fd, offset, vector, 1)
    }

    /// As [`Self::write_some`], of several places in the memory, which are written as they are.
    #[track_caller]
    pub fn write_places(&mut self, fd: i32, places: &[(u32, u32)]) -> Outcome<u32> {
        let vector = self.vector(places);
        self.write_vectors(fd, None, vector, places.len())
    }

    /// Reads into several places in the memory, and returns how much.
    #[track_caller]
    pub fn read_places(&mut self, fd: i32, places: &[(u32, u32)]) -> Outcome<u32> {
        let vector = self.vector(places);
        self.call(
            "fd_read",
            &[fd.into(), vector, length(places.len()), result()],
        )?;
        Ok(self.number())
    }

    fn write_vectors(
        &mut self,
        fd: i32,
        offset: Option<u64>,
        vector: Value,
        count: usize,
    ) -> Outcome<u32> {
        match offset {
            None => self.call("fd_write", &[fd.into(), vector, length(count), result()])?,
            Some(offset) => {
                let offset = Value::I64(offset.cast_signed());
                let arguments = [fd.into(), vector, length(count), offset, result()];
                self.call("fd_pwrite", &arguments)?;
            }
        }
        Ok(self.number())
    }

    fn vector(&mut self, places: &[(u32, u32)]) -> Value {
        let bytes: Vec<u8> = places
            .iter()
            .flat_map(|(at, size)| [at.to_le_bytes(), size.to_le_bytes()].concat())
            .collect();
        self.put(VECTOR, &bytes)
    }

    /// Puts bytes where [`Self::write_places`] can take them from.
    pub fn place(&mut self, at: u32, bytes: &[u8]) {
        self.put(at.into(), bytes);
    }

    /// Moves the descriptor: from the beginning (0), from where it is (1), or from the end (2).
    #[track_caller]
    pub fn seek(&mut self, fd: i32, offset: i64, whence: i32) -> Outcome<u64> {
        let arguments = [fd.into(), Value::I64(offset), whence.into(), result()];
        self.call("fd_seek", &arguments)?;
        Ok(u64::from_le_bytes(self.get(RESULT)))
    }

    /// Returns the result of `fd_filestat_get`.
    #[track_caller]
    pub fn stat_fd(&mut self, fd: i32) -> Outcome<Stat> {
        self.call("fd_filestat_get", &[fd.into(), result()])?;
        Ok(self.told())
    }

    /// Returns the result of `path_filestat_get`, of a link itself unless it is followed.
    #[track_caller]
    pub fn stat_path(&mut self, directory: i32, path: &str, follow: bool) -> Outcome<Stat> {
        let [path, path_length] = self.path(FIRST_PATH, path);
        let follow = i32::from(follow).into();
        let arguments = [directory.into(), follow, path, path_length, result()];
        self.call("path_filestat_get", &arguments)?;
        Ok(self.told())
    }

    fn told(&self) -> Stat {
        let number = |index: u64| u64::from_le_bytes(self.get(RESULT + 8 * index));
        Stat {
            device: number(0),
            inode: number(1),
            kind: self.get::<1>(RESULT + 16)[0],
            links: number(3),
            size: number(4),
            modified: number(6),
        }
    }

    /// Sets the times of a path.
    #[track_caller]
    pub fn set_times(&mut self, directory: i32, path: &str, time: u64, flags: i32) -> Outcome {
        let [path, path_length] = self.path(FIRST_PATH, path);
        let time = Value::I64(time.cast_signed());
        let arguments = [
            directory.into(),
            1.into(),
            path,
            path_length,
            time.clone(),
            time,
            flags.into(),
        ];
        self.call("path_filestat_set_times", &arguments)
    }

    /// The kind of file behind a descriptor, as its number in WASI.
    #[track_caller]
    pub fn kind_of_fd(&mut self, fd: i32) -> u8 {
        self.call("fd_fdstat_get", &[fd.into(), result()]).unwrap();
        self.get::<1>(RESULT)[0]
    }

    /// The rights of a descriptor itself.
    #[track_caller]
    pub fn rights_of_fd(&mut self, fd: i32) -> Rights {
        self.call("fd_fdstat_get", &[fd.into(), result()]).unwrap();
        let rights = u64::from_le_bytes(self.get::<8>(RESULT + 8));
        Rights::from_bits_truncate(rights)
    }

    /// Polls a clock only, and returns the number of events.
    #[track_caller]
    pub fn poll_clock(&mut self, nanoseconds: u64) -> Outcome<u32> {
        let mut subscription = [0_u8; 48];
        // The monotonic clock, and how long from now on.
        subscription[16] = 1;
        subscription[24..32].copy_from_slice(&nanoseconds.to_le_bytes());
        let subscription = self.put(BUFFER, &subscription);
        let arguments = [subscription, address(BUFFER + 64), 1.into(), result()];
        self.call("poll_oneoff", &arguments)?;
        Ok(self.number())
    }

    /// The target of a link.
    #[track_caller]
    pub fn read_link(&mut self, directory: i32, path: &str) -> Outcome<Vec<u8>> {
        let [path, path_length] = self.path(FIRST_PATH, path);
        let arguments = [
            directory.into(),
            path,
            path_length,
            address(BUFFER),
            length(4096),
            result(),
        ];
        self.call("path_readlink", &arguments)?;
        let used = self.number() as usize;
        Ok(self.get::<4096>(BUFFER)[..used].to_vec())
    }

    /// A piece of a listing, of so many bytes, from the cookie on: the names that are whole, each with the cookie
    /// behind it; and whether that was the end.
    #[track_caller]
    pub fn list_piece(&mut self, fd: i32, cookie: u64, size: usize) -> (Vec<(String, u64)>, bool) {
        let cookie = Value::I64(cookie.cast_signed());
        let arguments = [fd.into(), address(LISTING), length(size), cookie, result()];
        self.call("fd_readdir", &arguments).unwrap();
        let used = self.number() as usize;
        let bytes = self.get::<16384>(LISTING);
        let mut rest = &bytes[..used];
        let mut names = Vec::new();
        while let Some((entry, after)) = rest.split_at_checked(24) {
            let next = u64::from_le_bytes(entry[..8].try_into().unwrap());
            let length = u32::from_le_bytes(entry[16..20].try_into().unwrap()) as usize;
            let Some((name, after)) = after.split_at_checked(length) else {
                break;
            };
            names.push((String::from_utf8(name.to_vec()).unwrap(), next));
            rest = after;
        }
        (names, used < size)
    }
}
