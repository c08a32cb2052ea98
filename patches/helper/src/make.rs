//! Makes the patched source.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::kernel_alone;
use crate::{
    ApplyError, Manifest, ManifestError, PatchError, SOURCE_VARIABLE, Series, SourceError,
    Upstream, patch_files,
};

/// An error of making the patched source.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The fork's manifest is unusable.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The published source can't be had, or is not the published one.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A patch or the series can't be read.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// A patch doesn't apply.
    #[error(
        "{0}; no patch was applied. The patches fit {1} only: check out the whole repository, or \
         fix the patch (see patches/README.md)"
    )]
    Apply(Box<ApplyError>, String),
    /// The fork's package is not named and numbered as what it forks.
    #[error(
        "the fork's Cargo.toml says {package}, its fork.toml {crate_name}: they must be the same, \
         or cargo doesn't use the fork"
    )]
    Package {
        /// `name-version` of the package.
        package: String,
        /// `name-version` of the crate that is forked.
        crate_name: String,
    },
    /// The fork that belongs to this one is not in the build.
    #[error(
        "{fork} is patched for Landlock, but {pair} is not, so nothing would be enforced: add the line for \
         `{pair}` to [patch.crates-io], with version {version} in the lock file (`cargo update -p {pair} \
         --precise {version}`)"
    )]
    Alone {
        /// The crate that is forked here.
        fork: String,
        /// The version of both.
        version: String,
        /// The fork that is missing.
        pair: String,
    },
    /// There is not one patch.
    #[error("{} lists no patch: it must name at least one", path.display())]
    NoPatch {
        /// The series.
        path: PathBuf,
    },
    /// The result can't be put in place.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Unpacks the published source of the fork in folder `fork` into `target` and applies the first `patches`
/// of the series (all of them if that is more). `target` must not exist.
///
/// # Errors
/// [`enum@Error`]; what is in `target` is then of no use.
pub fn materialize(fork: &Path, target: &Path, patches: usize) -> Result<Manifest, Error> {
    let manifest = Manifest::load(fork)?;
    let mut series = Series::load(fork)?;
    series.patches.truncate(patches);
    let scratch = target.with_extension("download");
    Upstream::find(&manifest, &[target, fork], &scratch)?.unpack(&manifest, target)?;
    series
        .apply(target)
        .map_err(|error| Error::Apply(Box::new(error), manifest.full_name()))?;
    Ok(manifest)
}

/// Makes the patched source of the fork in folder `fork` at `out/upstream`, all or nothing.
///
/// # Errors
/// [`enum@Error`]; then there is no `out/upstream`, so that nothing stale can be built either.
pub fn make(fork: &Path, out: &Path) -> Result<(), Error> {
    let target = out.join("upstream");
    let unfinished = out.join("upstream.unfinished");
    let scratch = unfinished.with_extension("download");
    for old in [&target, &unfinished, &scratch] {
        match std::fs::remove_dir_all(old) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io(old)(error));
            }
            _ => {}
        }
    }
    // Unpatched is what nobody asked for.
    if Series::load(fork)?.patches.is_empty() {
        return Err(Error::NoPatch {
            path: fork.join("series"),
        });
    }
    materialize(fork, &unfinished, usize::MAX)?;
    let root = unfinished.join("src").join("lib.rs");
    let text = std::fs::read_to_string(&root).map_err(io(&root))?;
    std::fs::write(&root, crate::inner::without_inner_attributes(&text)).map_err(io(&root))?;
    std::fs::rename(&unfinished, &target).map_err(io(&target))
}

/// The whole of a fork's build script: makes the patched source, tells cargo what it depends on, and ends
/// the process with cargo's error if it can't be made.
pub fn run_build_script() {
    let variable = |name: &str| {
        let value = std::env::var_os(name);
        PathBuf::from(value.unwrap_or_else(|| fail(&format!("cargo didn't set {name}"))))
    };
    let fork = variable("CARGO_MANIFEST_DIR");
    println!("cargo::rerun-if-env-changed={SOURCE_VARIABLE}");
    for path in inputs(&fork) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let is_on = std::env::var_os(kernel_alone::FEATURE).is_some();
    let value = std::env::var_os(kernel_alone::VARIABLE);
    match kernel_alone::lines(is_on, value.as_deref()) {
        Ok(lines) => print!("{lines}"),
        Err(error) => fail(&error),
    }
    let package = format!(
        "{}-{}",
        variable("CARGO_PKG_NAME").display(),
        variable("CARGO_PKG_VERSION").display()
    );
    let made = is_package_of(&fork, package)
        .and_then(|()| has_its_pair(&fork))
        .and_then(|()| make(&fork, &variable("OUT_DIR")));
    if let Err(error) = made {
        fail(&error.to_string());
    }
}

/// The files that the patched source is made of, besides the published one.
fn inputs(fork: &Path) -> Vec<PathBuf> {
    let home = Manifest::load(fork).map(|manifest| manifest.home(fork));
    let home = home.unwrap_or_else(|_| fork.to_owned());
    let mut inputs = vec![
        fork.join("fork.toml"),
        home.join("series"),
        home.join("build.rs"),
    ];
    // The base's patches, even those that this version doesn't have as they are.
    for folder in [&home, fork] {
        inputs.extend(patch_files(folder).unwrap_or_default());
    }
    inputs
}

fn is_package_of(fork: &Path, package: String) -> Result<(), Error> {
    let crate_name = Manifest::load(fork)?.full_name();
    if package == crate_name {
        return Ok(());
    }
    Err(Error::Package {
        package,
        crate_name,
    })
}

/// With one fork alone, the recorded preopens never meet the host directories behind them.
fn has_its_pair(fork: &Path) -> Result<(), Error> {
    let manifest = Manifest::load(fork)?;
    let Some(pair) = manifest.pair else {
        return Ok(());
    };
    let seen = pair.to_uppercase().replace('-', "_");
    if std::env::var_os(format!("DEP_WASIX_LANDLOCK_PAIR_{seen}")).is_some() {
        return Ok(());
    }
    Err(Error::Alone {
        fork: manifest.name,
        version: manifest.version,
        pair,
    })
}

fn fail(message: &str) -> ! {
    println!("cargo::error={}", message.replace('\n', " "));
    std::process::exit(1);
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}
