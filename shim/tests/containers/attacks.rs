//! Hostile programs in containers. Each attack is made by a module and by a native program, and has to succeed where
//! nothing holds it.

use std::{
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    guests,
    suite::{Runtime, SECRET, Suite, annotation, directory, mount, text},
};

/// The surroundings of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surroundings {
    /// A native program without a container.
    Bare,
    /// A module in a container where nothing holds this attack: a faulty WASI layer and no enforcement, or no limit.
    Unheld,
    /// A native program in a container.
    Runc,
    /// A module in a container of the shim on Wasmer as published.
    Unpatched,
    /// A module in a container of the shim with a faulty WASI layer.
    KernelAlone,
    /// A module in a container of the shim as shipped.
    Shipped,
}

use Surroundings::{Bare, KernelAlone, Runc, Shipped, Unheld, Unpatched};

impl Surroundings {
    fn runtime(self) -> Option<Runtime> {
        match self {
            Bare => None,
            Unheld | KernelAlone => Some(Runtime::KernelAlone),
            Runc => Some(Runtime::Runc),
            Unpatched => Some(Runtime::Unpatched),
            Shipped => Some(Runtime::Shim),
        }
    }
}

/// An attack.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) effect: &'static str,
    /// Makes the attack, and returns whether it succeeded, by what it has left outside of the program.
    pub(crate) succeeds: fn(&Suite, Surroundings) -> bool,
    /// True if the fault of [`KernelAlone`] serves the attack.
    pub(crate) by_path: bool,
    /// The other surroundings besides [`Bare`] and [`Unheld`] in which the attack succeeds, because the container's owner has it so.
    pub(crate) allowed: &'static [Surroundings],
}

/// Every attack.
pub(crate) const ALL: &[Attack] = &[
    Attack {
        name: "image",
        effect: "a file of the image outside of the mounts is read",
        succeeds: image,
        by_path: true,
        allowed: &[Runc],
    },
    Attack {
        name: "read-only",
        effect: "a file of a read-only mount is changed",
        succeeds: read_only,
        by_path: true,
        allowed: &[],
    },
    Attack {
        name: "volume",
        effect: "a file of another container's volume is read",
        succeeds: volume,
        by_path: true,
        allowed: &[],
    },
    Attack {
        name: "port",
        effect: "a port of the node is connected to, in a container with the node's network",
        succeeds: port,
        by_path: false,
        allowed: &[Runc, Unpatched],
    },
    Attack {
        name: "threads",
        effect: "90 threads, or processes, run in a container that may have 64",
        succeeds: threads,
        by_path: false,
        allowed: &[],
    },
    Attack {
        name: "memory",
        effect: "1 GiB of memory is used in a container that may have 256 MiB",
        succeeds: memory,
        by_path: false,
        allowed: &[],
    },
];

/// Runs the module or the native program, whichever the surroundings are for.
fn run(
    suite: &Suite,
    at: Surroundings,
    options: &[String],
    module: &[&str],
    native: &[&str],
) -> Output {
    let program = suite
        .native
        .as_ref()
        .expect("the case is skipped without it");
    match at.runtime() {
        None => {
            let mut command = Command::new("timeout");
            command.arg("60").arg(program).args(native);
            command.stdin(Stdio::null()).output().expect("it starts")
        }
        Some(Runtime::Runc) => {
            let arguments = [&["/native"], native].concat();
            suite.run_by(Runtime::Runc, options, &arguments)
        }
        Some(runtime) => suite.run_by(runtime, options, module),
    }
}

/// Every way to write a path from the mount `/data` that names this one: as it is, from above the mount, and, for the
/// planted fault of the forks' feature `landlock-kernel-alone`, by its names for these.
fn spellings(path: &str) -> [String; 4] {
    [
        path.to_owned(),
        format!("..{path}"),
        format!("...{path}"),
        format!("....{path}"),
    ]
}

/// The attack by a path: `files` with each spelling of it.
fn by_path(suite: &Suite, at: Surroundings, options: &[String], verb: &str, path: &str) -> Output {
    let paths = spellings(path);
    let mut module = vec!["/files.wasm", verb];
    module.extend(paths.iter().map(String::as_str));
    run(suite, at, options, &module, &[verb, path])
}

