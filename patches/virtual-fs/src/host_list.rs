//! Lists a host directory by what the host says of it, without a look at each entry.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use crate::FileType;

/// The names in the directory, in the host's order, and what each is.
///
/// # Errors
/// What the host says.
pub(crate) fn list(path: &Path) -> io::Result<Vec<(OsString, FileType)>> {
    let entries = fs::read_dir(path)?;
    entries
        .map(|entry| {
            let entry = entry?;
            // Only asks for the entry where the file system doesn't keep the type in the directory.
            Ok((entry.file_name(), kind(entry.file_type()?)))
        })
        .collect()
}

fn kind(host: fs::FileType) -> FileType {
    let mut kind = FileType {
        dir: host.is_dir(),
        file: host.is_file(),
        symlink: host.is_symlink(),
        ..FileType::default()
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        kind.char_device = host.is_char_device();
        kind.block_device = host.is_block_device();
        kind.socket = host.is_socket();
        kind.fifo = host.is_fifo();
    }
    kind
}
