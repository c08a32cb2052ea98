//! A process as `/proc` shows it to another one.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A task of a process.
#[derive(Clone, Debug)]
pub struct Task {
    pub name: String,
    pub no_new_privileges: bool,
}

/// Reads `KEY:` of a status file.
fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    let line = |line: &'a str| line.strip_prefix(key)?.strip_prefix(':');
    status.lines().find_map(line).map(str::trim)
}

/// The processes that have `token` in their arguments.
pub fn of_run(token: &str) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let Some(number) = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
        else {
            continue;
        };
        // Whoever ends meanwhile isn't looked for.
        let arguments = fs::read(path.join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&arguments).contains(token) {
            found.push(number);
        }
    }
    Ok(found)
}

/// Finds the subject of a run: of its processes the one with this number in its own PID namespace that is named so.
pub fn find(token: &str, inner: u32) -> io::Result<u32> {
    let is_it = |process: &u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let numbers = field(&status, "NSpid").unwrap_or_default();
        let number = numbers.split_whitespace().next_back().map(str::parse);
        field(&status, "Name") == Some("foreign-subject") && number == Some(Ok(inner))
    };
    let found = of_run(token)?.into_iter().find(is_it);
    found.ok_or_else(|| io::Error::other("the subject isn't in /proc"))
}

/// The numbers of a process in each PID namespace that it is in, the outermost one first.
pub fn namespaces(process: u32) -> io::Result<Vec<u32>> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let numbers = field(&status, "NSpid").unwrap_or_default();
    Ok(numbers
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect())
}

/// The real and the effective user.
pub fn users(process: u32) -> io::Result<(u32, u32)> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let mut users = field(&status, "Uid")
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|user| user.parse().ok());
    let pair = users.next().zip(users.next());
    pair.ok_or_else(|| io::Error::other("a status without users"))
}

/// All tasks of a process.
pub fn tasks(process: u32) -> io::Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        // A task may have ended meanwhile.
        let Ok(status) = fs::read_to_string(entry?.path().join("status")) else {
            continue;
        };
        tasks.push(Task {
            name: field(&status, "Name").unwrap_or_default().to_owned(),
            no_new_privileges: field(&status, "NoNewPrivs") == Some("1"),
        });
    }
    Ok(tasks)
}

/// The files that a process has open, by device and inode.
pub fn open_files(process: u32) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(format!("/proc/{process}/fd"))? {
        if let Ok(file) = fs::metadata(entry?.path()) {
            files.insert((file.dev(), file.ino()));
        }
    }
    Ok(files)
}

/// Files by device and inode.
pub type Files = BTreeSet<(u64, u64)>;

/// Files that are planted for the attempts, one for each.
#[derive(Debug)]
pub struct Planted {
    pub directory: PathBuf,
    inodes: Vec<(u64, u64)>,
}

impl Planted {
    pub fn new(directory: &Path, count: usize) -> io::Result<Self> {
        let mut inodes = Vec::new();
        for index in 0..count {
            let path = directory.join(index.to_string());
            fs::write(&path, "planted")?;
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
            let file = fs::metadata(&path)?;
            inodes.push((file.dev(), file.ino()));
        }
        Ok(Self {
            directory: directory.to_owned(),
            inodes,
        })
    }

    /// The first so many that are among these.
    pub fn among(&self, open: &Files, count: usize) -> BTreeSet<usize> {
        let first = self.inodes.iter().take(count).enumerate();
        first
            .filter(|(_, inode)| open.contains(inode))
            .map(|(index, _)| index)
            .collect()
    }
}
