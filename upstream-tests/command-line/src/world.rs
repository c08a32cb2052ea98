//! The directory in which a case runs, made anew for each program.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::Context;

const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guests");
const GENRSA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/guests/genrsa.wasm"
);

/// The content of the file that nobody grants.
const OUTSIDE: &str = "outside";

const PACKAGE: &str = r#"[package]
name = "wasix-landlock/probe"
version = "0.1.0"
description = "A package of this test"
entrypoint = "second"

[[module]]
name = "first"
source = "exec.wasm"
abi = "wasi"

[[module]]
name = "second"
source = "genrsa.wasm"
abi = "wasi"

[[command]]
name = "first"
module = "first"
runner = "wasi"

[[command]]
name = "second"
module = "second"
runner = "wasi"

[fs]
"/data" = "data"
"#;

/// The directories in which cases run. The paths are the same for both programs, so that their output can be compared.
#[derive(Debug)]
pub struct World {
    root: PathBuf,
    listener: TcpListener,
}

impl World {
    /// Makes nothing but the port.
    pub fn new(root: PathBuf) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self { root, listener })
    }

    /// Returns the directory in which the command lines run.
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Returns the directory in which `wasmer` keeps its files.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Returns the path that nobody grants.
    pub fn forbidden(&self) -> PathBuf {
        self.root.join("outside/file")
    }

    /// Returns the path at which the preloaded library reports.
    pub fn report(&self) -> PathBuf {
        self.root.join("report")
    }

    /// A file of the caller's.
    pub fn own(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The port that can be connected to.
    pub fn port(&self) -> anyhow::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Makes everything anew.
    pub fn reset(&self) -> anyhow::Result<()> {
        for directory in ["work", "cache", "outside"] {
            let path = self.root.join(directory);
            if path.exists() {
                fs::remove_dir_all(&path)?;
            }
        }
        self.connections()?;
        let work = self.work();
        fs::create_dir_all(self.root.join("outside"))?;
        fs::create_dir_all(self.cache())?;
        fs::write(self.forbidden(), OUTSIDE)?;
        for directory in ["data", "other", "links", "package/data"] {
            fs::create_dir_all(work.join(directory))?;
            fs::write(work.join(directory).join("file"), directory)?;
        }
        std::os::unix::fs::symlink("../data", work.join("links/out"))?;
        fs::create_dir(work.join("links/in"))?;
        fs::write(work.join("links/in/file"), "in")?;
        std::os::unix::fs::symlink("../../../outside/file", work.join("links/in/link"))?;
        fs::write(work.join("file"), "of the directory itself\n")?;
        fs::write(work.join("variables"), "A=b\nB=c\n")?;
        fs::copy(GENRSA, work.join("genrsa.wasm")).context("no genrsa.wasm")?;
        fs::copy(GENRSA, work.join("package/genrsa.wasm"))?;
        fs::write(work.join("package/wasmer.toml"), PACKAGE)?;
        let guests = Path::new(GUESTS);
        let exec = wat::parse_file(guests.join("exec.wat"))?;
        fs::write(work.join("package/exec.wasm"), exec)?;
        let [low, high] = self.port()?.to_le_bytes();
        for name in [
            "connect.wat",
            "environment.wat",
            "plain.wat",
            "read.wat",
            "resolve.wat",
            "thread.wat",
            "trap.wat",
        ] {
            let text = fs::read_to_string(guests.join(name))?;
            let text = text.replace("\\00PORT", &format!("\\00\\{low:02x}\\{high:02x}"));
            fs::write(work.join(name), text)?;
        }
        Ok(())
    }

    /// Empties the report.
    pub fn reset_report(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.report(), "")?)
    }

    /// Returns the number of connections since the last call.
    pub fn connections(&self) -> anyhow::Result<usize> {
        let mut count = 0;
        loop {
            match self.listener.accept() {
                Ok(_) => count += 1,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(count),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// True if the file that nobody grants is as it was.
    pub fn is_unchanged(&self) -> bool {
        fs::read_to_string(self.forbidden()).is_ok_and(|content| content == OUTSIDE)
    }

    /// Returns the contents of the work directory now: paths, and a file's content or a link's target.
    pub fn left(&self) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut all = BTreeMap::new();
        walk(&self.work(), &mut |path, metadata| {
            let content = if metadata.is_symlink() {
                fs::read_link(path)?.into_os_string().into_encoded_bytes()
            } else if metadata.is_file() && !made_by_the_program(path) {
                fs::read(path)?
            } else {
                Vec::new()
            };
            all.insert(path.to_owned(), content);
            Ok(())
        })?;
        Ok(all)
    }

    /// The compiled modules in the cache, with the times of their last change.
    pub fn compiled(&self) -> anyhow::Result<BTreeMap<PathBuf, std::time::SystemTime>> {
        let mut all = BTreeMap::new();
        let compiled = self.cache().join("compiled");
        if compiled.exists() {
            walk(&compiled, &mut |path, metadata| {
                if metadata.is_file() {
                    all.insert(path.to_owned(), metadata.modified()?);
                }
                Ok(())
            })?;
        }
        Ok(all)
    }
}

/// Random keys, artifacts and packages, which have times in them, with their checksums, differ from run to run.
fn made_by_the_program(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["pem", "sha256", "wasmu", "webc"]
            .iter()
            .any(|made| extension == *made)
    })
}

fn walk(
    directory: &Path,
    visit: &mut dyn FnMut(&Path, &fs::Metadata) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let metadata = path.symlink_metadata()?;
        visit(&path, &metadata)?;
        if metadata.is_dir() {
            walk(&path, visit)?;
        }
    }
    Ok(())
}
