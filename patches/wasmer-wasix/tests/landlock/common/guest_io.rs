//! Reads, writes and listings of the guest, piece by piece.

use wasmer::Value;
use wasmer_wasix::wasmer_wasix_types::wasi::Rights;

use super::guest::{BUFFER, Guest, Outcome, RESULT, VECTOR, address, length, result};

/// Where the guest's listings go, behind what else it reads.
const LISTING: u64 = 32768;

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
