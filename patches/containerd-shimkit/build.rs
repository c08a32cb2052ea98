//! Makes the patched source.
#![forbid(unsafe_code)]

fn main() {
    wasix_landlock_fork::run_build_script();
}
