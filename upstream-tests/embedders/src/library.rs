//! libwasmer, as published and with the forks.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use wasix_landlock_programs::packages::Crate;

use crate::package::Package;

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
        let package = Package::unpack(&SOURCE, &folder)?;
        // The crate's build script takes no other name of the directory.
        let built = target.join("target");
        package.build(
            &[
                "--lib",
                "--no-default-features",
                "--features=wat,sys-default,cranelift,compiler,wasi",
            ],
            forks,
            &built,
        )?;
        let library = folder.join("libwasmer.so");
        std::fs::copy(built.join("debug/libwasmer.so"), &library)?;

        let embedder = folder.join("embedder");
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("embedder.c");
        let status = Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-Wno-comment", "-pthread", "-I"])
            .arg(&package.source)
            .arg("-o")
            .args([&embedder, &program, &library])
            .arg(format!("-Wl,-rpath,{}", folder.display()))
            .status()
            .context("can't start cc")?;
        ensure!(status.success(), "{}: {status}", program.display());
        Ok(Self { library, embedder })
    }
}
