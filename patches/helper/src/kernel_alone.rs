//! The build of a fork whose WASI layer checks nothing, for this repository's tests of the kernel.
//!
//! A cargo feature can be switched on by any package of a build. This one fails the build unless the variable is set as
//! well, so that nobody's program loses its checks by it.

use std::ffi::OsStr;

/// The variable that has to be set beside the feature.
pub(crate) const VARIABLE: &str = "WASIX_LANDLOCK_TEST_KERNEL_ALONE";
/// The value of the variable.
const VALUE: &str = "the WASI layer checks nothing";
/// The variable by which cargo says that the feature is on.
pub(crate) const FEATURE: &str = "CARGO_FEATURE_LANDLOCK_KERNEL_ALONE";
/// The error of a build with the feature and without the variable.
const REFUSED: &str = "the feature `landlock-kernel-alone` switches all checks of the WASI layer off. It is for this \
    repository's own tests; no program may be built with it. Find out which package asks for it with `cargo tree \
    --edges features --invert wasmer-wasix`";

/// Returns the lines for cargo, or the error of a build that would be without checks and isn't meant to be.
pub(crate) fn lines(is_feature_on: bool, value: Option<&OsStr>) -> Result<String, String> {
    let mut lines = "cargo::rustc-check-cfg=cfg(landlock_kernel_alone)\n".to_owned();
    if !is_feature_on {
        return Ok(lines);
    }
    if value != Some(OsStr::new(VALUE)) {
        return Err(REFUSED.to_owned());
    }
    lines += &format!(
        "cargo::rerun-if-env-changed={VARIABLE}\ncargo::rustc-cfg=landlock_kernel_alone\n"
    );
    Ok(lines)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CFG: &str = "cargo::rustc-cfg=landlock_kernel_alone";

    #[test]
    fn without_the_feature_the_variable_does_nothing() {
        for value in [None, Some(OsStr::new(VALUE))] {
            assert!(!lines(false, value).unwrap().contains(CFG));
        }
    }

    #[test]
    fn the_feature_without_the_variable_fails_the_build() {
        for value in [None, Some(""), Some("1")] {
            let error = lines(true, value.map(OsStr::new)).unwrap_err();
            assert!(error.contains("landlock-kernel-alone"), "{error}");
        }
    }

    #[test]
    fn both_together_switch_the_checks_off() {
        assert!(lines(true, Some(OsStr::new(VALUE))).unwrap().contains(CFG));
    }
}
