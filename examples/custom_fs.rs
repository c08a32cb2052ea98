//! A file system of the application's own, mounted beside a host directory.
//!
//! ```text
//! cargo run --release --example custom_fs
//! cargo run --release --example custom_fs -- --silent
//! ```
//!
//! It shows the files of a host directory with their variables filled in. Since it reads them itself, it says so
//! (`host_backing`), and that is what the kernel is told. With `--silent` it doesn't, and is refused what it reads.
#![forbid(unsafe_code)]

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use futures::future::BoxFuture;
use virtual_fs::host_backing::HostAccess;
use virtual_fs::{
    DirEntry, FileOpener, FileSystem, FileType, FsError, HostBacking, Metadata, OpenOptions,
    OpenOptionsConfig, ReadDir, StaticFile, VirtualFile,
};
use wasix_landlock_engine::engine;
use wasix_landlock_examples::offline_runtime;
use wasix_landlock_profile::Compiler;
use wasmer::Module;
use wasmer_types::ModuleHash;
use wasmer_wasix::landlock::with_causes;
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};

/// Runs a module that prints files of the file system, of a host directory, and of neither.
#[derive(Parser)]
struct Arguments {
    /// The file system doesn't say what it reads on the host.
    #[arg(long)]
    silent: bool,
    /// The compiler of the module.
    #[arg(
        long,
        value_name = "cranelift|singlepass",
        default_value = "singlepass"
    )]
    compiler: Compiler,
}

/// The files of a host directory, each with `{NAME}` filled in. Nothing can be written.
#[derive(Debug)]
struct Templates {
    directory: PathBuf,
    name: String,
    silent: bool,
}

impl Templates {
    /// The host file behind `path`; none but the root and what lies in it exists.
    fn host_path(&self, path: &Path) -> virtual_fs::Result<PathBuf> {
        let mut inside = path.components().filter(|part| *part != Component::RootDir);
        match (inside.next(), inside.next()) {
            (None, _) => Ok(self.directory.clone()),
            (Some(Component::Normal(name)), None) => Ok(self.directory.join(name)),
            _ => Err(FsError::EntryNotFound),
        }
    }

    fn filled_in(&self, path: &Path) -> virtual_fs::Result<String> {
        let text = std::fs::read_to_string(self.host_path(path)?)?;
        Ok(text.replace("{NAME}", &self.name))
    }

    fn describe(&self, path: &Path) -> virtual_fs::Result<Metadata> {
        let mut described = Metadata::default();
        if self.host_path(path)? == self.directory {
            described.ft = FileType::new_dir();
        } else {
            described.ft = FileType::new_file();
            described.len = self.filled_in(path)?.len() as u64;
        }
        Ok(described)
    }
}

impl FileSystem for Templates {
    fn host_backing(&self) -> Vec<HostBacking> {
        if self.silent {
            return Vec::new();
        }
        vec![HostBacking::root(&self.directory, HostAccess::READ)]
    }

    fn read_dir(&self, path: &Path) -> virtual_fs::Result<ReadDir> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(self.host_path(path)?)? {
            let path = Path::new("/").join(entry?.file_name());
            let metadata = self.describe(&path);
            entries.push(DirEntry { path, metadata });
        }
        Ok(ReadDir::new(entries))
    }

    fn metadata(&self, path: &Path) -> virtual_fs::Result<Metadata> {
        self.describe(path)
    }

    fn symlink_metadata(&self, path: &Path) -> virtual_fs::Result<Metadata> {
        self.describe(path)
    }

    fn new_open_options(&self) -> OpenOptions<'_> {
        OpenOptions::new(self)
    }

    fn readlink(&self, _path: &Path) -> virtual_fs::Result<PathBuf> {
        Err(FsError::InvalidInput)
    }

    fn create_dir(&self, _path: &Path) -> virtual_fs::Result<()> {
        Err(FsError::PermissionDenied)
    }

    fn remove_dir(&self, _path: &Path) -> virtual_fs::Result<()> {
        Err(FsError::PermissionDenied)
    }

    fn rename<'a>(
        &'a self,
        _from: &'a Path,
        _to: &'a Path,
    ) -> BoxFuture<'a, virtual_fs::Result<()>> {
        Box::pin(async { Err(FsError::PermissionDenied) })
    }

    fn remove_file(&self, _path: &Path) -> virtual_fs::Result<()> {
        Err(FsError::PermissionDenied)
    }
}

impl FileOpener for Templates {
    fn open(
        &self,
        path: &Path,
        options: &OpenOptionsConfig,
    ) -> virtual_fs::Result<Box<dyn VirtualFile + Send + Sync + 'static>> {
        if options.would_mutate() {
            return Err(FsError::PermissionDenied);
        }
        Ok(Box::new(StaticFile::new(
            self.filled_in(path)?.into_bytes(),
        )))
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("custom_fs: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let [templates, data, outside] =
        ["templates", "data", "outside"].map(|name| work.path().join(name));
    for directory in [&templates, &data, &outside] {
        std::fs::create_dir(directory)?;
        std::fs::write(directory.join("file"), "for {NAME}\n")?;
    }
    // The file system follows it, as `read_to_string` does. Nobody granted what it leads to.
    std::os::unix::fs::symlink("../outside/file", templates.join("link"))?;

    let engine = engine(arguments.compiler);
    let module = Module::new(&engine, include_str!("guests/show.wat"))?;
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let runtime = offline_runtime(&engine, tokio.handle().clone());
    for shown in ["templates/file", "data/file", "templates/link"] {
        println!("{shown}:");
        let file_system = Templates {
            directory: templates.clone(),
            name: "you".to_owned(),
            silent: arguments.silent,
        };
        let mut runner = WasiRunner::new();
        runner
            .with_mount("/templates".to_owned(), Arc::new(file_system))
            .with_preopen(|p| p.directory(&data).alias("/data").read(true))?
            .with_args([shown]);
        // The second and the third build in this process are within what the first one was granted.
        runner.run_wasm(
            RuntimeOrEngine::Runtime(Arc::clone(&runtime)),
            "show",
            module.clone(),
            ModuleHash::random(),
        )?;
    }
    Ok(())
}
