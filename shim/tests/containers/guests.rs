//! The programs in the image, made on the spot.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::suite::SECRET;

/// The modules, as text, by their names in the image.
const MODULES: [(&str, &str); 9] = [
    ("echo.wasm", include_str!("guests/echo.wat")),
    ("files.wasm", include_str!("guests/files.wat")),
    ("memory.wasm", include_str!("guests/memory.wat")),
    ("ready.wasm", include_str!("guests/ready.wat")),
    ("seven.wasm", include_str!("guests/seven.wat")),
    (
        "thread.wasm",
        include_str!("../../../upstream-tests/command-line/guests/thread.wat"),
    ),
    ("threads.wasm", include_str!("guests/threads.wat")),
    ("traps.wasm", include_str!("guests/traps.wat")),
    ("waits.wasm", include_str!("guests/waits.wat")),
];

/// The module that connects to a port of this machine, without the port.
const CONNECT: &str = include_str!("../../../upstream-tests/command-line/guests/connect.wat");

/// A module from its text.
pub(crate) fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the module is valid")
}

/// The module that connects to a port of this machine, sends a line, and prints the call that failed.
pub(crate) fn connecting_to(port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    // The module keeps the port as a little-endian number.
    module(&CONNECT.replace("\\00PORT", &format!("\\00\\{low:02x}\\{high:02x}")))
}

/// Compiles the native program, or returns the reason why it can't be.
pub(crate) fn native(to: &Path) -> Result<PathBuf, String> {
    let program = to.join("native");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/containers/guests/native.c");
    let made = Command::new("cc")
        .args(["-static", "-O2", "-o"])
        .arg(&program)
        .arg(source)
        .output()
        .map_err(|error| format!("there is no C compiler: {error}"))?;
    match made.status.success() {
        true => Ok(program),
        false => Err(format!(
            "the native program can't be compiled: {}",
            String::from_utf8_lossy(&made.stderr)
        )),
    }
}

/// The files of the image.
pub(crate) fn files(native: Option<&Path>) -> std::io::Result<Vec<(&'static str, Vec<u8>)>> {
    let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/guests/genrsa.wasm");
    let mut files = vec![
        ("probe.wasm", fs::read(probe)?),
        ("text", b"no module".to_vec()),
        ("etc/secret", SECRET.as_bytes().to_vec()),
    ];
    files.extend(MODULES.map(|(name, text)| (name, module(text))));
    if let Some(native) = native {
        files.push(("native", fs::read(native)?));
    }
    Ok(files)
}

/// Lets everybody read and execute a file.
pub(crate) fn make_executable(file: &Path) -> std::io::Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}
