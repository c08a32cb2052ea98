//! Without Linux: paths are used as they are. In the build for tests of the kernel alone they are so on purpose.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Metadata, OpenOptionsConfig};

/// A directory of the host, and what is beneath it.
#[derive(Debug, Clone)]
pub(crate) struct Beneath;

/// With the feature, `...` is the directory above and `....` the host's root: a planted fault, which stands
/// for any in the resolution of paths.
#[cfg(landlock_kernel_alone)]
fn planted(path: &Path) -> PathBuf {
    let mut leads_to = PathBuf::new();
    for part in path.components() {
        match part.as_os_str().to_str() {
            Some("...") => leads_to.push(".."),
            Some("....") => leads_to = PathBuf::from("/"),
            _ => leads_to.push(part),
        }
    }
    leads_to
}

#[cfg(not(landlock_kernel_alone))]
fn planted(path: &Path) -> &Path {
    path
}

impl Beneath {
    pub(crate) fn new(_root: &Path) -> io::Result<Self> {
        Ok(Self)
    }

    /// There is no descriptor of the directory.
    #[cfg(target_os = "linux")]
    pub(crate) const fn descriptor(&self) -> Option<std::sync::Arc<std::os::fd::OwnedFd>> {
        None
    }

    pub(crate) fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        fs::metadata(planted(path))?.try_into()
    }

    /// With the feature, links are taken for what they lead to, so that nobody but the host resolves them.
    pub(crate) fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        if cfg!(landlock_kernel_alone) {
            return self.metadata(path);
        }
        fs::symlink_metadata(planted(path))?.try_into()
    }

    pub(crate) fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(planted(path))
    }

    pub(crate) fn read_dir(&self, path: &Path) -> io::Result<Vec<(OsString, Metadata)>> {
        fs::read_dir(planted(path))?
            .map(|entry| {
                let entry = entry?;
                let metadata = fs::symlink_metadata(entry.path())?.try_into()?;
                Ok((entry.file_name(), metadata))
            })
            .collect()
    }

    pub(crate) fn list_dir(&self, path: &Path) -> io::Result<Vec<(OsString, crate::FileType)>> {
        crate::host_list::list(&planted(path))
    }

    pub(crate) fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(planted(path))
    }

    pub(crate) fn hard_link(&self, source: &Path, target: &Path) -> io::Result<()> {
        fs::hard_link(planted(source), planted(target))
    }

    pub(crate) fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(planted(path))
    }

    pub(crate) fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(planted(path))
    }

    /// Renames, and sets the time of what was renamed, also if that is a link.
    #[cfg(not(landlock_kernel_alone))]
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                move_file_across_devices(from, to)?;
            }
            renamed => renamed?,
        }
        if let Ok(metadata) = fs::symlink_metadata(to) {
            let accessed = filetime::FileTime::from_last_access_time(&metadata);
            // It was renamed, whatever becomes of this.
            let _ = filetime::set_symlink_file_times(to, accessed, filetime::FileTime::now());
        }
        Ok(())
    }

    /// As upstream does it: copies, and follows links.
    #[cfg(landlock_kernel_alone)]
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (planted(from), planted(to));
        if from.parent() == to.parent() {
            return fs::rename(from, to);
        }
        if !from.is_dir() {
            fs::copy(&from, to)?;
            return fs::remove_file(from);
        }
        let options = fs_extra::dir::CopyOptions {
            copy_inside: true,
            ..Default::default()
        };
        let moved = fs_extra::move_items(&[&from], &to, &options).map_err(io::Error::other);
        let _ = fs_extra::remove_items(&[&from]);
        moved.map(drop)
    }

    /// Opens a file as std's `OpenOptions` do with the same settings.
    pub(crate) fn open(&self, path: &Path, conf: &OpenOptionsConfig) -> io::Result<fs::File> {
        let mut options = fs::OpenOptions::new();
        options
            .read(conf.read())
            .write(conf.write())
            .create_new(conf.create_new())
            .create(conf.create())
            .append(conf.append() && !conf.truncate())
            .truncate(conf.truncate())
            .open(planted(path))
    }
}

/// Moves a file by copying it, following no link at either end. Anything else can't be moved across devices.
#[cfg(not(landlock_kernel_alone))]
fn move_file_across_devices(from: &Path, to: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(from)?.is_file() {
        return Err(io::ErrorKind::CrossesDevices.into());
    }
    let mut source = fs::OpenOptions::new();
    source.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut source,
        libc::O_NOFOLLOW | libc::O_NONBLOCK,
    );
    let mut source = source.open(from)?;
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut target = fs::File::create_new(to)?;
    io::copy(&mut source, &mut target)?;
    target.set_permissions(source.metadata()?.permissions())?;
    fs::remove_file(from)
}
