//! Calls on paths, as preview 1 has them.

use anyhow::bail;

use super::call::Answer;
use super::{Guest, io, word};
use crate::outcome::Outcome;

/// Makes a call on one path or two.
///
/// # Errors
/// If the words are no call, or the module can't be asked.
pub fn call(guest: &mut Guest<'_>, words: &[&str]) -> anyhow::Result<Answer> {
    match *words {
        ["stat", directory, path] => stat(guest, directory, path, true),
        ["lstat", directory, path] => stat(guest, directory, path, false),
        ["readlink", directory, path, size] => {
            let (fd, path) = guest.path(directory, path);
            let size: u32 = size.parse()?;
            let mut read = guest.new_call("path_readlink");
            read.number(fd)
                .text(&path)
                .result(size)
                .number(size)
                .result(8);
            let answer = guest.calls.call(read)?;
            Ok(answer.map(|bytes| {
                let used = word(&bytes, bytes.len() - 8) as usize;
                Outcome::ok().with_bytes(&bytes[..used.min(size as usize)])
            }))
        }
        ["times", directory, path, times] => set_times(guest, directory, path, times, true),
        ["ltimes", directory, path, times] => set_times(guest, directory, path, times, false),
        ["mkdir", directory, path] => one(guest, "path_create_directory", directory, path),
        ["rmdir", directory, path] => one(guest, "path_remove_directory", directory, path),
        ["unlink", directory, path] => one(guest, "path_unlink_file", directory, path),
        ["symlink", target, directory, path] => {
            let (fd, path) = guest.path(directory, path);
            let mut link = guest.new_call("path_symlink");
            link.text(target).number(fd).text(&path);
            guest.plain(link)
        }
        ["rename", from, old, to, new] => {
            let (from, old) = guest.path(from, old);
            let (to, new) = guest.path(to, new);
            let mut rename = guest.new_call("path_rename");
            rename.number(from).text(&old).number(to).text(&new);
            guest.plain(rename)
        }
        [name @ ("link" | "linkf"), from, old, to, new] => {
            let (from, old) = guest.path(from, old);
            let (to, new) = guest.path(to, new);
            let mut link = guest.new_call("path_link");
            link.number(from)
                .number(name == "linkf")
                .text(&old)
                .number(to)
                .text(&new);
            guest.plain(link)
        }
        _ => bail!("no such call"),
    }
}

fn one(
    guest: &mut Guest<'_>,
    function: &str,
    directory: &str,
    path: &str,
) -> anyhow::Result<Answer> {
    let (fd, path) = guest.path(directory, path);
    let mut call = guest.new_call(function);
    call.number(fd).text(&path);
    guest.plain(call)
}

fn stat(
    guest: &mut Guest<'_>,
    directory: &str,
    path: &str,
    follow: bool,
) -> anyhow::Result<Answer> {
    let (fd, path) = guest.path(directory, path);
    let mut stat = guest.new_call("path_filestat_get");
    stat.number(fd).number(follow).text(&path).result(64);
    let answer = guest.calls.call(stat)?;
    let clock = guest.clock;
    Ok(answer.map(|bytes| Outcome::ok().with_meta(&io::meta(&bytes), clock)))
}

fn set_times(
    guest: &mut Guest<'_>,
    directory: &str,
    path: &str,
    times: &str,
    follow: bool,
) -> anyhow::Result<Answer> {
    let (fd, path) = guest.path(directory, path);
    let (access, modification, flags) = io::times(times)?;
    let mut set = guest.new_call("path_filestat_set_times");
    set.number(fd)
        .number(follow)
        .text(&path)
        .long(access)
        .long(modification)
        .number(flags);
    guest.plain(set)
}
