//! Hands on which forks are in the build, as `DEP_WASIX_LANDLOCK_PAIR_*` of the forks' own build scripts.
#![forbid(unsafe_code)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for (feature, fork) in [
        ("CARGO_FEATURE_WASMER_WASIX", "wasmer_wasix"),
        ("CARGO_FEATURE_VIRTUAL_FS", "virtual_fs"),
    ] {
        if std::env::var_os(feature).is_some() {
            println!("cargo::metadata={fork}=patched");
        }
    }
}
