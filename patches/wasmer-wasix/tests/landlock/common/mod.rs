//! What the tests share.

pub mod custom;
pub mod guest;
pub mod host;
pub mod tree;

/// Denied by the restriction.
pub const DENIED: Result<(), i32> = Err(libc::EACCES);

/// Makes two tests of a body: as this user, and as one without privileges.
macro_rules! for_both_users {
    ($(#[$doc:meta])* fn $name:ident() $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body() $body

            #[test]
            fn as_this_user() {
                wasix_landlock_testing::isolated!(body);
            }

            #[test]
            fn as_an_ordinary_user() {
                wasix_landlock_testing::isolated!(|| {
                    wasix_landlock_testing::as_ordinary_user(body);
                });
            }
        }
    };
}

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
