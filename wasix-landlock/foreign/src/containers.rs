//! Containers made by hand: a bundle for `runc`, with the filter that a container engine puts on by default.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::{seccomp, world::World};

/// The engine whose default filter is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Docker,
    Podman,
}

/// The capabilities that Docker gives to a container.
const CAPABILITIES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// Folders that a program needs, besides its own.
const SYSTEM: &[&str] = &["bin", "lib", "lib64", "usr"];

/// Makes an empty root directory with mount points. Returns what is to be mounted in it.
pub fn make_root(world: &World) -> anyhow::Result<(PathBuf, Vec<PathBuf>)> {
    let root = world.path("root");
    let mut mounts = vec![world.directory().to_owned()];
    for name in SYSTEM {
        let host = Path::new("/").join(name);
        let Ok(found) = fs::symlink_metadata(&host) else {
            continue;
        };
        let inside = root.join(name);
        if found.is_symlink() {
            fs::create_dir_all(&root)?;
            if !inside.is_symlink() {
                symlink(fs::read_link(&host)?, &inside)?;
            }
        } else {
            mounts.push(host);
        }
    }
    for mount in &mounts {
        fs::create_dir_all(root.join(mount.strip_prefix("/")?))?;
    }
    for name in ["proc", "dev", "tmp", "etc"] {
        fs::create_dir_all(root.join(name))?;
    }
    Ok((root, mounts))
}

impl Profile {
    fn file(self) -> anyhow::Result<PathBuf> {
        let inside = match self {
            Self::Docker => seccomp::DOCKER,
            Self::Podman => "usr/share/containers/seccomp.json",
        };
        seccomp::find(inside).context("there is no such profile here, see .ci/tools")
    }

    /// The filter as `runc` takes it: without the rules for other capabilities and architectures.
    fn filter(self) -> anyhow::Result<Value> {
        let profile: Value = serde_json::from_slice(&fs::read(self.file()?)?)?;
        let rules = seccomp::rules(&profile, CAPABILITIES).context("no rules")?;
        let mut filter = json!({
            "defaultAction": profile["defaultAction"],
            "architectures": [architecture()?],
            "syscalls": rules,
        });
        if let Some(errno) = profile.get("defaultErrnoRet") {
            filter["defaultErrnoRet"] = errno.clone();
        }
        Ok(filter)
    }

    /// Makes a bundle in a folder.
    pub fn bundle(self, world: &World, program: &Path, argument: &str) -> anyhow::Result<PathBuf> {
        let filter = self.filter()?;
        let (root, system) = make_root(world)?;
        let bundle = world.path("bundle");
        fs::create_dir_all(&bundle)?;
        let mut mounts = vec![
            json!({"destination": "/proc", "type": "proc", "source": "proc"}),
            json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                   "options": ["nosuid", "mode=755"]}),
        ];
        mounts.extend(system.iter().map(|path| {
            json!({"destination": path, "type": "bind", "source": path, "options": ["rbind", "rw"]})
        }));
        let all = |kind: &str| (kind.to_owned(), json!(CAPABILITIES));
        let capabilities: serde_json::Map<String, Value> = ["bounding", "effective", "permitted"]
            .map(all)
            .into_iter()
            .collect();
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": false,
                "user": {"uid": 0, "gid": 0},
                "args": [program, argument],
                "env": ["PATH=/usr/bin:/bin"],
                "cwd": "/",
                "capabilities": capabilities,
            },
            "root": {"path": root},
            "mounts": mounts,
            "linux": {
                "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}],
                "seccomp": filter,
            },
        });
        fs::write(bundle.join("config.json"), config.to_string())?;
        Ok(bundle)
    }
}

fn architecture() -> anyhow::Result<&'static str> {
    Ok(match env::consts::ARCH {
        "x86_64" => "SCMP_ARCH_X86_64",
        "aarch64" => "SCMP_ARCH_AARCH64",
        other => bail!("no filter is known for {other}"),
    })
}
