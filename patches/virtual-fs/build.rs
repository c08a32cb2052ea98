//! Makes the patched source, and sees to it that the other fork is in the build.
#![forbid(unsafe_code)]

fn main() {
    if std::env::var_os("DEP_WASIX_LANDLOCK_PAIR_WASMER_WASIX").is_none() {
        println!(
            "cargo::error=virtual-fs is patched for Landlock, but wasmer-wasix is not, so nothing would be \
             enforced: add the line for `wasmer-wasix` to [patch.crates-io], with version 0.704.2 in the \
             lock file (`cargo update -p wasmer-wasix --precise 0.704.2`)"
        );
        std::process::exit(1);
    }
    wasix_landlock_fork::run_build_script();
}
