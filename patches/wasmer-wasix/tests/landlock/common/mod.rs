//! The tests' shared parts.

pub mod custom;
pub mod guest;
pub mod guest_io;
pub mod host;
pub mod tree;

/// Denied by the restriction.
pub const DENIED: Result<(), i32> = Err(libc::EACCES);

/// Makes a test of a body with each compiler's engine.
macro_rules! for_both_compilers {
    ($(#[$doc:meta])* fn $name:ident($engine:ident) $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body($engine: wasmer::Engine) $body

            #[test]
            fn with_cranelift() {
                wasix_landlock_testing::isolated!(|| body($crate::common::host::cranelift()));
            }

            #[test]
            fn with_singlepass() {
                wasix_landlock_testing::isolated!(|| body($crate::common::host::singlepass()));
            }
        }
    };
}
