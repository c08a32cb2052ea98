//! Says where the tables are that the tests compare with: each version's tests are a package of their own, and the
//! tables are the same.
#![forbid(unsafe_code)]

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=../../build.rs");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../..");
    for (variable, folder) in [
        ("WASIX_LANDLOCK_ATTACKS", "attacks"),
        ("WASIX_LANDLOCK_CONFORMANCE", "conformance"),
    ] {
        let folder = root.join("upstream-tests").join(folder);
        println!("cargo::rustc-env={variable}={}", folder.display());
    }
}
