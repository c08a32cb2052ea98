//! The host's actions between two calls, on both sides. Paths are below the side's directory.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{bail, ensure};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Does it.
///
/// # Errors
/// If the host refuses.
pub fn host(root: &Path, words: &[String]) -> anyhow::Result<()> {
    let at = |path: &str| root.join(path);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", path, text] => fs::write(at(path), text)?,
        ["append", path, text] => OpenOptions::new()
            .append(true)
            .open(at(path))?
            .write_all(text.as_bytes())?,
        // As editors and package managers do: another file gets the name.
        ["replace", path, text] => {
            let made = root.join("replacement");
            fs::write(&made, text)?;
            fs::rename(made, at(path))?;
        }
        ["truncate", path, size] => OpenOptions::new()
            .write(true)
            .open(at(path))?
            .set_len(size.parse()?)?,
        ["times", path, seconds] => set_times(&at(path), seconds.parse()?)?,
        ["mkdir", path] => fs::create_dir(at(path))?,
        ["rm", path] => fs::remove_file(at(path))?,
        ["rmdir", path] => fs::remove_dir_all(at(path))?,
        ["rename", from, to] => fs::rename(at(from), at(to))?,
        ["link", from, to] => fs::hard_link(at(from), at(to))?,
        ["symlink", target, path] => symlink(target, at(path))?,
        ["chmod", path, mode] => {
            let mode = u32::from_str_radix(mode, 8)?;
            fs::set_permissions(at(path), fs::Permissions::from_mode(mode))?;
        }
        ["fifo", path] => mknodat(
            CWD,
            at(path),
            FileType::Fifo,
            Mode::from_bits_retain(0o600),
            0,
        )?,
        ["mount", path, options] => run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at(path)))?,
        ["remount-read-only", path] => {
            run(Command::new("mount")
                .args(["-o", "remount,ro"])
                .arg(at(path)))?;
        }
        ["unmount", path] => run(Command::new("umount").arg("--lazy").arg(at(path)))?,
        _ => bail!("the host can't do that"),
    }
    Ok(())
}

/// Changes that generated sequences try although they may be impossible, such as removing what is not there.
///
/// # Errors
/// If the words mean nothing.
pub fn try_host(root: &Path, words: &[String]) -> anyhow::Result<&'static str> {
    match host(root, words) {
        Ok(()) => Ok("ok"),
        Err(error) if error.is::<std::io::Error>() || error.is::<rustix::io::Errno>() => {
            Ok("refused")
        }
        Err(error) => Err(error),
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn set_times(path: &Path, seconds: u64) -> anyhow::Result<()> {
    let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    let times = fs::FileTimes::new().set_accessed(time).set_modified(time);
    fs::File::open(path)?.set_times(times)?;
    Ok(())
}
