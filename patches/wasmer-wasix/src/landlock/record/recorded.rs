//! The state of a builder that has recorded everything.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use wasix_landlock::Access;
use wasix_landlock_profile::HostPreopen;

use super::preopen::guest_directory;
use crate::capabilities::Capabilities;
use crate::fs::WasiFsRoot;
use crate::state::PreopenedDir;
use crate::{Runtime, WasiStateCreationError};

/// The builder's state when `build_init` prepares the enforcement.
pub(crate) struct Recorded<'a> {
    pub(crate) preopens: &'a [PreopenedDir],
    pub(crate) vfs_preopens: &'a [String],
    pub(crate) current_dir: Option<&'a Path>,
    pub(crate) runtime: Option<&'a (dyn Runtime + Send + Sync)>,
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) root: &'a WasiFsRoot,
}

impl Recorded<'_> {
    /// A file in a directory that was recorded with fewer rights could not be used, and the module would only
    /// see that its calls fail.
    pub(crate) fn check_reachable(
        &self,
        preopen: &HostPreopen,
    ) -> Result<(), WasiStateCreationError> {
        let directory = guest_directory(preopen, self.current_dir);
        let access = preopen.access;
        let hidden = self.preopens.iter().any(|recorded| {
            let has = Access {
                read: recorded.read,
                write: recorded.write,
                // The file is made before.
                create: true,
            };
            recorded.name() == directory.name() && !has.contains(access)
        });
        if hidden {
            return Err(WasiStateCreationError::PreopenedDirectoryError(format!(
                "`{}` ({access}) shows in `{}`, which is preopened with fewer rights: give it an alias elsewhere",
                preopen.host.display(),
                directory.name()
            )));
        }
        Ok(())
    }

    /// The recorded preopens, and the directories through which the module reaches the host preopens.
    pub(crate) fn all_preopens(&self, host_preopens: &[HostPreopen]) -> Vec<PreopenedDir> {
        let mut all = self.preopens.to_vec();
        let recorded = all.len();
        let mut places: HashMap<String, usize> = all
            .iter()
            .enumerate()
            .map(|(place, directory)| (directory.name().into_owned(), place))
            .collect();
        for preopen in host_preopens {
            let directory = guest_directory(preopen, self.current_dir);
            match places.entry(directory.name().into_owned()) {
                Entry::Vacant(place) => {
                    place.insert(all.len());
                    all.push(directory);
                }
                // A file in a directory that is a preopen as well: the module reaches both through one
                // descriptor. What stands at the host paths keeps its own rights.
                Entry::Occupied(place) if *place.get() >= recorded => {
                    all[*place.get()].widen(&directory);
                }
                Entry::Occupied(_) => {}
            }
        }
        if cfg!(landlock_kernel_alone) {
            for directory in &mut all {
                (directory.read, directory.write, directory.create) = (true, true, true);
            }
        }
        all
    }
}
