//! libwasmer, as published and with the forks.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use wasix_landlock_programs::packages::Crate;

/// The C interface of Wasmer.
const SOURCE: Crate = Crate {
    name: "wasmer-c-api",
    version: "7.4.2",
    sha256: "903ae0858d466b76a7863fb4d09b140051da54c7be4188bf44a8a391d98b56f4",
};

/// One build, and the C program that is linked with it.
#[derive(Debug)]
pub struct Library {
    /// The shared library.
    pub library: PathBuf,
    /// The program in C.
    pub embedder: PathBuf,
}

impl Library {
    /// Builds the library from the registry's source, with two lines of configuration or without, and the program in C
    /// with its header.
    ///
    /// # Errors
    /// A source that can't be had, and a failed build.
    pub fn build(name: &str, forks: Option<&Path>, target: &Path) -> anyhow::Result<Self> {
        let folder = target.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let source = SOURCE.unpack(&folder)?;
        // A package of its own, wherever the target directory is.
        let manifest = source.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest)? + "\n[workspace]\n";
        std::fs::write(&manifest, text)?;

        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--lib", "--no-default-features"])
            .args(["--features", "wat,sys-default,cranelift,compiler,wasi"])
            // Most of both builds is the same. What is compared needs no speed. The crate's build script takes no other
            // name of the directory.
            .env("CARGO_TARGET_DIR", target.join("target"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .current_dir(&source);
        for fork in ["wasmer-wasix", "virtual-fs"] {
            if let Some(patches) = forks {
                let path = patches.join(fork);
                cargo.arg("--config").arg(format!(
                    "patch.crates-io.{fork}.path=\"{}\"",
                    path.display()
                ));
            }
        }
        let status = cargo.status().context("can't start cargo")?;
        ensure!(
            status.success(),
            "libwasmer ({name}) was not built: {status}"
        );
        let library = folder.join("libwasmer.so");
        std::fs::copy(target.join("target/debug/libwasmer.so"), &library)?;

        let embedder = folder.join("embedder");
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("embedder.c");
        let status = Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-Wno-comment", "-pthread", "-I"])
            .arg(&source)
            .arg("-o")
            .args([&embedder, &program, &library])
            .arg(format!("-Wl,-rpath,{}", folder.display()))
            .status()
            .context("can't start cc")?;
        ensure!(status.success(), "{}: {status}", program.display());
        Ok(Self { library, embedder })
    }
}
