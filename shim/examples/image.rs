//! Makes an image whose only files are modules, for `ctr image import`. Needs no container engine.
//!
//! ```sh
//! cargo run --release --example image -- localhost/convert:1 convert.tar convert.wasm
//! ```
#![deny(missing_docs)]

#[path = "../tests/containers/image.rs"]
mod image;

use std::{env, fs, path::Path};

use anyhow::{Context as _, bail, ensure};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, archive, modules @ ..] = &arguments[..] else {
        bail!("usage: image NAME ARCHIVE MODULE...");
    };
    ensure!(!modules.is_empty(), "an image needs a module");
    let mut files = Vec::new();
    for module in modules {
        let file_name = Path::new(module).file_name().and_then(|name| name.to_str());
        let file_name = file_name.with_context(|| format!("{module} has no name for the image"))?;
        let bytes = fs::read(module).with_context(|| format!("can't read {module}"))?;
        files.push((file_name, bytes));
    }
    image::write(Path::new(archive), name, &files).with_context(|| format!("can't write {archive}"))
}
