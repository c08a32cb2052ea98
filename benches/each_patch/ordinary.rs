//! An open that may only be for reading: by an ordinary user, since a file's mode doesn't stop the system's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use wasix_landlock_benches::take_sample;

use crate::plan::{Needs, Operation};

/// The user that the sample is taken as, if the system's own user takes it: one who owns nothing.
const NOBODY: u32 = 65534;

/// Opening a file that may not be written.
pub fn operation() -> Operation {
    Operation {
        name: "open + close, read-only file".to_owned(),
        call: "open".to_owned(),
        count: 5_000,
        path: "open".to_owned(),
        needs: Needs::File(100),
    }
}

/// Takes a sample of it, in a folder of its own in `work`: the program is copied there, where anybody may run it.
///
/// # Errors
/// An error of the file system, and a program that fails.
pub fn sample(program: &Path, work: &Path) -> anyhow::Result<f64> {
    let operation = operation();
    let folder = work.join("ordinary");
    let (files, plan, copy) = (
        folder.join("files"),
        folder.join("plan.json"),
        folder.join("program"),
    );
    fs::create_dir_all(&files)?;
    operation.prepare(&files)?;
    fs::write(&plan, serde_json::to_string(&[&operation])?)?;
    fs::copy(program, &copy)?;
    for (path, mode) in [
        (work, 0o755),
        (&folder, 0o755),
        (&files, 0o755),
        (&plan, 0o444),
        (&copy, 0o555),
        (&files.join(&operation.path), 0o444),
    ] {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    let mut command = Command::new(&copy);
    command.arg("operations").arg(&plan).arg(&files);
    if fs::metadata("/proc/self")?.uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    let taken = take_sample(command, 1, |_| {})?;
    fs::remove_dir_all(&folder)?;
    Ok(taken.iter().map(|(_, took)| *took).sum())
}