fn image(suite: &Suite, at: Surroundings) -> bool {
    let own = directory(&[("own", "1")]);
    let secret = directory(&[("secret", SECRET)]);
    let on_host = utf8(secret.path()) + "/secret";
    let path = match at {
        Bare => &on_host,
        _ => "/etc/secret",
    };
    let options = [mount(own.path(), "/data", "rw")];
    text(&by_path(suite, at, &options, "read", path).stdout).contains(SECRET)
}

fn read_only(suite: &Suite, at: Surroundings) -> bool {
    let files = directory(&[("a", "good")]);
    let rights = match at {
        Unheld => "rw",
        _ => "ro",
    };
    let on_host = utf8(files.path()) + "/a";
    let path = match at {
        Bare => &on_host,
        _ => "/data/a",
    };
    let options = [mount(files.path(), "/data", rights)];
    let module = ["/files.wasm", "write", "a", "/data/a", ".../data/a"];
    run(suite, at, &options, &module, &["write", path]);
    fs::read_to_string(files.path().join("a")).expect("the file is there") == "evil"
}

/// The volume is that of a container that runs meanwhile.
fn volume(suite: &Suite, at: Surroundings) -> bool {
    let (own, other) = (directory(&[("own", "1")]), directory(&[("secret", SECRET)]));
    let waiting = suite.start_waiting(&[mount(other.path(), "/data", "rw")]);
    let path = utf8(other.path()) + "/secret";
    let mut options = vec![mount(own.path(), "/data", "rw")];
    if at == Unheld {
        options.push(mount(other.path(), &utf8(other.path()), "ro"));
    }
    let read = text(&by_path(suite, at, &options, "read", &path).stdout).contains(SECRET);
    waiting.end_by("KILL");
    read
}

fn port(suite: &Suite, at: Surroundings) -> bool {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let files = TempDir::new().expect("a directory is made");
    let module = files.path().join("connect.wasm");
    fs::write(module, guests::connecting_to(port)).expect("the module is written");
    let mut options = vec![
        mount(files.path(), "/modules", "ro"),
        "--net-host".to_owned(),
    ];
    if at == Unheld {
        options.push(annotation("connect", &port.to_string()));
    }
    let native = ["connect", &port.to_string()];
    run(suite, at, &options, &["/modules/connect.wasm"], &native);
    listener.set_nonblocking(true).expect("it can be asked");
    match listener.accept() {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

fn threads(suite: &Suite, at: Surroundings) -> bool {
    let Some(runtime) = at.runtime() else {
        return run(suite, at, &[], &[], &["processes", "90"])
            .status
            .success();
    };
    let program: &[&str] = match runtime {
        Runtime::Runc => &["/native", "processes", "90"],
        _ => &["/threads.wasm"],
    };
    let limit = (at != Unheld).then_some(64);
    run_limited(suite, runtime, limit, program).status.success()
}

/// Runs a container that may have so many processes and threads. The limit is in the container's configuration, which
/// `ctr` has no option for.
pub(crate) fn run_limited(
    suite: &Suite,
    by: Runtime,
    limit: Option<u32>,
    program: &[&str],
) -> Output {
    let root = TempDir::new().expect("a directory is made");
    let native = suite.native.as_deref().ok();
    for (name, bytes) in guests::files(native).expect("the files are made") {
        let file = root.path().join(name);
        fs::create_dir_all(file.parent().expect("it has one")).expect("a directory is made");
        fs::write(&file, bytes).expect("a file is written");
        guests::make_executable(&file).expect("its mode is set");
    }
    let default = suite.daemon.ctr(["oci", "spec"]);
    let mut spec: Value = serde_json::from_slice(&default.stdout).expect("it is JSON");
    spec["root"]["path"] = json!(root.path());
    spec["process"]["args"] = json!(program);
    spec["linux"]["cgroupsPath"] = json!(format!("/default/{}", crate::daemon::name()));
    if let Some(limit) = limit {
        spec["linux"]["resources"]["pids"] = json!({"limit": limit});
    }
    let file = root.path().join("config.json");
    fs::write(&file, spec.to_string()).expect("the configuration is written");
    suite.run_configured(by, &file)
}

fn memory(suite: &Suite, at: Surroundings) -> bool {
    let options: &[String] = match at {
        Unheld => &[],
        _ => &["--memory-limit=268435456".to_owned()],
    };
    let native = ["memory", "1073741824"];
    let ran = run(suite, at, options, &["/memory.wasm"], &native);
    ran.status.success()
}

fn utf8(path: &Path) -> String {
    path.to_str().expect("the path is UTF-8").to_owned()
}
