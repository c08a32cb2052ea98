//! Makes the patched source, and sees to it that the other fork is in the build.
#![forbid(unsafe_code)]

fn main() {
    wasix_landlock_fork::run_build_script();
}
