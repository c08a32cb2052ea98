//! The preopens of a container: its mounts, with their rights.

use std::path::Path;

use anyhow::Context as _;
use oci_spec::runtime::{Mount, Spec};
use wasix_landlock_profile::{Access, HostKind, HostPreopen, Profile};

/// Directories whose mounts are the kernel's or the runtime's own. A single file that is mounted beneath `/dev`, such as
/// Kubernetes' `/dev/termination-log`, is a grant.
const OF_THE_SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Adds a preopen for each mount of the container, and one for its root if `root` says so. To be called where the
/// mounts are: in the container.
///
/// | mount | preopen |
/// |---|---|
/// | bind mount of a directory | `read`; with `rw` also `write` and `create` |
/// | bind mount of a single file | `read`; with `rw` also `write` |
/// | tmpfs outside of `/dev` and `/run` | as a directory |
/// | everything else, everything beneath `/proc` and `/sys`, directories beneath `/dev` | none |
///
/// # Errors
/// A mount that is not there.
pub(crate) fn add(mut profile: Profile, spec: &Spec, root: bool) -> anyhow::Result<Profile> {
    if root {
        profile.preopens.push(preopen(Path::new("/"), false)?);
    }
    for mount in spec.mounts().iter().flatten() {
        let at = mount.destination();
        if !is_for_module(mount) || (at.is_dir() && is_of_the_system(at)) {
            continue;
        }
        let granted = preopen(at, is_writable(mount))
            .with_context(|| format!("the mount {} can't be granted", at.display()))?;
        // A later mount hides an earlier one.
        profile.preopens.retain(|earlier| earlier.host != *at);
        profile.preopens.push(granted);
    }
    Ok(profile)
}

fn preopen(path: &Path, writable: bool) -> anyhow::Result<HostPreopen> {
    let directory = path.metadata()?.is_dir();
    Ok(HostPreopen {
        host: path.to_owned(),
        guest: None,
        kind: match directory {
            true => HostKind::Directory,
            false => HostKind::File,
        },
        access: match (writable, directory) {
            (false, _) => Access::READ,
            (true, false) => Access::READ_WRITE,
            (true, true) => Access::ALL,
        },
    })
}

fn is_for_module(mount: &Mount) -> bool {
    let has = |option: &str| options(mount).any(|given| given == option);
    match mount.typ().as_deref() {
        Some("bind") => true,
        Some("tmpfs") => {
            let at = mount.destination();
            !is_of_the_system(at) && at != Path::new("/run")
        }
        Some("none") | None => has("bind") || has("rbind"),
        Some(_) => false,
    }
}

fn is_of_the_system(path: &Path) -> bool {
    OF_THE_SYSTEM.iter().any(|system| path.starts_with(system))
}

/// A mount is writable unless its options say otherwise; the last option counts.
fn is_writable(mount: &Mount) -> bool {
    let last = options(mount).filter_map(|option| match option {
        "ro" | "rro" => Some(false),
        "rw" | "rrw" => Some(true),
        _ => None,
    });
    last.last().unwrap_or(true)
}

fn options(mount: &Mount) -> impl Iterator<Item = &str> {
    mount.options().iter().flatten().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use oci_spec::runtime::{Mount, MountBuilder, Spec, SpecBuilder};
    use wasix_landlock_profile::{Access, HostKind, Profile};

    use super::add;

    fn mount(at: &str, kind: &str, options: &[&str]) -> Mount {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let mount = MountBuilder::default()
            .destination(at)
            .typ(kind)
            .options(options);
        mount.build().expect("a mount")
    }

    fn spec(mounts: Vec<Mount>) -> Spec {
        SpecBuilder::default()
            .mounts(mounts)
            .build()
            .expect("a configuration")
    }

    #[test]
    fn mounts_have_their_own_rights() {
        let place = tempfile::tempdir().expect("a directory");
        let at = |name: &str| place.path().join(name).to_str().expect("UTF-8").to_owned();
        fs::create_dir(at("directory")).expect("a directory");
        fs::write(at("file"), "").expect("a file");
        for (name, options, kind, access) in [
            (
                "directory",
                &["rbind", "ro"][..],
                HostKind::Directory,
                Access::READ,
            ),
            (
                "directory",
                &["rbind", "rw"][..],
                HostKind::Directory,
                Access::ALL,
            ),
            (
                "directory",
                &["rbind"][..],
                HostKind::Directory,
                Access::ALL,
            ),
            (
                "directory",
                &["rw", "rbind", "ro"][..],
                HostKind::Directory,
                Access::READ,
            ),
            ("file", &["bind", "ro"][..], HostKind::File, Access::READ),
            ("file", &["bind"][..], HostKind::File, Access::READ_WRITE),
        ] {
            let spec = spec(vec![mount(&at(name), "bind", options)]);
            let profile = add(Profile::new(), &spec, false).expect("grants");
            let [granted] = &profile.preopens[..] else {
                panic!("{:?}", profile.preopens);
            };
            assert_eq!(
                (granted.kind, granted.access),
                (kind, access),
                "{name} {options:?}"
            );
        }
    }

    #[test]
    fn what_is_the_system_s_is_not_granted() {
        let spec = spec(vec![
            mount("/proc", "proc", &[]),
            mount("/proc/sys", "bind", &["rbind"]),
            mount("/dev", "tmpfs", &[]),
            mount("/dev/shm", "bind", &["rbind"]),
            mount("/sys", "sysfs", &["ro"]),
            mount("/run", "tmpfs", &[]),
        ]);
        assert_eq!(
            add(Profile::new(), &spec, false).expect("grants"),
            Profile::new()
        );
        let with_root = add(Profile::new(), &spec, true).expect("grants");
        assert_eq!(with_root.preopens.len(), 1);
        assert_eq!(with_root.preopens[0].access, Access::READ);
    }

    #[test]
    fn a_mount_that_is_not_there_is_an_error() {
        let spec = spec(vec![mount("/no/such/place", "bind", &[])]);
        let error = add(Profile::new(), &spec, false).expect_err("no grants");
        assert!(format!("{error:#}").contains("/no/such/place"));
    }
}
